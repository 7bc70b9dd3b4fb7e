# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""validate: records of which every value is one that a reader of the format accepts.

``decode`` keeps whatever stands in the bytes; this judges it, by the constraints that the layout declares, in the order of the bytes. It
gives the same verdict as the C that ``devstate gen c-codec`` writes from the same layout. Arrays are judged as numpy columns, without a
Python object a record.
"""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.codec.plan import format_of, piece_of, plan_of
from devstate.codec.suspects import View, judged, suspects
from devstate.errors import DecodeError, LimitError, TruncatedError, UsageError
from devstate.frozen import frozen
from devstate.layout.constraints import constraints
from devstate.layout.model import ArrayType, BytesType, FieldLayout, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.codec.decode import Data
    from devstate.codec.record import Record
    from devstate.layout.constraints import Constraint
    from devstate.layout.model import Layout, StructLayout, TypeLayout

CHUNK = 8192
"""Records of an array that are judged in one step: the temporary columns stay in the cache."""


@frozen
class Fault:
    """The first thing that is wrong: ``rule`` of devstate.layout.constraints, ``offset`` bytes from the start of the record."""

    rule: str
    offset: int
    path: str
    expected: str
    found: object


def validate(layout: Layout, data: Data, struct: str | None = None, *, source: str | None = None, pa: int | None = None) -> Record:
    """The record at the start of ``data``, when all of it may be used. DecodeError otherwise; UsageError for an unknown struct."""
    record = decode(layout, data, struct, source=source, pa=pa)
    fault = judge(layout, record, struct)
    if fault is not None:
        raise _error(fault, plan_of(layout, struct).struct.name, source, pa)
    return record


def first_fault(layout: Layout, data: Data, struct: str | None = None) -> Fault | None:
    """What :func:`validate` would refuse, as data; None when it would not."""
    try:
        record = decode(layout, data, struct)
    except DecodeError as error:
        rule = "limit" if isinstance(error, LimitError) else "truncated" if isinstance(error, TruncatedError) else "remainder"
        return Fault(rule, error.offset or 0, error.path or "", str(error.expected), error.found)
    return judge(layout, record, struct)


def judge(layout: Layout, record: Record, struct: str | None = None) -> Fault | None:
    """The first value of a record that a reader refuses; None when there is none."""
    return _struct(layout, plan_of(layout, struct).struct, record, 0, "")


def validate_array(layout: Layout, struct: str | None, data: Data, *, source: str | None = None, pa: int | None = None) -> int:
    """Judge the records that fill ``data``; how many there are. DecodeError for the first that is wrong, with its index in the path.

    UsageError for a struct without a fixed size; TruncatedError when the last record is cut.
    """
    shape = _fixed(layout, struct)
    count, rest = divmod(memoryview(data).nbytes, shape.size)
    if rest:
        path = f"{shape.name}[{count}]"
        raise TruncatedError("the last record is cut", source=source, pa=pa, offset=count * shape.size, path=path, found=f"{rest} bytes")
    for row, fault in _faults(layout, shape, data):
        raise _error(fault, f"{shape.name}[{row}]", source, pa, row * shape.size)
    return count


def first_faults(layout: Layout, struct: str | None, data: Data) -> list[Fault | None]:
    """What :func:`first_fault` says of each of the records that fill ``data``, in order; bytes behind the last whole one are left alone.

    UsageError for a struct without a fixed size.
    """
    shape = _fixed(layout, struct)
    found: list[Fault | None] = [None] * (memoryview(data).nbytes // shape.size)
    for row, fault in _faults(layout, shape, data):
        found[row] = fault
    return found


def _fixed(layout: Layout, struct: str | None) -> StructLayout:
    shape = plan_of(layout, struct).struct
    if shape.flexible or not shape.size:
        raise UsageError(f"{shape.name} has no fixed size, so there are no arrays of it")
    return shape


def _faults(layout: Layout, shape: StructLayout, data: Data) -> Iterator[tuple[int, Fault]]:
    """The records that are wrong, by number."""
    import numpy as np

    count = memoryview(data).nbytes // shape.size
    whole = np.frombuffer(data, np.uint8) if count else np.empty(0, np.uint8)
    for start in range(0, count, CHUNK):
        rows = min(count - start, CHUNK)
        part = whole[start * shape.size : (start + rows) * shape.size]
        bad = suspects(layout, shape, View(part, 0, (rows,), (shape.size,)))
        for row in np.flatnonzero(bad) if bad is not None else ():
            at = int(row) * shape.size
            fault = judge(layout, decode(layout, bytes(part[at : at + shape.size]), shape.name), shape.name)
            if fault is not None:
                yield start + int(row), fault


def _error(fault: Fault, name: str, source: str | None, pa: int | None, at: int = 0) -> DecodeError:
    return DecodeError(
        f"the value breaks the rule {fault.rule!r} of its field",
        source=source,
        pa=pa,
        offset=at + fault.offset,
        path=f"{name}.{fault.path}",
        expected=fault.expected,
        found=fault.found,
    )


def _struct(layout: Layout, struct: StructLayout, record: Any, at: int, path: str) -> Fault | None:
    for field, rules, value in zip(struct.fields, judged(layout, struct), record, strict=True):
        if rules is not None:
            spot = _Spot(layout, struct, field, rules, record)
            fault = spot.type(field.type, value, at + field.offset, f"{path}{field.name}")
            if fault is not None:
                return fault
    return None


class _Spot:
    """One field of one record under judgement."""

    __slots__ = ("field", "layout", "record", "rules", "struct")

    def __init__(self, layout: Layout, struct: StructLayout, field: FieldLayout, rules: tuple[Constraint, ...], record: Any) -> None:
        self.layout = layout
        self.struct = struct
        self.field = field
        self.rules = rules
        self.record = record

    def type(self, kind: TypeLayout, value: Any, at: int, path: str) -> Fault | None:
        if isinstance(kind, ArrayType):
            for index, each in enumerate(value):
                fault = self.type(kind.element, each, at + index * kind.stride, f"{path}[{index}]")
                if fault is not None:
                    return fault
            return None
        if isinstance(kind, StructType):
            return _struct(self.layout, self.layout.struct(kind.struct), value, at, f"{path}.")
        if isinstance(kind, UnionType):
            return self.union(kind, value, at, path)
        for rule in self.rules:
            fine = _text_allowed(rule, value) if isinstance(kind, BytesType) else rule.allows(value)
            if not fine:
                return Fault(rule.rule, at, path, _expected(rule), value)
        return None

    def union(self, kind: UnionType, data: bytes, at: int, path: str) -> Fault | None:
        """The live arm, where a tag says which one that is."""
        if kind.tag is None:
            return None
        tag = dict(zip((field.name for field in self.struct.fields), self.record, strict=True))[kind.tag]
        for arm in kind.arms:
            if arm.value is None or arm.value == tag:
                piece = piece_of(self.layout, arm.type)
                value = piece.take(format_of(self.layout, piece).unpack_from(data), 0)
                field = FieldLayout(arm.name, 0, piece.size, arm.type)
                spot = _Spot(self.layout, self.struct, field, constraints(self.layout, self.struct, field), self.record)
                return spot.type(arm.type, value, at, f"{path}.{arm.name}")
        return None


def _text_allowed(rule: Constraint, value: bytes) -> bool:
    return b"\0" in value if rule.rule == "text" else value.startswith(rule.texts)


def _expected(rule: Constraint) -> str:
    if rule.rule == "text":
        return "a text that ends with NUL"
    if rule.rule == "flags":
        return f"no bit outside of {rule.mask:#x}"
    if rule.texts:
        return " or ".join(text.rstrip(b"\0").decode() for text in rule.texts)
    return f"{rule.low}..{rule.high}" if rule.rule == "range" else " or ".join(map(str, rule.values))
