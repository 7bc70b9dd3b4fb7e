# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""diff: exit status, text and document. What counts as a difference is tested with devstate.handover.difference."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import jsonschema
import pytest
from edited import saved
from runner import Runner

from devstate.cli.diff import line
from devstate.handover.difference import Difference
from devstate.handover.open import open_handover
from devstate.memory.open import open_input

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "diff.schema.json").read_text())


def test_the_same(run: Runner, small: Path) -> None:
    """Nothing is printed; 0."""
    assert (0, "", "") == tuple(vars(run("diff", small, small, "--hash")).values())
    assert {"differences": []} == run("diff", small, small, "--json").json


def test_text_and_document(run: Runner, small: Path, tmp_path: Path) -> None:
    """One line a difference; the same rows as JSON, valid by the published schema; 1."""
    handover = open_handover(open_input(str(small)))
    assert handover.luo is not None and handover.metadata is not None
    writes = {
        handover.metadata.pa + 6: b"4 rc\x1b",
        handover.luo.sessions[1].pa: b"vm-gamma",
        handover.files[0].data_pa + 16: b"\x06",
    }
    other = saved(small, writes, tmp_path / "core")
    outcome = run("diff", small, other)
    assert (1, "") == (outcome.status, outcome.err)
    assert [
        r'~ metadata previous_release: 7.3.4 -> "7.4 rc\x1b"',
        "~ luo/session/vm-alpha/1 seals: SEAL -> SHRINK|GROW",
        "- luo/session/vm-beta",
        "+ luo/session/vm-gamma",
    ] == outcome.lines
    found = run("diff", small, other, "--json")
    jsonschema.Draft202012Validator(SCHEMA).validate(found.json)
    assert 1 == found.status
    assert {"path": "luo/session/vm-alpha/1", "field": "seals", "old": "SEAL", "new": "SHRINK|GROW"} == found.json["differences"][1]


def test_every_tampered_capture(run: Runner, shipped: Path) -> None:
    """Against each other: a status of 0 or 1, never a failure."""
    cores = sorted((shipped / "tampered").glob("*.core.zst"))
    for old, new in itertools.pairwise(cores):
        outcome = run("diff", old, new, "--json", "--hash")
        assert outcome.status in (0, 1) and "" == outcome.err
        jsonschema.validate(outcome.json, SCHEMA)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Difference("p", "present", True, False), "- p"),
        (Difference("p", "present", False, True), "+ p"),
        (Difference("p", "f", None, 3), "~ p f: none -> 3"),
        (Difference("p\n", "f", "", "a b"), '~ p\\n f: "" -> "a b"'),
        (Difference("p", "f", True, False), "~ p f: True -> False"),
    ],
)
def test_lines(row: Difference, text: str) -> None:
    """How a row reads."""
    assert text == line(row)


def test_one_input_that_cannot_be_read(run: Runner, small: Path, tmp_path: Path) -> None:
    """2, and which one."""
    for words in ((small, tmp_path / "none"), (tmp_path / "none", small)):
        outcome = run("diff", *words)
        assert (2, "") == (outcome.status, outcome.out) and str(tmp_path / "none") in outcome.err
