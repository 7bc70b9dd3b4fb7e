# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A strict reader of BTF, the type information in a kernel: what the compiler laid out, without DWARF.

    btf = Btf.open("vmlinux")               raw .BTF, ELF with a .BTF section, either zstd-compressed; or their bytes
    btf.layout("luo_file_ser")              StructShape: size, flattened members
    btf.enum("pageflags")["PG_locked"]      and typedef(), structs(), names()

Type ids count from 1 in the order of the section; 0 is void. Opening walks the types once and keeps one offset each; everything
else is decoded when it is asked for. Hostile input gives ``BtfError`` with offset, expected and found, or ``LimitError``: each id,
name and length is checked where it is followed. What BTF does not know: macros, comments, the packed attribute (only its effect).
The modules beside this one take a section apart (``btf_section``, which draws its bytes) and make shapes of types (``btf_shape``).
"""

from __future__ import annotations

from array import array

from devstate.errors import BtfError, LimitError, UsageError
from devstate.source.btf_section import ENUM, ENUM64, INT, STRUCT, TYPEDEF, UNION, split
from devstate.source.btf_shape import ctype, last, shape
from devstate.source.shape import CType, StructShape
from devstate.source.vmlinux import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike
    from typing import TypeVar

    from devstate.layout.model import ByteOrder

    Fact = TypeVar("Fact")

MAX_NAME = 511
"""Bytes in a name: the kernel holds symbol names to KSYM_NAME_LEN (512) with their NUL."""

MAX_ELEMENTS = (1 << 16) - 1
"""Members or enumerators of one type: all that BTF could say until 2026, and no kernel has a tenth of it."""

MAX_SAME_NAME = 64
"""Types with one name: a vmlinux has up to a dozen (static structs of drivers)."""

_KINDS = {"struct": (STRUCT,), "union": (UNION,), "enum": (ENUM, ENUM64), "typedef": (TYPEDEF,)}
_LOOKED_UP = frozenset({INT, STRUCT, UNION, ENUM, ENUM64, TYPEDEF})
_LONG = ("long unsigned int", "long int", "unsigned long", "long")


class Btf:
    """The types of one kernel, whose machine has ``byte_order``. ``source`` names it in errors; ``len()`` is the number of its types."""

    __slots__ = ("_known", "_names", "_pointer_size", "_starts", "_strings", "_types_at", "_words", "byte_order", "source")

    def __init__(self, data: bytes | memoryview, source: str | None = None, base: Btf | None = None) -> None:
        """Read the raw bytes of a ``.BTF`` section. BtfError or LimitError when they are malformed.

        A module's types and strings count on from those of the kernel, ``base``.
        """
        try:
            parts = split(memoryview(data), is_split=base is not None)
        except (BtfError, LimitError) as error:
            raise error.at(source=source) from None
        self._words, self._starts, self._strings, self._types_at = parts.words, parts.starts, parts.strings, parts.types_at
        if base is not None:
            first = len(base._words)
            self._words = base._words + parts.words
            self._starts = base._starts + array("I", [first + start for start in parts.starts[1:]])
            self._strings = base._strings + parts.strings
        self._names: dict[int, list[int]] | None = None
        self._known: dict[str, list[int]] = {}
        self._pointer_size = 0
        self.byte_order: ByteOrder = "little" if bytes(data[:2]) == b"\x9f\xeb" else "big"
        self.source = source

    @classmethod
    def open(cls, source: str | PathLike[str] | bytes | bytearray | memoryview) -> Btf:
        """Open a path or the bytes themselves: raw BTF, an ELF file with a ``.BTF`` section, either of them zstd-compressed.

        OSError when the file cannot be read, BtfError when it holds no good BTF (ImageError: no good zstd),
        LimitError when it is too large.
        """
        return cls(*load(source))

    def __len__(self) -> int:
        return len(self._starts) - 1

    # What callers ask for

    def structs(self, name: str) -> list[StructShape]:
        """Every struct or union with this name, or this typedef, in the order of their ids: a kernel may hold several."""
        return [shape(self, each) for each in self.find(name)]

    def layout(self, name: str) -> StructShape:
        """The one struct or union with this name. UsageError when there is none, or several that differ."""
        return self._only(self.structs(name), "struct or union", name)

    def enum(self, name: str) -> dict[str, int]:
        """The values of the enum with this name. UsageError when there is none, or several that differ."""
        return self._only([self.enumerators(each) for each in self._find(name, ENUM, ENUM64)], "enum", name)

    def typedef(self, name: str) -> CType:
        """What the typedef with this name stands for, down to its size. UsageError when there is none, or several that differ."""
        return self._only([ctype(self, self.word(each, 2)) for each in self._find(name, TYPEDEF)], "typedef", name)

    def names(self, keyword: str = "struct") -> list[str]:
        """The names of all structs, unions, enums or typedefs (``keyword``), sorted, each once; what has no name is left out."""
        if keyword not in _KINDS:
            raise UsageError(f"names of what? One of {', '.join(_KINDS)}, not {keyword!r}")
        kinds = _KINDS[keyword]
        found = {self.text(at, ids[0]) for at, ids in self._by_name().items() if any(self.kind(each) in kinds for each in ids)}
        return sorted(found - {""})

    # The types themselves, by id: for the modules beside this one

    def find(self, name: str) -> list[int]:
        """The ids of all structs and unions with this name, rising; if there is none, of those that a typedef of this name stands for."""
        found = self._find(name, STRUCT, UNION)
        if not found:
            ends = [last(self, each) for each in self._find(name, TYPEDEF)]
            found = sorted({each for each in ends if self.kind(each) in (STRUCT, UNION)})
        return found

    def kind(self, type_id: int) -> int:
        """The kind of a type; 0 for void. BtfError when there is no such type."""
        return self.word(type_id, 1) >> 24 & 0x7F if type_id else 0

    def word(self, type_id: int, index: int) -> int:
        """One 32-bit word of a type (0 name, 1 info, 2 size or type id, then the kind's own). BtfError when there is no such type."""
        if not 0 < type_id < len(self._starts):
            raise self.error("a type id is out of range", 0, expected=f"1..{len(self)}", found=type_id)
        return self._words[self._starts[type_id] + index]

    def name(self, type_id: int) -> str:
        """The name of a type, empty when it has none."""
        return self.text(self.word(type_id, 0), type_id)

    def text(self, offset: int, type_id: int) -> str:
        """The string at ``offset`` of the strings; ``type_id`` is who names it. BtfError outside, LimitError when it is too long."""
        if offset >= len(self._strings):
            raise self.error("a name is outside the strings", type_id, expected=f"below {len(self._strings):#x}", found=f"{offset:#x}")
        end = self._strings.find(b"\0", offset, offset + MAX_NAME + 1)
        if end < 0:
            raise self.limit("a name is too long", type_id, f"at most {MAX_NAME} bytes")
        return self._strings[offset:end].decode("ascii", "backslashreplace")

    def elements(self, type_id: int, width: int) -> Iterator[tuple[int, ...]]:
        """The elements behind a struct, union or enum as tuples of ``width`` words, in order. LimitError when there are too many."""
        count = self.word(type_id, 1) & 0xFFFFFF
        if count > MAX_ELEMENTS:
            raise self.limit("a type has too many members", type_id, f"at most {MAX_ELEMENTS}", count)
        first = self._starts[type_id] + 3
        flat = self._words[first : first + width * count]
        return zip(*(flat[lane::width] for lane in range(width)), strict=True)

    @property
    def pointer_size(self) -> int:
        """Bytes of a pointer. BTF does not say, but Linux has them as large as ``long``; 8 when no long is described."""
        if not self._pointer_size:
            sizes = (self.word(each, 2) for name in _LONG for each in self._find(name, INT))
            self._pointer_size = next((size for size in sizes if size in (4, 8)), 8)
        return self._pointer_size

    def error(self, message: str, type_id: int, *, expected: object = None, found: object = None) -> BtfError:
        """A BtfError at the place of a type (0: the types as a whole), to be raised by who found the fault."""
        path = f"type {type_id}" if type_id else None
        return BtfError(message, source=self.source, offset=self._place(type_id), path=path, expected=expected, found=found)

    def limit(self, message: str, type_id: int, expected: object, found: object = "more") -> LimitError:
        """A LimitError at the place of a type, to be raised by who met the limit."""
        return LimitError(message, source=self.source, offset=self._place(type_id), path=f"type {type_id}", expected=expected, found=found)

    # How it is found

    def _place(self, type_id: int) -> int:
        return self._types_at + 4 * self._starts[type_id] if 0 <= type_id < len(self._starts) else self._types_at

    def _only(self, found: Sequence[Fact], what: str, name: str) -> Fact:
        if not found:
            raise UsageError(f"{self.source or 'the BTF'} has no {what} {name!r}")
        if any(each != found[0] for each in found):
            raise UsageError(f"{self.source or 'the BTF'} has {len(found)} times a {what} {name!r}, and they differ")
        return found[0]

    def _by_name(self) -> dict[int, list[int]]:
        """Name offset -> ids of what can be looked up by name; made at the first lookup."""
        if self._names is None:
            words = self._words
            names: dict[int, list[int]] = {}
            for type_id, start in enumerate(self._starts):
                if type_id and words[start + 1] >> 24 & 0x7F in _LOOKED_UP:
                    names.setdefault(words[start], []).append(type_id)
            self._names = names
        return self._names

    def _find(self, name: str, *kinds: int) -> list[int]:
        """Ids of the types of these kinds with this name. A string may be the tail of another, so each place in the strings is tried."""
        if not name or not name.isascii() or "\0" in name:
            return []
        if name not in self._known:
            wanted, names = name.encode() + b"\0", self._by_name()
            ids: list[int] = []
            at = self._strings.find(wanted)
            while at >= 0:
                ids += names.get(at, ())
                at = self._strings.find(wanted, at + 1)
            self._known[name] = ids
        found = [each for each in self._known[name] if self.kind(each) in kinds]
        if len(found) > MAX_SAME_NAME:
            raise self.limit(f"too many types are called {name!r}", found[0], f"at most {MAX_SAME_NAME}", len(found))
        return sorted(found)

    def enumerators(self, type_id: int) -> dict[str, int]:
        """The values of an enum by name. They stand in 32 bits, or in 64 with the low half first; kflag tells that they are signed."""
        wide, signed = self.kind(type_id) == ENUM64, self.word(type_id, 1) >> 31
        top = 1 << (63 if wide else 31)
        values = {}
        for name, *halves in self.elements(type_id, 3 if wide else 2):
            value = sum(half << 32 * place for place, half in enumerate(halves))
            values[self.text(name, type_id)] = value - 2 * top if signed and value >= top else value
        return values
