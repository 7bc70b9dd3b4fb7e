# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Structs, arrays, flexible arrays and unions: how fields stand together in memory.

A struct lays its fields out as gcc does for LP64: naturally aligned, or with no gaps when ``packed=True`` (the kernel's
``__packed``). Gaps are real bytes: they decode as ``_pad<offset>`` and encode to what they were.
"""

from __future__ import annotations

import io
from typing import Any

import construct
from construct.core import stream_read

from devstate.errors import SchemaError
from devstate.schema.base import Field, Type, checked_fields, checked_type
from devstate.schema.expression import Size, checked_size, evaluate_size, sibling
from devstate.schema.scalars import Bits, Raw

ELEMENTS_MAX = 1 << 24
"""Most elements that one inline array may have: 16 Mi entries of 8 bytes are 128 MiB, beyond any inline array published."""


class Array(Type):
    """``count`` elements of one type, inline. ``count`` is an int or PAGE_SIZE arithmetic."""

    def __init__(self, count: Size, element: Type) -> None:
        super().__init__()
        self.count = count
        self.element = element

    def check(self, path: str) -> None:
        checked_size(self.count, path)
        checked_type(f"{path}[]", self.element).check(f"{path}[]")

    def align(self) -> int:
        return self.element.align()

    def size_in(self, page_size: int) -> int:
        return evaluate_size(self.count, page_size) * self.element.element_size(page_size)

    def _parse(self, stream: Any, context: Any, path: str) -> list[Any]:
        count = evaluate_size(self.count, context._params.page_size)
        return [self.element._parsereport(stream, context, f"{path}[{i}]") for i in range(count)]

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if len(obj) != evaluate_size(self.count, context._params.page_size):
            raise construct.RangeError(f"expected {self.count!r} elements, found {len(obj)}", path=path)
        for i, value in enumerate(obj):
            self.element._build(value, stream, context, f"{path}[{i}]")
        return obj


class FlexArray(Type):
    """The flexible array at the end of a struct: ``count=this.nr`` entries, or as many as the area holds when no count is given."""

    def __init__(self, element: Type, count: Any = None) -> None:
        super().__init__()
        self.element = element
        self.counted_by = count

    def check(self, path: str) -> None:
        if self.counted_by is not None:
            sibling(self.counted_by, path)
        checked_type(f"{path}[]", self.element).check(f"{path}[]")

    @property
    def count(self) -> str | None:
        """The name of the sibling that counts the entries; None when the area does."""
        return None if self.counted_by is None else sibling(self.counted_by, "FlexArray")

    def align(self) -> int:
        return self.element.align()

    def size_in(self, page_size: int) -> None:
        self.element.element_size(page_size)

    def _parse(self, stream: Any, context: Any, path: str) -> list[Any]:
        each = self.element.element_size(context._params.page_size)
        here = stream.tell()
        room = stream.seek(0, io.SEEK_END) - here
        stream.seek(here)
        count = room // each if self.count is None else context[self.count]
        if not 0 <= count * each <= room or (self.count is None and room % each) or count > ELEMENTS_MAX:
            raise construct.StreamError(f"{count} elements of {each} bytes do not fit {room} bytes", path=path)
        return [self.element._parsereport(stream, context, f"{path}[{i}]") for i in range(count)]

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if self.count is not None and context[self.count] != len(obj):
            raise construct.RangeError(f"{self.count} says {context[self.count]}, found {len(obj)} elements", path=path)
        for i, value in enumerate(obj):
            self.element._build(value, stream, context, f"{path}[{i}]")
        return obj


class Union(Type):
    """A C union chosen by a sibling: ``Union(tag=this.type, intel=(1, STRUCT), smmuv3=(2, STRUCT))``. Decodes to its raw bytes.

    Only the tag says which arm is alive, and an unknown tag must not lose bytes; arms are views (see ``codec.arm``).
    """

    def __init__(self, tag: Any = None, **arms: tuple[int | None, Type]) -> None:
        super().__init__()
        self.tagged_by = tag
        self.arms = arms

    def check(self, path: str) -> None:
        if not self.arms:
            raise SchemaError("a union has at least one arm", path=path)
        if self.tagged_by is not None:
            sibling(self.tagged_by, path)
        for name, (_, kind) in self.arms.items():
            checked_type(f"{path}.{name}", kind).check(f"{path}.{name}")

    @property
    def tag(self) -> str | None:
        """The name of the sibling that says which arm is alive."""
        return None if self.tagged_by is None else sibling(self.tagged_by, "Union")

    def align(self) -> int:
        return max(kind.align() for _, kind in self.arms.values())

    def size_in(self, page_size: int) -> int:
        sizes = [kind.fixed_in(page_size, f".{name}") for name, (_, kind) in self.arms.items()]
        return -(-max(sizes) // self.align()) * self.align()

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        return bytes(stream_read(stream, self._sizeof(context, path), path))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return Raw(self._sizeof(context, path))._build(obj, stream, context, path)


class Struct(Type):
    """A C struct: ``Struct("luo_file_set_ser", "files" / Phys(...), "count" / U64, packed=True)``.

    The first argument is the kernel's name of the struct. ``doc`` says what one of them stands for.
    """

    def __init__(self, name: str, *fields: Field, packed: bool = False, doc: str = "") -> None:
        super().__init__()
        if not isinstance(name, str):
            raise SchemaError("the first argument of Struct is the name of the C struct")
        if not fields:
            raise SchemaError("a struct has at least one field", path=name)
        self.name = name
        self.fields = checked_fields(name, fields)
        self.packed = packed
        self.doc = doc
        for field in self.fields[:-1]:
            if isinstance(field.type, FlexArray) or (isinstance(field.type, Struct) and field.type.flexible):
                message = "a flexible array is the last field of its struct; in a tagged map the order means nothing"
                raise SchemaError(message, path=f"{name}.{field.name}")
        self.check_bit_runs()

    @property
    def flexible(self) -> bool:
        """Whether the struct ends in a flexible array."""
        last = self.fields[-1].type if self.fields else None
        return isinstance(last, FlexArray) or (isinstance(last, Struct) and last.flexible)

    def check_bit_runs(self) -> None:
        """Hold the rule that neighbouring bit-fields of one base type fill whole storage units."""
        used = 0
        base: object = None
        for field in (*self.fields, None):
            kind = field.type if field is not None else None
            if used and not (isinstance(kind, Bits) and kind.base is base and used + kind.width <= kind.base.size * 8):
                where = f"{self.name}.{field.name}" if field is not None else self.name
                raise SchemaError(f"bit-fields leave a storage unit unfilled: {used} bits of it are used", path=where)
            if isinstance(kind, Bits):
                base, used = kind.base, (used + kind.width) % (kind.base.size * 8)

    def align(self) -> int:
        return 1 if self.packed or not self.fields else max(field.type.align() for field in self.fields)

    def spans(self, page_size: int) -> list[tuple[int, int | None, list[Field]]]:
        """Where things are: (offset, size, fields) in order. One field, several for a unit of bit-fields, none for a gap.

        The size is None for a trailing flexible array. Offsets and sizes are bytes.
        """
        spans: list[tuple[int, int | None, list[Field]]] = []
        offset = used = 0
        for field in self.fields:
            kind = field.type
            if isinstance(kind, Bits) and used:
                spans[-1][2].append(field)
                used = (used + kind.width) % (kind.base.size * 8)
                continue
            start = offset if self.packed else -(-offset // kind.align()) * kind.align()
            if start > offset:
                spans.append((offset, start - offset, []))
            if isinstance(kind, Bits):
                if not self.packed and offset % kind.base.size:
                    # A compiler puts the first bits of the run into what is left of the unit that ends here.
                    raise SchemaError("a run of bit-fields starts where its base type is aligned", path=f"{self.name}.{field.name}")
                used = kind.width % (kind.base.size * 8)
                size: int | None = kind.base.size
            else:
                size = self.size_of(field, page_size)
            spans.append((start, size, [field]))
            offset = start + (self.flexible_offset(kind, page_size) if size is None else size)
        end = -(-offset // self.align()) * self.align()
        if end > offset and not self.flexible:
            spans.append((offset, end - offset, []))
        return spans

    def size_of(self, field: Field, page_size: int) -> int | None:
        """Bytes of a field; a SchemaError says which one has none."""
        try:
            return field.type.size_in(page_size)
        except SchemaError as error:
            # An element or arm says where it stands in its field; a struct inside says its own name.
            inside = not error.path or error.path.startswith((".", "["))
            raise SchemaError(error.message, path=f"{self.name}.{field.name}{error.path}" if inside else error.path) from error

    @staticmethod
    def flexible_offset(kind: Type, page_size: int) -> int:
        """Bytes of ``kind`` that stand before its flexible array."""
        return kind.fixed_size(page_size) if isinstance(kind, Struct) else 0

    def fixed_size(self, page_size: int) -> int:
        """What C's sizeof says: a flexible array counts as nothing, tail padding counts."""
        spans = self.spans(page_size)
        if not spans:
            return 0
        offset, size, fields = spans[-1]
        end = offset + (self.flexible_offset(fields[-1].type, page_size) if size is None else size)
        return -(-end // self.align()) * self.align()

    def size_in(self, page_size: int) -> int | None:
        return None if self.flexible else self.fixed_size(page_size)

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        record = construct.Container()
        inner = construct.Container(_=context, _params=context._params)
        for offset, size, fields in self.spans(context._params.page_size):
            if not fields:
                record[f"_pad{offset}"] = bytes(stream_read(stream, size, path))
            elif isinstance(fields[0].type, Bits):
                unit = fields[0].type.base._parse(stream, inner, f"{path} -> {fields[0].name}")
                for field, shift in bit_shifts(fields, context._params.byte_order):
                    record[field.name] = unit >> shift & ((1 << field.type.width) - 1)
            else:
                record[fields[0].name] = fields[0]._parsereport(stream, inner, path)
            inner.update(record)
        return record

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        inner = construct.Container(obj, _=context, _params=context._params)
        for offset, size, fields in self.spans(context._params.page_size):
            if not fields:
                Raw(size)._build(obj.get(f"_pad{offset}", bytes(size or 0)), stream, inner, path)
            elif isinstance(fields[0].type, Bits):
                unit = 0
                for field, shift in bit_shifts(fields, context._params.byte_order):
                    if not 0 <= obj[field.name] < 1 << field.type.width:
                        raise construct.IntegerError(f"{obj[field.name]!r} does not fit {field.type.width} bits", path=path)
                    unit |= obj[field.name] << shift
                fields[0].type.base._build(unit, stream, inner, path)
            else:
                fields[0]._build(obj[fields[0].name], stream, inner, path)
        return obj


def bit_shifts(fields: list[Field], byte_order: str) -> list[tuple[Any, int]]:
    """Each bit-field of one storage unit with the number of its lowest bit in that unit, as C allocates it for this byte order."""
    shifts = []
    low, unit = 0, fields[0].type.base.size * 8
    for field in fields:
        width = field.type.width
        shifts.append((field, low if byte_order == "little" else unit - low - width))
        low += width
    return shifts
