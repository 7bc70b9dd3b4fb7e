# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Upstream's real history: for each step the verdict of the contract, and the kinds of change, from layouts and strings alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstate.compat.compare import compare
from devstate.compat.judge import Verdict, judge
from devstate.layout.model import PAGE_SIZES
from devstate.layout.registry import Registry
from tests.compat.history import pairs

PATH = Path(__file__).resolve().parents[3] / "shared" / "reference" / "abi-history.json"

SHOWN_BY = {
    "property-renamed": {"node", "presence"},
    "fdt-node-added": {"presence"},
    "fdt-removed": {"encoding"},
    "fdt-replaced": {"encoding", "presence"},
    "field-added": {"inserted", "appended", "stride"},
    "field-removed": {"removed"},
    "field-narrowed": {"resized"},
    "field-widened": {"resized"},
    "field-reordered": {"moved"},
    "field-renamed": {"renamed", "reserved-used"},
    "semantic": {"reserved-used"},
    "constant": {"constant"},
    "restructure": {"inserted", "removed"},
}
"""The history's words for kinds of change, and the changes that show them. Not in here: what is no change of a layout (include, move),
and pointees where the history describes no struct that they could be (the two steps whose memory map became another thing)."""


def steps() -> list[Any]:
    """The steps, when the reference is beside the repository."""
    if not PATH.exists():
        return []
    found: list[Any] = json.loads(PATH.read_text())
    return found


def judged(step: Any) -> Iterator[tuple[int, Verdict]]:
    """The verdicts of all formats of a step, on all page sizes."""
    for page_size in PAGE_SIZES:
        for old, new in pairs(step, page_size, Registry.shipped()):
            yield page_size, judge(compare(old, new))


def by_contract(verdicts: list[Verdict]) -> str:
    """The contract's word for what the bump says."""
    if any(each.bump.needed and not each.bump.present for each in verdicts):
        return "break-without-bump"
    if any(each.bump.needed for each in verdicts):
        return "bumped-properly"
    return "bump-without-change" if any(each.bump.present for each in verdicts) else "ok"


@pytest.fixture(params=range(len(steps()) or 1))
def step(request: pytest.FixtureRequest) -> Any:
    """One step of the history."""
    if not PATH.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the reference is not beside the repository")
        pytest.skip("the reference is not beside the repository")
    return steps()[request.param]


def test_verdict_of_the_contract(step: Any) -> None:
    """Proper, break without bump, bump without change, or nothing."""
    assert step["verdict_by_contract"] == by_contract([verdict for _, verdict in judged(step)])


def test_kinds_of_change(step: Any) -> None:
    """Every kind that the history names is shown by a change."""
    kinds = {change.kind for _, verdict in judged(step) for change in verdict.comparison.changes}
    missing = [kind for kind in step["change_kind"] if kind in SHOWN_BY and not SHOWN_BY[kind] & kinds]
    assert [] == missing


def test_page_sizes(step: Any) -> None:
    """What changed on some page sizes only is found on these."""
    expected = step.get("layout_changed_by_page_size")
    if expected is None:
        pytest.skip("the same on all page sizes")
    found = {f"{size // 1024}K": bool(verdict.comparison.changes) for size, verdict in judged(step)}
    assert expected == found
