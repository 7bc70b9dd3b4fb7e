# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tags: values for the fields of a witness. No two are alike, every byte of them is another one, and a decoder takes them.

What a field may hold comes first: its version, the only value it accepts, a named value, a count of what is really there, a page-aligned
address. All else is ``0x04030201``, ``0x08070605`` and so on; the highest bit is set where only that shows another sign.
"""

from __future__ import annotations

from devstate.compat.cells import OPEN_COUNT
from devstate.compat.leaves import innermost, struct_of
from devstate.layout.model import ArrayType, BytesType, IntType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.cells import Cell
    from devstate.layout.model import Arm, FieldLayout, Layout, StructLayout, TypeLayout

FIRST_ADDRESS = 0x10000000
"""Where links of a witness lead to; each to a page of its own."""

LAST_TAG = 0x7F
"""Tags are 1..127, so that a value is positive however it is read."""


class Tags:
    """Hands out values, in the order of the fields. ``partner`` leads from the writer's keys to the reader's; with ``plain``
    fields with named values have tags as well."""

    def __init__(
        self,
        writer: Layout,
        reader: Layout,
        partner: dict[str, str],
        *,
        plain: bool = False,
        open_count: int = OPEN_COUNT,
        arm: int = 0,
    ) -> None:
        self.writer, self.reader, self.partner, self.plain = writer, reader, partner, plain
        self.open_count = open_count
        self.tag = 0
        self.links = 0
        self.tags_of_unions = {
            field.type.tag: field.type.arms[arm % len(field.type.arms)].value
            for struct in writer.structs
            for field in struct.fields
            if isinstance(field.type, UnionType) and field.type.tag is not None and field.type.arms
        }
        self.counts = {
            field.type.counted_by
            for struct in writer.structs
            for field in struct.fields
            if isinstance(field.type, ArrayType) and field.type.counted_by is not None
        }

    def put(self, data: bytearray, cell: Cell, struct: StructLayout, other: StructLayout) -> int | bytes:
        """Write a value for ``cell`` of ``struct`` where it belongs; what lies outside ``data`` is left out. Returns the value."""
        value = self.value(cell, struct, other)
        raw = data[cell.at : cell.at + cell.size]
        if len(raw) < cell.size:
            return value
        if isinstance(value, bytes) or cell.order is None:
            data[cell.at : cell.at + cell.size] = value if isinstance(value, bytes) else bytes(cell.size)
            return value
        if cell.width is not None:
            mask = (1 << cell.width) - 1
            number = int.from_bytes(raw, cell.order) & ~(mask << cell.shift) | (value & mask) << cell.shift
        else:
            number = value & ((1 << cell.size * 8) - 1)
        data[cell.at : cell.at + cell.size] = number.to_bytes(cell.size, cell.order)
        return value

    def value(self, cell: Cell, struct: StructLayout, other: StructLayout) -> int | bytes:
        """A value that the field may hold."""
        field = cell.field
        if cell.role != "data":
            return bytes(cell.size) if cell.order is None else 0
        if cell.order is None:
            return self.text(cell)
        known = self.known(field, cell, struct)
        if known is None and field.names and not self.plain:
            known = self.named(field, self.find(other, cell)[0])
        if known is None:
            known = self.number(cell)
        partner, kind = self.find(other, cell)
        return self.fitting(known, cell, None if "enum" in (field.kind, partner.kind if partner is not None else "") else kind)

    def text(self, cell: Cell) -> bytes:
        """Bytes: the version where it is carried, a word in text, tags in the rest."""
        kind = cell.field.type
        if self.writer.carrier == f"field:{cell.path}" and self.writer.compatible is not None:
            return self.writer.compatible.encode()[: cell.size].ljust(cell.size, b"\0")
        if isinstance(kind, BytesType) and kind.text and cell.size > 1:
            self.tag += 1
            return f"{self.tag}{cell.field.name}".encode()[: cell.size - 1].ljust(cell.size, b"\0")
        return self.bytes(cell.size)

    def bytes(self, size: int) -> bytes:
        """Tags for so many bytes."""
        row = bytes(range(1, LAST_TAG + 1))
        made = ((row[self.tag :] + row[: self.tag]) * (size // LAST_TAG + 1))[:size]
        self.tag = (self.tag + size) % LAST_TAG
        return made

    def known(self, field: FieldLayout, cell: Cell, struct: StructLayout) -> int | None:
        """The value that nothing else may stand for."""
        if field.must is not None:
            return field.must
        if self.writer.version is not None and field.name == self.writer.version[0] and struct.name == self.writer.root:
            return self.writer.version[1]
        if field.name in self.tags_of_unions:
            return self.tags_of_unions[field.name]
        if field.name in self.counts:
            return self.open_count
        if field.target is not None and cell.size == 8:
            self.links += 1
            return FIRST_ADDRESS + self.links * self.writer.environment.page_size
        return None

    def named(self, field: FieldLayout, other: FieldLayout | None) -> int:
        """A named value: one that the other side calls otherwise, else two flags, else the first that is not 0."""
        numbers = [(name, 1 << number if field.kind == "flags" else number) for name, number in field.names]
        if other is not None and other.names:
            theirs = {1 << number if other.kind == "flags" else number: name for name, number in other.names}
            for name, number in numbers:
                if theirs.get(number, name) != name or (number not in theirs and name in theirs.values()):
                    return number
        if field.kind == "flags":
            return sum({number for _, number in numbers[:2]})
        return next((number for _, number in numbers if number), numbers[0][1])

    def number(self, cell: Cell) -> int:
        """Tags as a number, within what the field allows."""
        width = cell.size * 8 if cell.width is None else cell.width
        number = int.from_bytes(self.bytes(-(-width // 8)), "little") & ((1 << width) - 1)
        field = cell.field
        if field.maximum is not None and number > field.maximum:
            number = max(field.maximum - self.tag % 3, field.minimum or 0)
        return number or 1

    def fitting(self, number: int, cell: Cell, other: TypeLayout | None) -> int:
        """The number with its highest bit set where the other side has another sign; as a value of its type."""
        width = cell.size * 8 if cell.width is None else cell.width
        signed = other.signed if isinstance(other, IntType) else None
        if signed is not None and signed != cell.signed and cell.field.must is None and (self.plain or not cell.field.names):
            number |= 1 << (width - 1)
        number &= (1 << width) - 1
        return number - (1 << width) if cell.signed and number >> (width - 1) else number

    def find(self, other: StructLayout, cell: Cell) -> tuple[FieldLayout | None, TypeLayout | None]:
        """The field of the reader that is the same thing, and its type there (that of an arm, in a union)."""
        key = self.partner.get(cell.key.removeprefix("[]."))
        struct: StructLayout | None = other
        arms: tuple[Arm, ...] = ()
        found: tuple[FieldLayout | None, TypeLayout | None] = None, None
        for step in [] if key is None else key.replace("[]", "").split("."):
            field = None if struct is None else next((each for each in struct.fields if each.name == step), None)
            arm = next((each for each in arms if each.name == step), None)
            if field is None and arm is None:
                return None, None
            kind = field.type if field is not None else arm.type if arm is not None else None
            found = field if field is not None else found[0], None if kind is None else innermost(kind)
            struct = None if kind is None else struct_of(self.reader, kind)
            arms = found[1].arms if isinstance(found[1], UnionType) else ()
        return found
