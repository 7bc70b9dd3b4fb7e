# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a real kernel did with handovers that were changed in one place, against what check says before the jump."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devstate.check.run import check
from devstate.finding import Reaction, Severity
from devstate.handover.open import open_handover
from devstate.memory.open import open_input

FOLDER = Path(__file__).resolve().parent.parent / "captures" / "tampered"
CASES: dict[str, dict[str, Any]] = json.loads((FOLDER / "cases.json").read_text())
NEAR = 64
"""Bytes between an edit and the place that is named: the size of the smallest record."""


@pytest.mark.parametrize("name", CASES)
def test_reaction_and_place(name: str) -> None:
    """The prediction is what the kernel did, and some finding names the place of the edit."""
    case = CASES[name]
    report = check(open_handover(open_input(str(FOLDER / f"{name}.core.zst"))))
    assert case["reaction"] == str(report.predicted), report.findings
    places = [finding.location.pa for finding in report.findings if finding.location.pa is not None]
    places += [pa for finding in report.findings for pa, _ in finding.related]
    edits = [int(write["pa"], 16) for write in case["writes"] if "pa" in write]
    assert [] == [hex(pa) for pa in edits if not any(abs(pa - place) < NEAR for place in places)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["reaction"] not in ("accepted",)])
def test_harm_is_an_error(name: str) -> None:
    """What a kernel does not accept is never less than an error: it fails `devstate check` as it is run by default."""
    report = check(open_handover(open_input(str(FOLDER / f"{name}.core.zst"))))
    assert report.worst() is Severity.ERROR


def test_no_false_alarm(any_captures: Path) -> None:
    """Handovers that real kernels accepted have no error and no warning, and are predicted to be accepted."""
    cores = sorted(any_captures.glob("*.core.zst"))
    assert len(cores) >= 2
    for core in cores:
        report = check(open_handover(open_input(str(core))))
        loud = [finding for finding in report.findings if finding.severity > Severity.INFO]
        assert ([], Reaction.ACCEPTED) == (loud, report.predicted), core.name


def test_clean_by_name(any_captures: Path) -> None:
    """Without a posted or test format inside, nothing at all is found: no page without an owner, no note."""
    for name in ("small-7.3", "empty-7.3"):
        assert () == check(open_handover(open_input(str(any_captures / f"{name}.core.zst")))).findings


def test_another_reader_is_asked_for(shipped: Path) -> None:
    """A 7.1 kernel refuses a root of 7.3, and then nothing else matters."""
    report = check(open_handover(open_input(str(shipped / "small-7.3.core.zst"))), kernel="7.1.4")
    assert Reaction.IGNORED == report.predicted
    assert {"kho-compatible", "luo-compatible"} <= {finding.rule for finding in report.findings}
