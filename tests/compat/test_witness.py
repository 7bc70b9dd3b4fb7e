# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Witnesses against the oracle: what one layout writes and the other reads is what really happens, and every finding shows harm."""

from __future__ import annotations

import os

from hypothesis import assume, given, settings

from devstate.compat.compare import compare
from devstate.compat.judge import judge
from devstate.compat.witness import Side, parse
from devstate.finding import Outcome
from devstate.layout.model import Environment
from tests.compat.evolution import evolutions
from tests.compat.models import Model, layout
from tests.compat.oracle import outcome
from tests.compat.test_oracle import ORDERS, shown, told_apart

EXAMPLES = int(os.environ.get("DEVSTATE_EXAMPLES", "80"))


def seen(writer: Model, reader: Model, order: str, *, newer: bool) -> Outcome:
    """The worst that a witness of the whole struct shows, whichever arm of a union is written."""
    env = Environment(4096, order)  # type: ignore[arg-type]
    sides = [layout(model, env) for model in (writer, reader)]
    pair = [Side(side, side.struct()) for side in sides]
    return max(parse(*pair, newer=newer, arm=arm, plain=plain).worst for arm in range(3) for plain in (False, True))


@settings(max_examples=EXAMPLES, deadline=None)
@given(evolutions(), ORDERS)
def test_a_witness_shows_what_the_oracle_sees(evolution: tuple[Model, Model, list[str]], order: str) -> None:
    """A misread or short read is in the bytes, and nothing is in them that does not happen."""
    old, new, steps = evolution
    assume(steps and not {"revalue", "rearm"} & {*steps})
    for writer, reader, newer in ((old, new, True), (new, old, False)):
        expected = Outcome(outcome(writer, reader, order, newer=newer))
        expected = Outcome.OK if expected is Outcome.REFUSED else expected
        assert str(expected) == str(seen(writer, reader, order, newer=newer)), (steps, newer, order, shown(old, new))


@settings(max_examples=EXAMPLES, deadline=None)
@given(evolutions(most=3), ORDERS)
def test_findings_are_proven(evolution: tuple[Model, Model, list[str]], order: str) -> None:
    """Every finding of a misread or a short read has bytes and a field that is read wrong; none is taken down."""
    old, new, steps = evolution
    assume(steps and told_apart(old, new, steps))
    env = Environment(4096, order)  # type: ignore[arg-type]
    verdict = judge(compare(layout(old, env), layout(new, env)))
    for finding in verdict.findings:
        told = f"{finding.rule} {finding.message} {steps} {order}{shown(old, new)}"
        if max(finding.read_old or 0, finding.read_new or 0) >= Outcome.SHORT:
            assert finding.witness is not None and finding.witness.reads, told
            assert "no harm" not in finding.message, told
