# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The comparison against the oracle: for random structs and how they evolve, both say the same for both directions."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from devstate.compat.compare import compare
from devstate.finding import Outcome
from devstate.layout.model import Environment
from tests.compat.evolution import FIRST_NEW, evolutions
from tests.compat.models import F, Model, layout
from tests.compat.oracle import outcome

EXAMPLES = int(os.environ.get("DEVSTATE_EXAMPLES", "120"))
"""Evolutions of each test; a long run takes thousands."""

ORDERS = st.sampled_from(("little", "big"))


def judged(old: Model, new: Model, order: str) -> tuple[int, int]:
    """What the comparison says."""
    env = Environment(4096, order)  # type: ignore[arg-type]
    changes = compare(layout(old, env), layout(new, env)).changes
    return max((int(each.read_old) for each in changes), default=0), max((int(each.read_new) for each in changes), default=0)


def truth(old: Model, new: Model, order: str) -> tuple[int, int]:
    """What the oracle says."""
    return outcome(old, new, order, newer=True), outcome(new, old, order, newer=False)


def told_apart(old: Model, new: Model, steps: list[str]) -> bool:
    """Whether layouts alone can tell who is who: nothing both lost its name and changed or moved, or came while another lost its name.

    What a value means is judged as if it stood in its place, so that such a step is not mixed with others.
    """
    if {"revalue", "rearm"} & {*steps}:
        return len(set(steps)) == 1
    sides = [everyone(side) for side in (old, new)]
    gone = [field for ident, field in sides[0].items() if ident not in sides[1] or sides[1][ident].name != field.name]
    come = [field for ident, field in sides[1].items() if ident not in sides[0] or sides[0][ident].name != field.name]
    new_come = [field for field in come if field.ident >= FIRST_NEW]
    really_gone = [field for field in gone if field.ident not in sides[1]]
    renamed = [(field, sides[1][field.ident]) for field in gone if field.ident in sides[1]]
    if any(one.but(name="") != other.but(name="") for one, other in renamed) or (renamed and "move" in steps):
        return False
    return not ((new_come and gone) or (really_gone and come))


def everyone(model: Model) -> dict[int, F]:
    """Every field by its identity, also those inside others."""
    found: dict[int, F] = {}
    pending = [*model.fields, *([] if model.flexible is None else [model.flexible])]
    for field in pending:
        found[field.ident] = field
        pending.extend(field.fields)
    return found


def shown(old: Model, new: Model) -> str:
    return f"\nold {_text(old)}\nnew {_text(new)}"


def _text(model: Model) -> str:
    def one(field: F) -> str:
        inner = f"{{{'; '.join(map(one, field.fields))}}}" if field.fields else ""
        kind = f"{'s' if field.signed else ''}{field.order} {field.names}{field.tags}"
        return f"{field.name}:{field.kind} size {field.size} x{field.count} w{field.width} {kind}{inner}"

    return f"{'packed ' if model.packed else ''}{'; '.join(map(one, model.fields))} flex {model.flexible and one(model.flexible)}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(evolutions(), ORDERS)
def test_one_step(evolution: tuple[Model, Model, list[str]], order: str) -> None:
    """Each kind of step by itself."""
    old, new, steps = evolution
    assume(steps)
    names = [str(Outcome(each)) for each in truth(old, new, order)]
    assert names == [str(Outcome(each)) for each in judged(old, new, order)], (steps, order, shown(old, new))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(evolutions(most=3), ORDERS)
def test_several_steps(evolution: tuple[Model, Model, list[str]], order: str) -> None:
    """Steps on top of each other."""
    old, new, steps = evolution
    assume(len(steps) > 1 and told_apart(old, new, steps))
    names = [str(Outcome(each)) for each in truth(old, new, order)]
    assert names == [str(Outcome(each)) for each in judged(old, new, order)], (steps, order, shown(old, new))
