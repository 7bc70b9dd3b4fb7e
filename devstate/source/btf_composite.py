# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""BTF as a source of composites. Keys are type ids; names of typedefs tell the byte order of ``__le32`` and ``__be32``.

BTF knows no packed attribute, no alignment and no flexible arrays: an array of no elements that comes last is taken for one.
"""

from __future__ import annotations

from devstate.errors import NoSuchTypeError
from devstate.source.btf_section import ARRAY, CONST, ENUM, ENUM64, INT, PTR, RESTRICT, STRUCT, TYPE_TAG, TYPEDEF, UNION, VOLATILE
from devstate.source.btf_shape import MAX_CHAIN, ctype
from devstate.source.composite import Composite, Member, ValueType
from devstate.source.laying import Laying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from devstate.layout.model import StructLayout
    from devstate.source.btf import Btf

_THROUGH = frozenset({TYPEDEF, CONST, VOLATILE, RESTRICT, TYPE_TAG})


class BtfComposites:
    """The composites of one BTF."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.types: dict[int, ValueType] = {}
        self.aliases: dict[int, str] = {}

    def composite(self, key: Hashable) -> Composite:
        """The struct or union with this type id. BtfError when a member does not fit."""
        assert isinstance(key, int)
        btf, size = self.btf, self.btf.word(key, 2)
        packs_width = btf.word(key, 1) >> 31
        members = []
        for name, type_id, place in btf.elements(key, 3):
            kind = self.type(type_id)
            width, at = (place >> 24, place & 0xFFFFFF) if packs_width else (0, place)
            if kind.kind == "int" and not (width or kind.dims):
                width, at = self.old_bits(type_id, kind, at)
            path = btf.text(name, key)
            self.check(key, path, kind, at, width, size)
            members.append(Member(path, at, kind, width or None))
        if members and members[-1].type.dims[:1] == (0,):
            last = members[-1]
            opened = ValueType(last.type.kind, last.type.size, last.type.signed, last.type.order, (None, *last.type.dims[1:]),
                               last.type.text, last.type.names, last.type.inner)  # fmt: skip
            members[-1] = Member(last.name, last.bit_offset, opened, last.width)
        label = btf.name(key) or self.aliases.get(key, "")
        return Composite(label, "union" if btf.kind(key) == UNION else "struct", size, tuple(members))

    def check(self, key: int, path: str, kind: ValueType, at: int, width: int, size: int) -> None:
        """Whether a member fits its type and its struct."""
        bits = width
        if not width:
            bits = 8 * kind.size
            for dim in kind.dims:
                bits *= dim or 0
        if width > 8 * kind.size or (width and (kind.dims or kind.kind not in ("int", "enum"))) or (at % 8 and not width):
            wanted = f"whole bytes or up to {8 * kind.size} bits of an int or enum"
            found = f"{kind.kind}, {bits} bits at bit {at}"
            raise self.btf.error(f"member {path!r} does not fit its type", key, expected=wanted, found=found)
        if at + bits > 8 * size:
            wanted = f"at or below bit {8 * size}"
            raise self.btf.error(f"member {path!r} ends behind its struct", key, expected=wanted, found=f"bit {at + bits}")

    def old_bits(self, type_id: int, kind: ValueType, at: int) -> tuple[int, int]:
        """Width and place of a bit-field whose int type says where its bits are, as compilers wrote it before kflag."""
        last = type_id
        while self.btf.kind(last) in _THROUGH:
            last = self.btf.word(last, 2)
        encoding = self.btf.word(last, 3)
        return (encoding & 0xFF, at + (encoding >> 16 & 0xFF)) if encoding & 0xFF != 8 * kind.size else (0, at)

    def type(self, type_id: int) -> ValueType:
        """The type with this id. BtfError when it has no size, LimitError when it has no end."""
        if type_id not in self.types:
            known = ctype(self.btf, type_id)  # all checks are in there
            end, order = self.end(type_id)
            single = known.size
            kind = self.btf.kind(end)
            single = self.btf.pointer_size if kind == PTR else self.btf.word(end, 2)
            names = tuple(self.btf.enumerators(end).items()) if kind in (ENUM, ENUM64) else ()
            text = kind == INT and self.btf.name(end) == "char"
            inner = end if kind in (STRUCT, UNION) else None
            signed = known.signed and not text
            self.types[type_id] = ValueType(known.kind, single, signed, order, known.dims, text, names, inner)
        return self.types[type_id]

    def end(self, type_id: int) -> tuple[int, str]:
        """The id that a chain of typedefs, qualifiers and arrays ends at, and the byte order that a name on the way tells."""
        order = "native"
        for _ in range(MAX_CHAIN):
            kind = self.btf.kind(type_id)
            if kind == TYPEDEF:
                self.aliases[self.btf.word(type_id, 2)] = self.btf.name(type_id)
                name = self.btf.name(type_id).lstrip("_")
                if name in ("le16", "le32", "le64"):
                    order = "little"
                elif name in ("be16", "be32", "be64"):
                    order = "big"
            elif kind != ARRAY and kind not in _THROUGH:
                break
            type_id = self.btf.word(type_id, 3 if kind == ARRAY else 2)
        return type_id, order


def btf_structs(btf: Btf, names: list[str]) -> tuple[StructLayout, ...]:
    """The structs and unions with these names, and all that they embed, innermost first. NoSuchTypeError when one is not there,
    UsageError when several of one name differ; BtfError and LimitError for malformed types."""
    roots = []
    for name in names:
        found = btf.find(name)
        if not found:
            raise NoSuchTypeError(f"{btf.source or 'the BTF'} has no struct or union {name!r}")
        if len(found) > 1:
            btf.layout(name)  # UsageError unless they are all the same
        roots.append((found[0], name))
    return Laying(BtfComposites(btf), big=btf.byte_order == "big").run(roots)
