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
    assert (0, "updated", "rfc", []) == (outcome.status, *[outcome.json[key] for key in ("ended", "policy", "wrong")])
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
    assert (2, True) == (outcome.status, "is no fault of policy rfc; expected" in outcome.err)


def test_faults_are_those_of_the_policy(run: Runner, scenario: str) -> None:
    """Handlers have other callbacks than participants; and what has no budget cannot exceed it."""
    outcome = run("rehearse", scenario, "--policy", "merged", "--fault", "fail:iommu.restore")
    assert (2, True) == (outcome.status, "is no fault of policy merged; expected" in outcome.err)
    outcome = run("rehearse", scenario, "--policy", "merged", "--fault", "slow:vfio.freeze")
    assert (2, True) == (outcome.status, "freeze has no budget in this scenario" in outcome.err)


@needs_core
def test_the_other_policy(run: Runner, scenario: str, tmp_path: Path) -> None:
    """The same scenario by the merged design; the report says so."""
    outcome = run("rehearse", scenario, "--policy", "merged", "--format", "json")
    assert (0, "updated", "merged") == (outcome.status, outcome.json["ended"], outcome.json["policy"])
    assert "guest/0x1 (memory)" in {each["name"] for each in outcome.json["jumps"][0]["participants"]}
    assert 0 == run("rehearse", scenario, "--policy", "merged", "--format", "html", "-o", str(tmp_path / "r.html")).status
    assert "Policy merged" in (tmp_path / "r.html").read_text()


def test_no_such_scenario(run: Runner) -> None:
    """With the nearest name."""
    outcome = run("rehearse", "smal-guest")
    assert (2, True) == (outcome.status, "small-guest" in outcome.err)


def test_a_sweep_is_no_page(run: Runner, scenario: str) -> None:
    """Usage."""
    assert 2 == run("rehearse", scenario, "--sweep", "--format", "html").status


def test_a_sweep_of_what_is_refused(run: Runner) -> None:
    """Its faults would have nothing to undo."""
    outcome = run("rehearse", "merged-rollback", "--sweep")
    assert (2, True) == (outcome.status, "a sweep needs a scenario that ends updated" in outcome.err)
