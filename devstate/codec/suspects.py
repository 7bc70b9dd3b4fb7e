# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Suspects: which of many records may break a constraint, by numpy columns, without a Python object a record.

A record that is no suspect is fine; a suspect is decoded and judged by ``validate``, which also says what is wrong. ::

    records   0 | 1 | 2 | 3 ...           order (u32 at 8, at most 63)    [False, True, False, False, ...]
"""

from __future__ import annotations

from devstate.layout.constraints import constraints
from devstate.layout.model import ArrayType, BytesType, FieldLayout, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.constraints import Constraint
    from devstate.layout.model import Layout, StructLayout, TypeLayout


_JUDGED: dict[tuple[int, str], tuple[Layout, list[tuple[Constraint, ...] | None]]] = {}
_JUDGED_MAX = 4096
"""Structs kept, as many as plans are."""


def judged(layout: Layout, struct: StructLayout) -> list[tuple[Constraint, ...] | None]:
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
        return any(rules is not None for rules in judged(layout, layout.struct(kind.struct)))
    return (isinstance(kind, UnionType) and kind.tag is not None) or bool(constraints(layout, struct, field))


class View:
    """The same place in each of many records: ``shape`` of them, ``strides`` bytes apart, with an axis more for each array around it."""

    __slots__ = ("data", "offset", "shape", "strides")

    def __init__(self, data: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.data = data
        self.offset = offset
        self.shape = shape
        self.strides = strides

    def at(self, offset: int) -> View:
        return View(self.data, self.offset + offset, self.shape, self.strides)

    def each(self, kind: ArrayType) -> View:
        return View(self.data, self.offset, (*self.shape, kind.count or 0), (*self.strides, kind.stride))

    def array(self, dtype: str) -> Any:
        import numpy as np

        return np.ndarray(self.shape, dtype, self.data, self.offset, self.strides)


def suspects(layout: Layout, struct: StructLayout, view: View) -> Any:
    """A boolean for each record: whether it may be wrong. None when none can be."""
    bad = None
    for field, rules in zip(struct.fields, judged(layout, struct), strict=True):
        if rules is not None:
            kind, spot = field.type, view.at(field.offset)
            live = isinstance(kind, UnionType) and kind.tag is not None
            found = _suspect_arms(layout, struct, field, view) if live else _suspect_type(layout, struct, field, kind, spot)
            bad = found if bad is None else bad if found is None else bad | found
    return bad


def _suspect_arms(layout: Layout, struct: StructLayout, field: FieldLayout, view: View) -> Any:
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


def _suspect_type(layout: Layout, struct: StructLayout, field: FieldLayout, kind: TypeLayout, view: View) -> Any:
    import numpy as np

    if isinstance(kind, ArrayType):
        inner = _suspect_type(layout, struct, field, kind.element, view.each(kind)) if kind.count else None
        return None if inner is None else inner.any(axis=-1)
    if isinstance(kind, StructType):
        return suspects(layout, layout.struct(kind.struct), view)
    if isinstance(kind, UnionType):
        return np.ones(view.shape, bool)  # the exact look decides
    bad = None
    for rule in constraints(layout, struct, field):
        found = _suspect_text(rule, kind, view) if isinstance(kind, BytesType) else _suspect_number(layout, field, rule, kind, view)
        bad = found if bad is None else bad | found
    return bad


def _suspect_text(rule: Constraint, kind: BytesType, view: View) -> Any:
    if rule.rule == "text":  # padded with NULs, so the last byte tells of nearly all
        return view.at(kind.size - 1).array("u1") != 0
    import numpy as np

    bad = None
    for text in rule.texts:
        letters = View(view.data, view.offset, (*view.shape, len(text)), (*view.strides, 1)).array("u1")
        other = (letters != np.frombuffer(text, np.uint8)).any(axis=-1)
        bad = other if bad is None else bad & other
    return bad


def _numbers(layout: Layout, field: FieldLayout, kind: TypeLayout, view: View) -> Any:
    """The numbers of a field in all records."""
    assert isinstance(kind, IntType)  # constraints of numbers and tags are of integers
    order = layout.environment.byte_order if kind.order == "native" else kind.order
    numbers = view.array(f"{'<' if order == 'little' else '>'}{'i' if kind.signed else 'u'}{kind.size}")
    if field.width is None:
        return numbers
    number_type = numbers.dtype.newbyteorder("=").type
    return numbers >> number_type(field.shift or 0) & number_type((1 << field.width) - 1)


def _suspect_number(layout: Layout, field: FieldLayout, rule: Constraint, kind: TypeLayout, view: View) -> Any:
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
