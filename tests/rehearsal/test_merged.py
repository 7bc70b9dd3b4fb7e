# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rehearsals by the merged design: whole ones with real processes, and the order of every callback with two kernels in this process."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from devstate.cli.rehearse import open_scenario
from devstate.errors import LiveUpdateError
from devstate.frozen import replace
from devstate.pagetable import native
from devstate.rehearsal.faults import FILE_OPS, MERGED, SHARED_OPS, callbacks_of, ends_of, faults_of
from devstate.rehearsal.journal import read_journal, state_of
from devstate.rehearsal.kernel import Kernel
from devstate.rehearsal.machine import RUNNING, Machine
from devstate.rehearsal.merged import Merged
from devstate.rehearsal.outgoing import write
from devstate.rehearsal.run import Fault, run
from devstate.rehearsal.scenario import DevicePlan, Scenario

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")

DEVICES = (
    DevicePlan("port0", slots=0, drivers=(1, 1), requested=False),
    DevicePlan("nvme0", "port0", drivers=(1, 2)),
    DevicePlan("nic0", "port0", drivers=(1, 1), slots=100),
)
BUDGETS = (("preserve", 2_000_000_000), ("freeze", 1_000_000_000), ("retrieve", 2_000_000_000))
SMALL = Scenario("small", memory=8 << 20, devices=DEVICES, policy="merged", sessions=1, budgets=BUDGETS)

SHIPPED = ["sessions", "upgrade", "rollback", "old-release", "held", "unclaimed"]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios(name: str, tmp_path: Path) -> None:
    """Each ends as it says, nothing is wrong, devices were at work; the journal tells where it ended, and by whose rules."""
    scenario = open_scenario(f"merged-{name}")
    result = run(scenario, journal=str(tmp_path / "journal"))
    assert (scenario.expect, ()) == (result.ended, result.wrong), result.failures
    assert result.stamps > 0
    records = read_journal(str(tmp_path / "journal"))
    assert {"refused": "handed-over"}.get(scenario.expect, "normal") == state_of(records)
    assert {"merged"} >= {each["policy"] for each in records if "policy" in each}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("fail", 0, "get_id", "vfio"),
        Fault("fail", 0, "unfreeze", "kvm"),
        Fault("slow", 0, "preserve", "iommufd"),
        Fault("fail", 1, "retrieve", "iommu"),
        Fault("missing", 1, "", "vfio"),
        Fault("missing", 1, "", "iommu"),
        Fault("fail", 1, "can_finish", "vfio"),
        Fault("kill", 1, "finish", "devices"),
        Fault("early", 1),
        Fault("journal", 0),
    ],
    ids=str,
)
def test_faults(fault: Fault) -> None:
    """Each ends as documented, and nothing is wrong."""
    scenario = replace(SMALL, budgets=(("preserve", 200_000_000),)) if fault.how == "slow" else SMALL
    result = run(scenario, fault)
    assert ((), True) == (result.wrong, result.ended in ends_of(fault, scenario)), result.failures


def test_every_fault_is_named_once() -> None:
    """All nine callbacks of handlers, all four of shared objects; those of devices only where there are some."""
    faults = [*faults_of(SMALL)]
    assert len(faults) == len({str(fault) for fault in faults})
    assert all(ends_of(fault, SMALL) for fault in faults)
    assert (9, 4) == (len(FILE_OPS), len(SHARED_OPS))
    failing = {(fault.participant, fault.op) for fault in faults if fault.how == "fail"}
    assert {(name, op) for name, ops in MERGED.items() for op in ops} == failing
    assert {"vfio", "devices"} == {*MERGED} - {*callbacks_of(Scenario("none", policy="merged"))}


# ---- in this process ----


class Pair:
    """An old and a new kernel on one machine, in this process."""

    def __init__(self, scenario: Scenario = SMALL) -> None:
        self.scenario = scenario
        self.machine = Machine.create(scenario.memory, len(scenario.devices))
        self.old = self.kernel(0)
        self.old.boot()
        self.old.devices.ask()

    def kernel(self, hop: int, entry: list[int] | None = None) -> Kernel:
        """A kernel whose steps go nowhere."""
        return Kernel(self.machine, self.scenario, {"hop": hop, "events": {}, "entry": entry})

    def frozen(self) -> list[int]:
        """Prepared, frozen, written."""
        self.old.policy.prepare()
        self.old.machine.words[RUNNING] = 0
        self.old.policy.freeze()
        return write(self.old)

    def jump(self) -> Kernel:
        """The new kernel, which has restored."""
        new = self.kernel(1, self.frozen())
        new.take_over()
        return new


def calls(kernel: Kernel, *ops: str) -> list[str]:
    """Which of these were called, of whom."""
    return [f"{each.op} {each.participant}" for each in kernel.engine.calls if each.op in ops and "root" not in each.participant]


FILES = ["guest/0x1 (memory)", "guest/0x2 (iommufd)", "guest/0x3 (kvm)", "guest/0x4 (interrupts)", "guest/0x11 (vfio)", "guest/0x12 (vfio)"]
OTHER = "session-0/0x1 (memory)"


def test_the_order_of_a_whole_update(capfd: pytest.CaptureFixture[str]) -> None:
    """Shared objects with their first file and their last, freeze oldest first, all asked whether they can finish, finish newest first."""
    pair = Pair()
    new = pair.jump()
    capfd.readouterr()
    # A call is written down when it has returned: what a file brings along stands before it.
    things = [FILES[0], "iommu", *FILES[1:4], "devices", *FILES[4:], OTHER]
    assert [f"preserve {each}" for each in things] == calls(pair.old, "preserve")
    assert [f"freeze {each}" for each in (*FILES, OTHER)] == calls(pair.old, "freeze")
    assert [] == calls(pair.old, "unfreeze", "unpreserve")
    assert [f"retrieve {each}" for each in things] == calls(new, "retrieve")
    guest = [f"can_finish {each}" for each in FILES] + [f"finish {each}" for each in FILES[::-1]] + ["finish devices", "finish iommu"]
    assert [*guest, f"can_finish {OTHER}", f"finish {OTHER}"] == calls(new, "can_finish", "finish")
    assert isinstance(new.policy, Merged)
    assert ({}, []) == (new.policy.luo.incoming, new.engine.warnings)
    assert [False] * 4 == [device.preserved or device.reclaimed for device in new.devices]


@pytest.mark.parametrize("at", range(len(FILES) + 1))
def test_the_order_of_unwinding(at: int, capfd: pytest.CaptureFixture[str]) -> None:
    """A freeze that fails: files before it in its session are unfrozen in order, then whole sessions before it; all is then given up."""
    pair = Pair()
    old, files = pair.old, [*FILES, OTHER]
    old.policy.prepare()
    before = old.engine.before
    assert before is not None

    def fail(phase: str, participant: str, op: str) -> None:
        if (op, participant) == ("freeze", files[at]):
            raise LiveUpdateError(errno.EIO, "no")
        before(phase, participant, op)

    old.engine.before = fail
    with pytest.raises(LiveUpdateError, match="no"):
        old.policy.freeze()
    assert [f"unfreeze {each}" for each in files[:at]] == calls(old, "unfreeze")
    old.engine.before = before
    old.policy.cancel()
    given_up = [f"unpreserve {each}" for each in (OTHER, *FILES[::-1])]
    shared = calls(old, "unpreserve")
    assert given_up == [each for each in shared if "/" in each]
    assert ["unpreserve devices", "unpreserve iommu"] == [each for each in shared if "/" not in each]
    assert [False] * 4 == [device.preserved for device in old.devices]
    old.engine.calls.clear()
    assert pair.frozen()
    capfd.readouterr()


def test_what_cannot_be_written_unfreezes_everything() -> None:
    """Sessions last first; then agents give up, and the same kernel can jump."""
    pair = Pair()
    pair.frozen()
    pair.old.policy.cancel()
    assert [f"unfreeze {each}" for each in (OTHER, *FILES)] == calls(pair.old, "unfreeze")
    assert pair.old.vcpus.frozen == []
    assert pair.frozen()


def test_records_of_files_are_those_of_their_parts(capfd: pytest.CaptureFixture[str]) -> None:
    """A file's record and the part that says the same are held against each other."""
    pair = Pair()
    entry = pair.frozen()
    policy = pair.old.policy
    assert isinstance(policy, Merged)
    assert policy.serialized is not None
    strings = [each.compatible for each in policy.serialized.sessions[0].files]
    assert ["memfd-v2", "iommu-unit-v1", "kvm-x86-vm-v1", "interrupts-v1", *["rehearsed-ring-v1"] * 2] == strings
    assert {"iommu-unit-v1": (2, 2), "devices-v1": (4, 2)} == {each.name: (each.data, each.count) for each in policy.serialized.flbs}
    new = pair.kernel(1, entry)
    record = policy.serialized.sessions[0].files[4].record
    assert record is not None
    memory = bytes(pair.machine.bytes)
    places = [at for at in range(0, len(memory), 4096) if memory[at : at + len(record)] == record and at < pair.machine.size // 2]
    pair.machine.bytes[places[0] + 4] ^= 1  # stamps
    new.take_over()
    assert "do not say the same" in capfd.readouterr().out
