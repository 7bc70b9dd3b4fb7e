# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Builds BTF sections and ELF files around them, field by field: the inputs of the tests, well-formed or broken on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)
SIGNED, CHAR, BOOL = 1, 2, 4


class BtfWriter:
    """Collects types; each method returns the id of what it added. ``order`` is "<" or ">"."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.types = b""
        self.strings = bytearray(b"\0")
        self.count = 0

    def name(self, text: str) -> int:
        """The offset of a string, added when it is new."""
        if not text:
            return 0
        raw = b"\0" + text.encode() + b"\0"
        at = self.strings.find(raw)
        if at < 0:
            at = len(self.strings) - 1
            self.strings += raw[1:]
        return at + 1

    def add(self, kind: int, name: str = "", third: int = 0, words: Iterable[int] = (), *, vlen: int = 0, kflag: int = 0) -> int:
        """Any type: ``third`` is the size or the type id, ``words`` what follows the three common words."""
        info = kflag << 31 | kind << 24 | vlen
        rest = list(words)
        self.types += pack(f"{self.order}{3 + len(rest)}I", self.name(name), info, third, *(word & 0xFFFFFFFF for word in rest))
        self.count += 1
        return self.count

    def int(self, name: str, size: int, *, encoding: int = 0, bits: int | None = None, offset: int = 0) -> int:
        return self.add(INT, name, size, [encoding << 24 | offset << 16 | (8 * size if bits is None else bits)])

    def array(self, element: int, count: int, index: int = 1) -> int:
        return self.add(ARRAY, "", 0, [element, index, count])

    def struct(self, name: str, size: int, members: Sequence[tuple[str, int, int]], *, kind: int = STRUCT, kflag: int = 0) -> int:
        """``members`` are (name, type id, bit offset), or with kflag (name, type id, width << 24 | bit offset)."""
        words = [word for member, type_id, place in members for word in (self.name(member), type_id, place)]
        return self.add(kind, name, size, words, vlen=len(members), kflag=kflag)

    def enum(self, name: str, values: dict[str, int], *, wide: bool = False, signed: bool = False) -> int:
        words = []
        for member, value in values.items():
            words += [self.name(member), value] + ([value >> 32] if wide else [])
        return self.add(ENUM64 if wide else ENUM, name, 8 if wide else 4, words, vlen=len(values), kflag=int(signed))

    def bytes(self, *, layout: bytes | None = None) -> bytes:
        """The section. ``layout`` adds the header fields and the section of 2026."""
        strings = bytes(self.strings)
        tail = b"" if layout is None else layout
        fields = [24 if layout is None else 32, 0, len(self.types), len(self.types), len(strings)]
        if layout is not None:
            fields += [len(self.types) + len(strings), len(layout)]
        return pack(f"{self.order}HBB{len(fields)}I", 0xEB9F, 1, 0, *fields) + self.types + strings + tail


def every_kind(order: str = "<") -> BtfWriter:
    """A section with each kind of type in it, and a struct, ``all``, that uses most of them."""
    made = BtfWriter(order)
    long = made.int("long unsigned int", 8)
    u32 = made.int("unsigned int", 4)
    char = made.int("char", 1, encoding=SIGNED)
    typed = made.add(TYPEDEF, "u64", long)
    pair = made.struct("pair", 16, [("first", typed, 0), ("second", made.array(u32, 2), 64)])
    either = made.struct("", 8, [("phys", typed, 0), ("ptr", made.add(PTR, "", pair), 0)], kind=UNION)
    color = made.enum("color", {"RED": 0, "GREEN": 0xFFFFFFFF})
    wide = made.enum("wide", {"LOW": -1, "HIGH": 1 << 40}, wide=True, signed=True)
    proto = made.add(FUNC_PROTO, "", u32, [made.name("argument"), char], vlen=1)
    tagged = made.add(PTR, "", made.add(TYPE_TAG, "user", made.add(CONST, "", char)))
    made.struct(
        "all",
        96,
        [
            ("low", typed, 52 << 24),
            ("high", typed, 12 << 24 | 52),
            ("pairs", made.array(pair, 2), 64),
            ("", either, 320),
            ("color", color, 384),
            ("call", made.add(PTR, "", proto), 448),
            ("text", tagged, 512),
            ("ratio", made.add(FLOAT, "double", 8), 576),
            ("wide", made.add(VOLATILE, "", wide), 640),
            ("opaque", made.add(PTR, "", made.add(FWD, "hidden", 0)), 704),
            ("tail", made.array(char, 0), 768),
        ],
        kflag=1,
    )
    made.add(FUNC, "function", proto, vlen=1)
    made.add(DATASEC, ".data", 8, [made.add(VAR, "variable", u32, [1]), 0, 4], vlen=1)
    made.add(DECL_TAG, "tag", pair, [0])
    made.add(RESTRICT, "", tagged)
    return made


def elf(sections: dict[str, bytes], *, wide: bool = True, order: str = "<", extended: bool = False) -> bytes:
    """An ELF file with these sections and their name table. ``extended``: count and name index stand in the first section header."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*sections, ".shstrtab"])
    contents = [*sections.values(), names]
    start = 64 if wide else 52
    step = 64 if wide else 40
    headers = [(0, 0, 0, 0)]
    body = b""
    for name, content in zip([*sections, ".shstrtab"], contents, strict=True):
        headers.append((names.index(b"\0" + name.encode() + b"\0") + 1, 1, start + len(body), len(content)))
        body += content
    count = len(headers)
    if extended:
        headers[0] = (0, 0, 0, count)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    shown = (step, 0, 0xFFFF) if extended else (step, count, count - 1)
    header = pack(order + ("16xHHIQQQI6H" if wide else "16xHHIIIII6H"), 2, 62, 1, 0, 0, start + len(body), 0, start, 0, 0, *shown)
    table = b""
    for index, (name_at, kind, offset, size) in enumerate(headers):
        link = count - 1 if extended and not index else 0
        form = "IIQQQQIIQQ" if wide else "10I"
        table += pack(order + form, name_at, kind, 0, 0, offset, size, link, 0, 0, 0)
    return ident + header[16:] + body + table
