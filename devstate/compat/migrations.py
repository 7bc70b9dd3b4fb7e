# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The declared converters between two versions, as the rules see them: what they lose, and what they fail on.

What a converter fails on is tried out, on records made of each field's limits: all at their least, all at their most, and one field at
a time the other way, as far as the old version allows it.
"""

from __future__ import annotations

from devstate.compat.change import Migration
from devstate.errors import DevstateError
from devstate.layout.converter import chain, reached
from devstate.layout.converting import convert
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from devstate.layout.converter import Step
    from devstate.layout.model import FieldLayout, Layout, TypeLayout

    Find = Callable[[str], Layout]

FAILURES_MAX = 3
"""Failures that are told of one converter: more say nothing new."""

PROBES_MAX = 256
"""Records that are tried: a format of a hundred fields has two for each."""


def migrations(steps: Sequence[Step], old: Layout, new: Layout, find: Find) -> tuple[Migration, ...] | None:
    """The steps from ``old`` to ``new`` and back; where none leads there, those that lead up from ``old``. None when there are none.

    ``find`` gives the layout of a schema by name.
    """
    ways = [chain(steps, old.name, new.name), chain(steps, new.name, old.name)]
    taken = [step for way in ways for step in way or ()]
    if ways[0] is None:
        up = [step for step in steps if not step.down]
        names = {old.name, *reached(up, old.name)}
        taken += [step for step in up if step.source in names]
    if not taken:
        return None
    layouts = {old.name: old, new.name: new}
    return tuple([migration(step, *(layouts.get(name) or find(name) for name in (step.source, step.target))) for step in taken])


def migration(step: Step, source: Layout, target: Layout) -> Migration:
    """One step, tried out. Devicetrees have no records of their own to try."""
    if step.down or not isinstance(source.root, str) or not isinstance(target.root, str):
        return Migration(step.source, step.target, step.loses)
    failures = []
    for what, values in probes(source):
        try:
            convert(step, source, target, values)
        except DevstateError as error:
            failures.append(f"{what}: {error}")
        if len(failures) == FAILURES_MAX:
            break
    return Migration(step.source, step.target, step.loses, tuple(failures))


def probes(layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of the root struct, with what is tried in words: flexible arrays have no entry at least, and one at most. Links are 0: what
    they lead to is not part of a record.
    """
    least, most = (_record(layout, str(layout.root), high=high) for high in (False, True))
    yield "all at their least", least
    yield "all at their most", most
    needed = {each.name: least[each.name] for each in layout.struct().fields if each.name in least and not each.optional}
    if len(needed) < len(least):
        yield "without what may be absent", needed
    for name in list(least)[: PROBES_MAX // 2]:
        yield f"{name} at its most", least | {name: most[name]}
        yield f"{name} at its least", most | {name: least[name]}


def _record(layout: Layout, struct: str, *, high: bool) -> dict[str, Any]:
    shape = layout.struct(struct)
    fields = [each for each in shape.fields if not each.gap and not (isinstance(each.type, BytesType) and each.type.reserved)]
    made = {each.name: _value(layout, each, each.type, high=high) for each in fields}
    for each in fields:
        if isinstance(each.type, ArrayType) and each.type.counted_by is not None:
            counter = shape.field(each.type.counted_by)
            made[counter.name] = max(counter.minimum or 0, int(high and counter.maximum != 0))
            made[each.name] = [_value(layout, each, each.type.element, high=high)] * made[counter.name]
    return made


def _value(layout: Layout, field: FieldLayout, kind: TypeLayout, *, high: bool) -> Any:
    if isinstance(kind, StructType):
        return _record(layout, kind.struct, high=high and field.target is None)
    if isinstance(kind, ArrayType):
        count = int(high) if kind.count is None else kind.count
        return [_value(layout, field, kind.element, high=high) for _ in range(count)]
    if not isinstance(kind, IntType):
        return bytes(kind.size)
    if field.must is not None or (field.target is not None and field.target.kind != "opaque"):
        return field.must or 0
    bits = field.width or kind.size * 8
    low = -(1 << bits - 1) if kind.signed else 0
    if field.kind == "flags":
        return field.known_bits if high else 0
    if field.kind == "enum":
        return (max if high else min)(number for _, number in field.names)
    if not high:
        return max(low, field.minimum if field.minimum is not None else low)
    return min(low + (1 << bits) - 1, field.maximum if field.maximum is not None else low + (1 << bits) - 1)
