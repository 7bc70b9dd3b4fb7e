# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whole rehearsals behind each kind of IOMMU, with real processes, and bytes that flip where hardware reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstate.cli.rehearse import open_scenario
from devstate.errors import UsageError
from devstate.pagetable import native
from devstate.rehearsal.document import document
from devstate.rehearsal.faults import Tried, ends_of, faults_of
from devstate.rehearsal.live import LIVE
from devstate.rehearsal.run import Fault, Result, run
from devstate.rehearsal.scenario import DevicePlan, Scenario, read_scenario

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")

PLANS = (DevicePlan("nvme0", drivers=(1, 2, 2)), DevicePlan("nic0", drivers=(1, 1, 1), slots=100))

INTERRUPT = {"vtd": "interrupt entry", "amd": "interrupt entry", "smmuv3": "its area 3"}
"""Where it is said where an interrupt goes."""


def machine(iommu: str, **more: Any) -> Scenario:
    """A small one."""
    settings: dict[str, Any] = {"memory": 8 << 20, "devices": PLANS, "iommu": iommu, "tables": "packed"}
    return Scenario(iommu, **(settings | more))


@pytest.mark.parametrize("name", ["amd", "smmuv3"])
def test_shipped_scenarios(name: str) -> None:
    """Each ends as it says, nothing is wrong."""
    result = run(open_scenario(name))
    assert ("updated", ()) == (result.ended, result.wrong), result.failures
    assert result.stamps > 0
    assert (name, result.scenario.stage) == (document(result)["iommu"], document(result)["stage"])


@pytest.mark.parametrize(("iommu", "stage", "jump"), [("vtd", "first", "exec"), ("amd", "first", "kill"), ("smmuv3", "second", "kill")])
def test_other_stages_over_two_hops(iommu: str, stage: str, jump: str) -> None:
    """What the second kernel found, it hands over again."""
    result = run(machine(iommu, stage=stage, jump=jump, kernels=("7.3", "7.3", "7.3")))
    assert ("updated", ()) == (result.ended, result.wrong), result.failures


def test_a_preflight_proves_every_domain() -> None:
    """Whatever the format of its tables; a device that stays behind is no reason against it."""
    plans = (*PLANS, DevicePlan("stays", drivers=(1, 1, 1), requested=False))
    result = run(machine("smmuv3", stage="first", preflight="refuse", devices=plans))
    assert ("updated", ()) == (result.ended, result.wrong), result.failures
    assert "pre-flight" in [step.name for step in result.steps]


def test_a_failed_freeze_lets_interrupts_come_again() -> None:
    """LPIs were masked; the guest goes on, and gets them."""
    scenario = machine("smmuv3")
    fault = Fault("fail", 0, "freeze", "devices")
    result = run(scenario, fault)
    assert ((), True) == (result.wrong, result.ended in ends_of(fault, scenario)), result.failures
    assert result.interrupts > 0


@pytest.fixture(scope="module", params=["vtd", "amd", "smmuv3"])
def clean(request: pytest.FixtureRequest) -> Result:
    """A rehearsal without a fault, which has looked where structures are."""
    return run(machine(request.param), looks=True)


def test_live_structures_are_found(clean: Result) -> None:
    """Tables of the unit, its entries, page tables; where interrupts go."""
    found = {what for _, _, what in clean.structures if what.startswith(LIVE)}
    wanted = {"live entry of 0", "live page table of domain 1, level 2", "live page table entry of domain 2, level 0"}
    assert wanted <= found
    assert any(each.startswith(LIVE + INTERRUPT[clean.scenario.iommu]) for each in found)
    assert not any("its area 5" in each for each in found)
    assert () == clean.wrong
    faults = [each for each in faults_of(clean.scenario, clean.structures) if each.how == "live"]
    assert faults and all(("refused", "updated") == ends_of(each, clean.scenario) for each in faults)


@pytest.mark.parametrize("what", ["entry of 0", "page table entry of domain 1, level 0", "interrupt"])
def test_a_byte_that_hardware_reads(clean: Result, what: str) -> None:
    """The device goes astray at once, which is seen; the new kernel refuses."""
    name = INTERRUPT[clean.scenario.iommu] if what == "interrupt" else what
    place = next(pa for pa, _, each in reversed(clean.structures) if each.startswith(LIVE + name))
    fault = Fault("live", 0, what, "", place + 1)
    tried = Tried(fault, ends_of(fault, clean.scenario), run(clean.scenario, fault))
    assert (True, "refused") == (tried.right, tried.result.ended), tried.result


def test_scenarios_that_cannot_be(tmp_path: Path) -> None:
    """A kind and a stage that there are not; more devices than there are vectors for."""
    path = tmp_path / "s.toml"
    many = "".join(f'[[devices]]\nname = "d{number}"\nslots = 1\n' for number in range(193))
    for text, message in (
        ('iommu = "sun4m"', r"s.toml:1: iommu is one of vtd, amd, smmuv3, not 'sun4m'"),
        ('stage = "third"', r"s.toml:1: stage is one of second, first"),
        ('tables = "away"', r"s.toml:1: tables is one of in-place, packed"),
        (f"vcpus = 1\n{many}", r"s.toml:1: 1 processors take the interrupts of 192 devices"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_scenario(str(path))
    path.write_text(f'iommu = "smmuv3"\n{many}')
    assert "smmuv3" == read_scenario(str(path)).iommu


def test_what_a_live_byte_excuses() -> None:
    """Harm that a device does, when the new kernel refuses; nothing else, and never when it goes on."""
    fault, scenario = Fault("live", 0, "entry", "", 1), machine("amd")
    for ended, wrong, right in (
        ("refused", ("device 0: 3 writes were stopped", "guest memory changed outside of DMA: 1 bytes"), True),
        ("refused", ("the device process ended with status 1",), False),
        ("updated", ("device 0: 3 writes were stopped",), False),
        ("updated", (), True),
        ("kept", (), False),
    ):
        result = Result(scenario, ended, (), (), wrong, 0, 0)
        assert right == Tried(fault, ends_of(fault, scenario), result).right
