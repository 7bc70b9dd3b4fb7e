# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Plans: a struct of a layout, compiled once to the formats of the ``struct`` module and the shape of its record.

::

    luo_session_ser     name @0 | file_set_ser.files @64 | .count @72 |    "<64sQQ"  (name, files, count) -> (name, (files, count))
    luo_flb_header_ser  pgcnt @0 | count @8 | flbs @16 ...                 "<QQ", then ``count`` times "<48sQQ"
"""

from __future__ import annotations

import struct as _struct

from devstate.codec.piece import Block, Number, Piece, Row, inside, whole
from devstate.codec.record import Record, fields, record_class
from devstate.errors import EncodeError, SchemaError, UsageError
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.codec.piece import Slots
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout


class Plan(Piece):
    """How one struct is read and written.

    ``size``, ``codes`` and ``format`` cover what stands before a flexible last field. That field is ``nested``, an embedded struct that
    is flexible itself, or an array of ``element``s, counted by the field at position ``counter`` (None: by the area).
    ``dtype`` is the numpy type of the struct, once columns were asked for.
    """

    __slots__ = (
        "counter", "dtype", "element", "fields", "flat", "format", "kinds", "layout", "lengths", "names", "nested", "record", "struct",
        "takes",
    )  # fmt: skip

    def __init__(self, layout: Layout, struct: StructLayout) -> None:
        self.layout = layout
        self.struct = struct
        self.record = record_class(struct)
        self.names = {field.name: position for position, field in enumerate(struct.fields)}
        self.nested: Plan | None = None
        self.element: Piece | None = None
        self.counter: int | None = None
        self.dtype: Any = None
        self.size = self.width = 0
        self.codes = ""
        self.fields: list[tuple[FieldLayout, Piece, int]] = []
        for field in struct.fields:
            self.add(field)
        self.format = format_of(layout, self)
        self.takes = [(_bits(field, piece) if field.width is not None else piece.take, at) for field, piece, at in self.fields]
        self.flat = all(take is tuple.__getitem__ for take, _ in self.takes)
        self.take = self.take_record
        # What struct packs without a question: these types, and bytes of these lengths. It judges the ranges of numbers itself.
        self.kinds = tuple([int if isinstance(piece, Number) else bytes for _, piece, _ in self.fields]) if self.flat else ()
        self.lengths = [piece.size for _, piece, _ in self.fields] if self.flat else []
        if not self.flexible and self.size != struct.size:
            raise SchemaError(f"the fields take {self.size} of {struct.size} bytes", path=struct.name)

    @property
    def flexible(self) -> bool:
        """Whether the struct ends in a flexible array, its own or that of its last field."""
        return self.nested is not None or self.element is not None

    def add(self, field: FieldLayout) -> None:
        """Take in the next field; SchemaError where the layout leaves bytes that nobody declares."""
        kind = field.type
        if self.fields and field.width is not None and field.offset == self.fields[-1][0].offset and field.offset < self.size:
            self.fields.append((field, self.fields[-1][1], self.fields[-1][2]))
            return
        if field.offset != self.size or self.flexible:
            raise SchemaError(f"expected at offset {self.size}, found at {field.offset}", path=f"{self.struct.name}.{field.name}")
        if isinstance(kind, ArrayType) and kind.count is None:
            self.element = piece_of(self.layout, kind.element)
            self.counter = self.counting(field, kind)
        elif isinstance(kind, StructType) and self.layout.struct(kind.struct).flexible:
            self.nested = plan_of(self.layout, kind.struct)
        else:
            piece = piece_of(self.layout, kind)
            if field.width is not None and not (isinstance(piece, Number) and piece.order is None):
                raise SchemaError("a bit-field is part of a native integer", path=f"{self.struct.name}.{field.name}")
            self.fields.append((field, piece, self.width))
            self.codes += piece.codes
            self.width += piece.width
            self.size += piece.size

    def counting(self, field: FieldLayout, kind: ArrayType) -> int | None:
        """The position of the field that counts a flexible array."""
        if kind.stride <= 0:
            raise SchemaError("the elements of a flexible array take at least one byte", path=f"{self.struct.name}.{field.name}")
        if kind.counted_by is None:
            return None
        position = self.names.get(kind.counted_by)
        if position is None or not isinstance(self.struct.fields[position].type, IntType):
            raise SchemaError(f"{kind.counted_by} is no integer beside it", path=f"{self.struct.name}.{field.name}")
        return position

    def values(self, slots: Slots, at: int) -> Slots | list[Any]:
        """The values of the fixed fields, whose slots start at ``at``."""
        if self.flat:
            return slots[at : at + self.width]
        return [take(slots, at + position) for take, position in self.takes]

    def take_record(self, slots: Slots, at: int) -> Record:
        return self.record(self.values(slots, at))

    def put(self, value: Any, slots: list[Any]) -> None:
        self.put_values(self.in_order(value), slots)

    def in_order(self, value: Any) -> Slots | list[Any]:
        """The values of ``value``, a record or mapping, in the order of the fields. Absent gaps and reserved bytes are zeros."""
        if isinstance(value, Record):
            if len(value) != len(self.names):
                raise EncodeError("not a record of this struct", expected=self.struct.name, found=f"{len(value)} values")
            if type(value)._names == self.record._names:
                return value
            value = dict(fields(value))
        if not hasattr(value, "keys"):
            raise EncodeError("not a record", expected=f"the fields of {self.struct.name}", found=type(value).__name__)
        for name in value:
            if name not in self.names:
                raise EncodeError("unknown field", expected=f"fields of {self.struct.name}", found=name)
        return [value[field.name] if field.name in value else _absent(field) for field in self.struct.fields]

    def put_values(self, values: Slots | list[Any], slots: list[Any]) -> None:
        """Append the slots of the fixed fields."""
        start = len(slots)
        for (field, piece, at), value in zip(self.fields, values, strict=False):
            try:
                if field.width is None:
                    piece.put(value, slots)
                    continue
                bits = whole(value, 0, (1 << field.width) - 1) << (field.shift or 0)
            except EncodeError as error:
                raise inside(error, field.name) from None
            if len(slots) == start + at:
                slots.append(0)
            slots[start + at] |= bits


def _bits(field: FieldLayout, unit: Piece) -> Any:
    take, shift, mask = unit.take, field.shift or 0, (1 << (field.width or 0)) - 1
    return lambda slots, at: take(slots, at) >> shift & mask


def _absent(field: FieldLayout) -> bytes:
    if isinstance(field.type, BytesType) and (field.gap or field.type.reserved):
        return bytes(field.size)
    raise EncodeError("this field is missing", path=field.name)


def format_of(layout: Layout, piece: Piece) -> _struct.Struct:
    """The compiled format of a piece that stands alone."""
    return _struct.Struct(("<" if layout.environment.byte_order == "little" else ">") + piece.codes)


def piece_of(layout: Layout, kind: TypeLayout) -> Piece:
    """The piece for a type of fixed size."""
    if isinstance(kind, IntType):
        return Number(kind, layout.environment.byte_order)
    if isinstance(kind, StructType):
        plan = plan_of(layout, kind.struct)
        if plan.flexible:
            raise SchemaError("a flexible struct is the last field of a struct or nothing", path=kind.struct)
        return plan
    if isinstance(kind, ArrayType):
        if kind.count is None:
            raise SchemaError("a flexible array is the last field of its struct")
        return Row(piece_of(layout, kind.element), kind.count)
    if isinstance(kind, BytesType | UnionType):
        return Block(kind.size)
    raise SchemaError(f"no plan for {type(kind).__name__}")


_PLANS: dict[tuple[int, str | None], Plan] = {}
_PLANS_MAX = 4096
"""Plans kept, each holding its layout alive: ten times what all shipped formats need."""


def plan_of(layout: Layout, struct: str | None = None) -> Plan:
    """The plan for a struct of ``layout`` (None: its root), made when first asked for. UsageError when the layout has no such struct."""
    plan = _PLANS.get((id(layout), struct))
    if plan is None:
        if len(_PLANS) >= _PLANS_MAX:
            _PLANS.clear()
        if layout.encoding != "packed":
            raise UsageError(f"{layout.name} is a {layout.encoding} map, not bytes at offsets (docs/tagged.md)")
        wanted = layout.root if struct is None else struct
        found = [each for each in layout.structs if each.name == wanted]
        if not found:
            known = ", ".join(each.name for each in layout.structs) or "none"
            what = f"no struct {wanted}" if isinstance(wanted, str) else "a devicetree as its root"
            raise UsageError(f"{layout.name} has {what}; its structs: {known}")
        plan = _PLANS[id(layout), struct] = Plan(layout, found[0])
    return plan
