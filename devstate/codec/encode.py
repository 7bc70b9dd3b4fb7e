# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""encode: records, or mappings of field names to values, to bytes.

``encode(layout, decode(layout, data, exact=True)) == data`` for all data that decode accepts.
"""

from __future__ import annotations

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
    for index, value in enumerate(values):
        try:
            written.append(_written(plan, value))
        except EncodeError as error:
            raise inside(error, f"{plan.struct.name}[{index}]") from None
    return b"".join(written)


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
