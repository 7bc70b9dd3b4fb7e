# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whole rehearsals, with real processes. A few of the faults are tried here; all of them by `devstate rehearse --sweep` and `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.cli.rehearse import open_scenario
from devstate.errors import LiveUpdateError
from devstate.frozen import replace
from devstate.luo.kvm import Kvm
from devstate.pagetable import native
from devstate.rehearsal.document import PHASES, document
from devstate.rehearsal.faults import ends_of, faults_of
from devstate.rehearsal.guest import GuestMemory, pattern
from devstate.rehearsal.journal import read_journal, state_of
from devstate.rehearsal.machine import BASE, FAULTS, INTERRUPTS, LOST, PAGE, QUIET, STAMPS, Machine
from devstate.rehearsal.run import Fault, Rehearsal, run
from devstate.rehearsal.scenario import DevicePlan, Scenario
from devstate.rehearsal.takeover import POISON
from devstate.rehearsal.verify import verify_end

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")

SMALL = Scenario(
    "small", memory=8 << 20, vcpus=2, devices=(DevicePlan("nvme0", drivers=(1, 2)), DevicePlan("nic0", drivers=(1, 1), slots=100))
)


@pytest.mark.parametrize("name", ["bridge-tree", "rollback", "rollback-held", "rollback-drop", "two-hops", "many-sessions"])
def test_shipped_scenarios(name: str, tmp_path: Path) -> None:
    """Each ends as it says, nothing is wrong, devices were at work; the journal tells where it ended."""
    scenario = open_scenario(name)
    result = run(scenario, journal=str(tmp_path / "journal"))
    assert (scenario.expect, ()) == (result.ended, result.wrong)
    assert result.stamps > 0
    jumps = len(scenario.kernels) - 1 if scenario.expect == "updated" else 0
    assert jumps == len(result.blackouts())
    assert {"refused": "handed-over"}.get(scenario.expect, "normal") == state_of(read_journal(str(tmp_path / "journal")))


def test_what_nobody_took_back_is_warned_of() -> None:
    """And only that."""
    plans = (DevicePlan("usb0", drivers=(1, 1), reclaim=False), DevicePlan("nic0", drivers=(1, 1)))
    scenario = Scenario("two", memory=8 << 20, devices=plans)
    assert ["finish: root/usb0: nobody reclaimed it"] == run(scenario).warnings()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("fail", 0, "freeze", "devices"),
        Fault("fail", 1, "restore", "iommu"),
        Fault("missing", 1, "", "interrupts"),
        Fault("kill", 0, "frozen", "kernel"),
        Fault("kill", 1, "restored", "kernel"),
        Fault("early", 1),
        Fault("journal", 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("jump", ["exec", "kill"])
def test_faults(fault: Fault, jump: str) -> None:
    """Each ends as documented, and nothing is wrong."""
    scenario = replace(SMALL, jump=jump)
    result = run(scenario, fault)
    assert ((), True) == (result.wrong, result.ended in ends_of(fault, scenario)), result.failures


def test_a_flipped_byte_is_refused() -> None:
    """The magic of the subtree that participants left."""
    clean = run(SMALL, looks=True)
    place = next(pa for pa, _, what in clean.structures if what == "blob devstate")
    result = run(SMALL, Fault("flip", 0, "state", "", place))
    assert ("refused", ()) == (result.ended, result.wrong)
    assert ["nothing was left at kvm/guest (ENOENT)"] == list(result.failures)


def test_a_guest_of_kvm() -> None:
    """The vCPUs are real: registers go through records into another virtual machine."""
    try:
        Kvm().close()
    except LiveUpdateError as error:
        pytest.skip(f"no KVM here: {error}")
    result = run(open_scenario("kvm-guest"))
    assert ("updated", ()) == (result.ended, result.wrong), result.failures
    shown = next(step for step in result.steps if step.name == "restored").more["registers"]
    assert [True, True] == ["xsave" in each for each in shown]


def test_every_fault_is_named_once() -> None:
    """A sweep tries each, and knows how it may end."""
    faults = [*faults_of(SMALL, ((BASE, 64, "fdt /"),))]
    assert len(faults) == len({str(fault) for fault in faults})
    assert all(ends_of(fault, SMALL) for fault in faults)
    assert {"fail", "kill", "missing", "early", "journal", "flip"} == {fault.how for fault in faults}


def test_the_document_adds_up() -> None:
    """Phases follow each other without a gap, and the blackout is their sum."""
    made = document(run(SMALL))
    (jump,) = made["jumps"]
    assert [name for name, _, _ in PHASES] == [each["name"] for each in jump["phases"]]
    for before, after in zip(jump["phases"], jump["phases"][1:], strict=False):
        assert abs(before["start_us"] + before["us"] - after["start_us"]) <= 1
    assert jump["blackout_us"] == sum(each["us"] for each in jump["phases"] if each["blackout"])
    assert made["right"]


def test_a_new_kernel_takes_all_memory_that_is_not_preserved() -> None:
    """The scratch area, where nothing ever is, has been overwritten to its last byte; the guest's memory has not."""
    rehearsal = Rehearsal(SMALL)
    assert "updated" == rehearsal.run().ended
    pa, size = rehearsal.machine.scratch
    assert bytes([POISON]) * size == bytes(rehearsal.machine.span(pa, size))


def test_a_device_that_stays_behind_stands_still() -> None:
    """From the freeze until the new kernel starts it."""
    plans = (DevicePlan("stays", drivers=(1, 1), requested=False),)
    seen: dict[str, int] = {}
    rehearsal = Rehearsal(Scenario("one", memory=8 << 20, devices=plans))
    rehearsal.progress = lambda step: seen.update({step.name: rehearsal.machine.counter(0, STAMPS)})
    result = rehearsal.run()
    assert ("updated", ()) == (result.ended, result.wrong)
    assert seen["frozen"] == seen["restored"]
    assert 0 == rehearsal.machine.counter(0, QUIET)


def quiet() -> Machine:
    """A machine at whose end nothing is wrong."""
    machine = Machine.create(SMALL.memory, len(SMALL.devices))
    guest = GuestMemory(machine)
    machine.span(guest.pa + PAGE, guest.size - PAGE)[:] = pattern(SMALL.seed, guest.size - PAGE)
    return machine


def test_verification_sees_what_is_wrong() -> None:
    """A byte of the guest's, a write that was stopped, a stamp that is missing, an interrupt that is."""
    machine = quiet()
    assert [] == verify_end(machine, SMALL, {}, guest_lives=True)
    guest = GuestMemory(machine)
    machine.span(guest.pa + guest.size - 1, 1)[0] ^= 1
    found = verify_end(machine, SMALL, {}, guest_lives=True)
    assert ["guest memory changed outside of DMA: 1 bytes"] == [each.partition(",")[0] for each in found]
    machine = quiet()
    for which, text in ((FAULTS, "writes were stopped"), (LOST, "interrupts were lost"), (STAMPS, "outside of DMA")):
        machine.count(0, which, 3)
        assert any(text in each for each in verify_end(machine, SMALL, {}, guest_lives=True))
        machine.count(0, which, 0)
    import os

    event = os.eventfd(1, os.EFD_NONBLOCK)
    assert ["device 0: 0 interrupts raised, 0 taken and 1 pending"] == verify_end(machine, SMALL, {0: event}, guest_lives=True)
    machine.count(0, INTERRUPTS, 1)
    os.eventfd_write(event, 1)
    assert [] == verify_end(machine, SMALL, {0: event}, guest_lives=True)
    os.close(event)
