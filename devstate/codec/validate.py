# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""validate: records of which every value is one that a reader of the format accepts.

``decode`` keeps whatever stands in the bytes; this judges it, by the constraints that the layout declares, in the order of the bytes. It
gives the same verdict as the C that ``devstate gen c-codec`` writes from the same layout. Arrays are judged as numpy columns, without a
Python object a record.
"""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.codec.plan import format_of, piece_of, plan_of
from devstate.errors import DecodeError, LimitError, TruncatedError, UsageError
from devstate.frozen import frozen
from devstate.layout.constraints import constraints
from devstate.layout.model import ArrayType, BytesType, FieldLayout, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    import numpy as np

    shape = plan_of(layout, struct).struct
    if shape.flexible or not shape.size:
        raise UsageError(f"{shape.name} has no fixed size, so there are no arrays of it")
    count, rest = divmod(memoryview(data).nbytes, shape.size)
    if rest:
        path = f"{shape.name}[{count}]"
        raise TruncatedError("the last record is cut", source=source, pa=pa, offset=count * shape.size, path=path, found=f"{rest} bytes")
    whole = np.frombuffer(data, np.uint8) if count else np.empty(0, np.uint8)
    for start in range(0, count, CHUNK):
        part = whole[start * shape.size : min(count, start + CHUNK) * shape.size]
        bad = _suspects(layout, shape, _View(part, 0, (len(part) // shape.size,), (shape.size,)))
        for row in np.flatnonzero(bad) if bad is not None else ():
            at = (start + int(row)) * shape.size
            fault = judge(layout, decode(layout, bytes(whole[at : at + shape.size]), shape.name), shape.name)
            if fault is not None:
                raise _error(fault, f"{shape.name}[{start + int(row)}]", source, pa, at)
    return count


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
    for field, rules, value in zip(struct.fields, _judged(layout, struct), record, strict=True):
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


_JUDGED: dict[tuple[int, str], tuple[Layout, list[tuple[Constraint, ...] | None]]] = {}
_JUDGED_MAX = 4096
"""Structs kept, as many as plans are."""


def _judged(layout: Layout, struct: StructLayout) -> list[tuple[Constraint, ...] | None]:
    """For each field its constraints, or None where nothing in it can be wrong."""
    kept = _JUDGED.get((id(layout), struct.name))
    if kept is None:
        if len(_JUDGED) >= _JUDGED_MAX:
            _JUDGED.clear()
        rules = [constraints(layout, struct, field) if _matters(layout, struct, field, field.type) else None for field in struct.fields]
        kept = _JUDGED[id(layout), struct.name] = layout, rules
    return kept[1]


def _matters(layout: Layout, struct: StructLayout, field: FieldLayout, kind: TypeLayout) -> bool:
    if isinstance(kind, ArrayType):
        return _matters(layout, struct, field, kind.element)
    if isinstance(kind, StructType):
        return any(rules is not None for rules in _judged(layout, layout.struct(kind.struct)))
    return (isinstance(kind, UnionType) and kind.tag is not None) or bool(constraints(layout, struct, field))


class _View:
    """The same place in each of many records: ``shape`` of them, ``strides`` bytes apart, with an axis more for each array around it."""

    __slots__ = ("data", "offset", "shape", "strides")

    def __init__(self, data: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.data = data
        self.offset = offset
        self.shape = shape
        self.strides = strides

    def at(self, offset: int) -> _View:
        return _View(self.data, self.offset + offset, self.shape, self.strides)

    def each(self, kind: ArrayType) -> _View:
        return _View(self.data, self.offset, (*self.shape, kind.count or 0), (*self.strides, kind.stride))

    def array(self, dtype: str) -> Any:
        import numpy as np

        return np.ndarray(self.shape, dtype, self.data, self.offset, self.strides)


def _suspects(layout: Layout, struct: StructLayout, view: _View) -> Any:
    """A boolean for each record: whether it may be wrong. None when none can be."""
    bad = None
    for field, rules in zip(struct.fields, _judged(layout, struct), strict=True):
        if rules is not None:
            kind, spot = field.type, view.at(field.offset)
            live = isinstance(kind, UnionType) and kind.tag is not None
            found = _suspect_arms(layout, struct, field, view) if live else _suspect_type(layout, struct, field, kind, spot)
            bad = found if bad is None else bad if found is None else bad | found
    return bad


def _suspect_arms(layout: Layout, struct: StructLayout, field: FieldLayout, view: _View) -> Any:
    """Where the tag says that an arm is live and that arm may be wrong."""
    kind = field.type
    if not isinstance(kind, UnionType):
        return None
    tag = struct.field(kind.tag or "")
    tags = _numbers(layout, tag, tag.type, view.at(tag.offset))
    bad = None
    for arm in kind.arms:
        inside = FieldLayout(arm.name, 0, layout.size_of(arm.type), arm.type)
        found = _suspect_type(layout, struct, inside, arm.type, view.at(field.offset))
        if found is not None:
            live = found if arm.value is None else found & (tags == arm.value)
            bad = live if bad is None else bad | live
    return bad


def _suspect_type(layout: Layout, struct: StructLayout, field: FieldLayout, kind: TypeLayout, view: _View) -> Any:
    import numpy as np

    if isinstance(kind, ArrayType):
        inner = _suspect_type(layout, struct, field, kind.element, view.each(kind)) if kind.count else None
        return None if inner is None else inner.any(axis=-1)
    if isinstance(kind, StructType):
        return _suspects(layout, layout.struct(kind.struct), view)
    if isinstance(kind, UnionType):
        return np.ones(view.shape, bool)  # the exact look decides
    bad = None
    for rule in constraints(layout, struct, field):
        found = _suspect_text(rule, kind, view) if isinstance(kind, BytesType) else _suspect_number(layout, field, rule, kind, view)
        bad = found if bad is None else bad | found
    return bad


def _suspect_text(rule: Constraint, kind: BytesType, view: _View) -> Any:
    if rule.rule == "text":  # padded with NULs, so the last byte tells of nearly all
        return view.at(kind.size - 1).array("u1") != 0
    import numpy as np

    bad = None
    for text in rule.texts:
        letters = _View(view.data, view.offset, (*view.shape, len(text)), (*view.strides, 1)).array("u1")
        other = (letters != np.frombuffer(text, np.uint8)).any(axis=-1)
        bad = other if bad is None else bad & other
    return bad


def _numbers(layout: Layout, field: FieldLayout, kind: TypeLayout, view: _View) -> Any:
    """The numbers of a field in all records."""
    assert isinstance(kind, IntType)  # constraints of numbers and tags are of integers
    order = layout.environment.byte_order if kind.order == "native" else kind.order
    numbers = view.array(f"{'<' if order == 'little' else '>'}{'i' if kind.signed else 'u'}{kind.size}")
    if field.width is None:
        return numbers
    number_type = numbers.dtype.newbyteorder("=").type
    return numbers >> number_type(field.shift or 0) & number_type((1 << field.width) - 1)


def _suspect_number(layout: Layout, field: FieldLayout, rule: Constraint, kind: TypeLayout, view: _View) -> Any:
    numbers = _numbers(layout, field, kind, view)
    number_type = numbers.dtype.newbyteorder("=").type
    if rule.rule == "flags":
        bits = (1 << (field.width or numbers.dtype.itemsize * 8)) - 1
        return numbers & number_type(rule.mask ^ bits if numbers.dtype.kind == "u" else ~rule.mask) != 0
    if rule.rule == "range":
        return (numbers < number_type(rule.low)) | (numbers > number_type(rule.high))
    bad = numbers != number_type(rule.values[0])
    for value in rule.values[1:]:
        bad = bad & (numbers != number_type(value))
    return bad
