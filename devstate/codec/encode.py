# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""encode: records, or mappings of field names to values, to bytes.

``encode(layout, decode(layout, data, exact=True)) == data`` for all data that decode accepts.
"""

from __future__ import annotations

import struct as _struct
from itertools import chain, islice
from operator import itemgetter

from devstate.codec.decode import ELEMENTS_MAX
from devstate.codec.piece import inside, listed, put_each
from devstate.codec.plan import Plan, format_of, plan_of
from devstate.errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from devstate.codec.record import Record
    from devstate.layout.model import Layout


BATCH = 256
"""Records packed in one step: enough to hide what a step costs."""


def encode(layout: Layout, value: Record | Mapping[str, Any], struct: str | None = None) -> bytes:
    """The bytes of ``value`` as the root struct of ``layout``, or the one called ``struct``.

    Gaps and reserved bytes that a mapping leaves out are zeros; everything else must be there. EncodeError, with the field path,
    for what is missing, unknown, out of range, of the wrong type or length, or not as many as its count says. UsageError for a
    struct that the layout does not have.
    """
    plan = plan_of(layout, struct)
    try:
        return _written(plan, value)
    except EncodeError as error:
        raise inside(error, plan.struct.name) from None


def encode_array(layout: Layout, struct: str | None, values: Iterable[Record | Mapping[str, Any]]) -> bytes:
    """The bytes of several records, one behind the other. Errors as in :func:`encode`, with the index in the path."""
    plan = plan_of(layout, struct)
    written = []
    rest = iter(values)
    start = 0
    while batch := list(islice(rest, BATCH)):
        whole = _packed(plan, batch)
        written += [_one(plan, start + index, value) for index, value in enumerate(batch)] if whole is None else [whole]
        start += len(batch)
    return b"".join(written)


def _one(plan: Plan, index: int, value: Any) -> bytes:
    try:
        return _written(plan, value)
    except EncodeError as error:
        raise inside(error, f"{plan.struct.name}[{index}]") from None


def _packed(plan: Plan, values: list[Any]) -> bytes | None:
    """The bytes of records or dicts, all of one kind, whose values ``struct`` takes as they are; None for all others, right or wrong.

    Types and lengths are looked at column by column; struct judges the ranges of numbers itself.
    """
    kinds = {*map(type, values)}
    if not plan.kinds or plan.flexible or len(kinds) != 1:
        return None
    rows = values
    if kinds == {dict}:
        if {*map(len, values)} != {len(plan.names)} or len(plan.names) < 2:
            return None
        try:
            rows = list(map(itemgetter(*plan.names), values))
        except KeyError:
            return None
    elif kinds != {plan.record}:
        return None
    for kind, size, column in zip(plan.kinds, plan.lengths, zip(*rows, strict=True), strict=True):
        if {*map(type, column)} != {kind} or (kind is bytes and {*map(len, column)} != {size}):
            return None
    try:
        order = plan.format.format[:1]
        return _struct.pack(order + plan.codes * len(rows), *chain.from_iterable(rows))
    except _struct.error:
        return None


def _written(plan: Plan, value: Any) -> bytes:
    values = plan.in_order(value)
    slots: list[Any] = []
    plan.put_values(values, slots)
    fixed = plan.format.pack(*slots)
    if not plan.flexible:
        return fixed
    last = plan.struct.fields[-1].name
    try:
        return fixed + (_written(plan.nested, values[-1]) if plan.nested is not None else _elements(plan, values))
    except EncodeError as error:
        raise inside(error, last) from None


def _elements(plan: Plan, values: Any) -> bytes:
    element = plan.element
    assert element is not None  # _written asks only for plans that have one
    entries = listed(values[-1], None if plan.counter is None else int(values[plan.counter]))
    if len(entries) > ELEMENTS_MAX:
        raise EncodeError("too many elements", expected=f"at most {ELEMENTS_MAX}", found=len(entries))
    slots: list[Any] = []
    put_each(element, entries, slots)
    pack, width = format_of(plan.layout, element).pack, element.width
    return b"".join([pack(*slots[at : at + width]) for at in range(0, len(slots), width)])
