# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`devstate rehearse`: reports, faults by name, exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner import Runner

from devstate.pagetable import native

TOML = 'name = "mine"\nmemory = "8M"\n[[devices]]\nname = "nic0"\n'

needs_core = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """A small scenario."""
    (tmp_path / "s.toml").write_text(TOML)
    return str(tmp_path / "s.toml")


@needs_core
def test_json_and_html(run: Runner, scenario: str, tmp_path: Path) -> None:
    """The document, and a page with nothing to load."""
    outcome = run("rehearse", scenario, "--format", "json")
    assert (0, "updated", []) == (outcome.status, outcome.json["ended"], outcome.json["wrong"])
    assert 0 == run("rehearse", scenario, "--format", "html", "-o", str(tmp_path / "r.html")).status
    page = (tmp_path / "r.html").read_text()
    assert ("<!doctype html>", True, False) == (page[:15], "serialise" in page, "http" in page)


@needs_core
def test_a_fault(run: Runner, scenario: str) -> None:
    """Refused, as it must be; and said why."""
    outcome = run("rehearse", scenario, "--fault", "fail:iommu.restore")
    assert (0, True) == (outcome.status, "said: iommu was told to fail to restore" in outcome.out)


def test_names(run: Runner) -> None:
    """Without a scenario, those that there are."""
    assert "small-guest" in run("rehearse").lines


@pytest.mark.parametrize("fault", ["explode", "fail:iommu.finish", "missing:nobody", "kill:kernel.nap", "early:x", "fail:"])
def test_no_such_fault(run: Runner, scenario: str, fault: str) -> None:
    """Exit status 2, and all that there are."""
    outcome = run("rehearse", scenario, "--fault", fault)
    assert (2, True) == (outcome.status, "is no fault; expected" in outcome.err)


def test_no_such_scenario(run: Runner) -> None:
    """With the nearest name."""
    outcome = run("rehearse", "smal-guest")
    assert (2, True) == (outcome.status, "small-guest" in outcome.err)


def test_a_sweep_is_no_page(run: Runner, scenario: str) -> None:
    """Usage."""
    assert 2 == run("rehearse", scenario, "--sweep", "--format", "html").status
