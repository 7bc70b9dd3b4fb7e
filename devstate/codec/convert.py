# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One record from one published version to another, over as many converters as it takes (``devstate.layout.converting``)."""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.tagged import Tagged, decode_tagged, encode_tagged
from devstate.codec.tagged_values import WIRE, tagged_record, tagged_values
from devstate.errors import UsageError
from devstate.frozen import frozen
from devstate.layout.converter import reached
from devstate.layout.converting import convert
from devstate.layout.model import BytesType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.codec.record import Record
    from devstate.layout.converter import Step
    from devstate.layout.converting import Loss
    from devstate.layout.model import Environment, Layout
    from devstate.layout.registry import Registry


@frozen
class Converted:
    """The record in its new form, the steps that led there, and (step, loss) for all that was lost on the way."""

    layout: Layout
    record: Record | Tagged
    steps: tuple[Step, ...]
    losses: tuple[tuple[Step, Loss], ...]

    @property
    def data(self) -> bytes:
        """The bytes of the record."""
        return encode_tagged(self.layout, self.record) if isinstance(self.record, Tagged) else encode(self.layout, self.record)


def chain_of(registry: Registry, source: str, target: str) -> tuple[Step, ...]:
    """The converters from one schema to another. UsageError, with what can be reached, when there are none."""
    steps = registry.chain(source, target)
    if steps is None:
        there = ", ".join(reached(registry.steps, source)) or "nothing"
        raise UsageError(f"no converter leads from {source} to {target}; from {source} they lead to {there}")
    return steps


def convert_record(registry: Registry, source: str, target: str, record: Record | Tagged, environment: Environment) -> Converted:
    """``record`` of the schema ``source`` as one of ``target``; either may be a tagged map.

    EncodeError, with the field, for what cannot be carried; UsageError when no converters lead there, and for devicetrees.
    """
    steps = chain_of(registry, source, target)
    layout, losses = registry.layout(source, environment), []
    for step in steps:
        following = registry.layout(step.target, environment)
        values, lost = convert(step, layout, following, values_of(record), WIRE)
        losses += [(step, each) for each in lost]
        record, layout = _made(following, values), following
    return Converted(layout, record, steps, tuple(losses))


def _made(layout: Layout, values: dict[str, Any]) -> Record | Tagged:
    """The record of these values, as it is read."""
    if layout.encoding != "tagged":
        return decode(layout, encode(layout, values), exact=True)
    return decode_tagged(layout, encode_tagged(layout, tagged_record(layout, layout.struct(), values)))


def values_of(record: Record | Tagged) -> dict[str, Any]:
    """The record as ``encode`` takes it: dicts and lists, without gaps and reserved bytes."""
    if isinstance(record, Tagged):
        return tagged_values(record)
    made: dict[str, Any] = {}
    for field, value in zip(record._layout.fields, record, strict=True):
        if not (field.gap or (isinstance(field.type, BytesType) and field.type.reserved)):
            made[field.name] = _value_of(value)
    return made


def _value_of(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    if hasattr(type(value), "_layout"):
        return values_of(value)  # type: ignore[arg-type]  # a Record
    return [_value_of(each) for each in value]
