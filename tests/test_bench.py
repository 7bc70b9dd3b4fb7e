# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The runner of the benchmarks: what a table says, what a miss does. The figures themselves are not for the test suite."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from bench import run as runner
from bench.row import Row, at_least, at_most
from bench.timing import interleave


@pytest.mark.parametrize(("value", "low_ok", "high_ok"), [(1.0, True, True), (1.01, False, True), (0.99, True, False)])
def test_a_must_is_met_at_its_limit(value: float, low_ok: bool, high_ok: bool) -> None:
    """And missed one step on the wrong side of it; without one nothing is missed."""
    assert (low_ok, high_ok) == (at_most("a", value, "x", must=1)["ok"], at_least("a", value, "x", must=1)["ok"])
    assert at_most("a", value, "x")["ok"] and at_least("a", value, "x")["ok"]


@pytest.mark.parametrize(("value", "status", "word"), [(0.5, 0, "ok"), (2.0, 1, "MISSED")])
def test_rows_are_printed_and_saved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float, status: int, word: str
) -> None:
    """Exit status 1 when a must is missed; the file holds the rows as they are."""
    rows: list[Row] = [at_most("a figure", value, "ns", must=1, aim=0.1)]
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "run", lambda name: rows)
    assert status == runner.main(["radix"])
    assert rows == json.loads((tmp_path / "build" / "bench" / "radix.json").read_text())
    assert word in capsys.readouterr().out


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are."""
    for arguments in (["nonsense"], []):
        with pytest.raises(SystemExit) as caught:
            runner.main(arguments)
        assert 2 == caught.value.code
        assert "radix" in capsys.readouterr().err


@pytest.mark.parametrize("name", runner.available())
def test_every_benchmark_can_be_run(name: str) -> None:
    """It is a module with run(), and says what it measures."""
    module = importlib.import_module(f"bench.{name}")
    assert callable(module.run) and module.__doc__


def test_groups_name_benchmarks() -> None:
    """A group that names nothing is a slip."""
    for members in runner.GROUPS.values():
        assert {*members} <= {*runner.available()}


def test_candidates_take_turns() -> None:
    """Each once to warm up, then in turn."""
    called: list[str] = []
    medians = interleave({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, rounds=2)
    assert ["a", "b", "a", "b", "a", "b"] == called
    assert {"a", "b"} == set(medians) and min(medians.values()) >= 0
