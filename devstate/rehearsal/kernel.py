# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A kernel process. The old one boots cold, prepares, freezes and writes the handover; a new one is given memory, entry and event
descriptors, and must open, check, restore and finish. In a chain of jumps, each new one becomes the old one of the next.

It is told what to do by lines on its standard input, and says what it did by JSON lines on its output, each with the time (ns, the clock of
the machine, which all processes share)::

    in    update: hand over          exec: become the new kernel       heal: what was broken is repaired
    out   {"step": ..., "at": ns, ...}    a step is done
          {"failed": ..., "errno": ..., "at": ns}    it is not, and what was done is undone
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time

from devstate.errors import DevstateError, LiveUpdateError
from devstate.handover.open import open_memory
from devstate.layout.registry import Registry
from devstate.luo.engine import Engine
from devstate.pagetable.coverage import Coverage
from devstate.rehearsal.domains import IOVA, WINDOW, Iommu
from devstate.rehearsal.guest import GuestMemory, take_interrupts
from devstate.rehearsal.interrupts import Interrupts
from devstate.rehearsal.journal import Journal
from devstate.rehearsal.machine import EVERY, IS_QUIET, QUIET, RUNNING, STRIDE, Machine
from devstate.rehearsal.merged import Merged
from devstate.rehearsal.outgoing import write
from devstate.rehearsal.rfc import Rfc
from devstate.rehearsal.state import Left
from devstate.rehearsal.takeover import judge, poison
from devstate.rehearsal.tree import RehearsedDevices
from devstate.rehearsal.vcpus import KvmVcpus, Vcpus
from devstate.rehearsal.world import world_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.handover.model import Handover
    from devstate.rehearsal.policy import Policy
    from devstate.rehearsal.scenario import Scenario

POLICIES: dict[str, type[Policy]] = {"rfc": Rfc, "merged": Merged}
UNDO = ("cancel", "unpreserve", "unfreeze")
"""Callbacks that come only when something else has failed: a fault in one of them brings that failure along."""


class Kernel:
    """One kernel of a rehearsal. ``plan`` is what the process was given (see ``devstate.rehearsal.run``)."""

    def __init__(self, machine: Machine, scenario: Scenario, plan: dict[str, Any]) -> None:
        self.machine, self.scenario, self.plan = machine, scenario, plan
        self.hop: int = plan["hop"]
        self.orders = b""
        self.events: dict[int, int] = {int(number): fd for number, fd in plan["events"].items()}
        self.registry = registry_of(scenario)
        self.engine = Engine(budgets=dict(scenario.budgets), before=self.before)
        self.guest = GuestMemory(machine)
        self.vcpus = KvmVcpus(scenario.vcpus) if scenario.kvm else Vcpus(scenario.vcpus)
        self.iommu = Iommu(machine, self.guest, scenario)
        self.interrupts = Interrupts(self.iommu)
        self.devices = RehearsedDevices(
            scenario, self.hop, machine, self.engine, lambda: self.policy.state, self.registry
        )
        self.devices.world = lambda number: world_of(self, number)
        self.participants: list[Any] = [self.guest, self.vcpus, self.iommu, self.interrupts, self.devices]
        self.journal = Journal(plan["journal"], sync=plan.get("sync", True)) if plan.get("journal") else None
        self.fault: dict[str, Any] = plan.get("fault") or {}
        self.policy = POLICIES[scenario.policy](self)

    # ---- talking ----

    def say(self, step: str, **more: Any) -> None:
        """A step is done."""
        tell({"step": step, "at": time.perf_counter_ns(), "hop": self.hop, **more})

    def wait(self) -> str:
        """The next order. A pipe that closes is an order to end. Meanwhile the guest, if it runs, takes its interrupts."""
        import select

        while True:
            if self.machine.words[RUNNING]:
                take_interrupts(self.guest, self.events)
            line, newline, rest = self.orders.partition(b"\n")
            if newline:
                self.orders = rest
                return line.decode()
            if select.select([0], [], [], 0.002)[0]:
                data = os.read(0, 4096)
                if not data:
                    return ""
                self.orders += data

    def before(self, phase: str, participant: str, op: str) -> None:
        """Faults that were ordered happen here."""
        fault = self.fault
        if not self.has_fault("fail", "slow", "kill"):
            return
        if fault["op"] in UNDO and (participant, op) == ("kernel", "build"):
            raise LiveUpdateError(errno.EIO, "the kernel was told to fail to build, so that all is undone")
        if fault["op"] != op or not (participant == fault["participant"] or participant.endswith(f" ({fault['participant']})")):
            return
        if fault["how"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault["how"] == "slow":
            time.sleep(1.2 * dict(self.scenario.budgets).get(op, 0) / 1e9)
            return
        raise LiveUpdateError(errno.EIO, f"{participant} was told to fail to {op}")

    def has_fault(self, *ways: str) -> bool:
        """Whether this kernel was given a fault of one of these kinds."""
        return self.fault.get("how") in ways and self.fault["hop"] == self.hop

    def step(self, name: str) -> None:
        """A step of the kernel's own begins: where it can be killed."""
        self.before("kernel", "kernel", name)

    def note(self, **record: Any) -> None:
        """Write to the journal."""
        if self.journal is not None:
            self.journal.write(hop=self.hop, **record)

    # ---- the old kernel ----

    def boot(self) -> None:
        """A cold boot: guest, tables, routes, and everything at work."""
        arena = self.machine.arena()
        arena.reserve(self.guest.pa, self.guest.size)
        arena.reserve(*self.machine.scratch)
        self.guest.fill(self.scenario.seed)
        self.vcpus.run(self.scenario.seed)
        self.interrupts.route([number for number, each in enumerate(self.scenario.devices) if each.slots], self.scenario.vcpus)
        self.iommu.attach(arena, self.interrupts.places)
        self.devices.probe(arena)
        self.machine.words[RUNNING] = 1
        self.say("booted", devices=self.hardware())

    def hardware(self) -> list[dict[str, Any]]:
        """What is programmed into the devices."""
        return [
            {
                "number": number, "iova": IOVA + WINDOW * number, "slots": self.scenario.devices[number].slots, "stride": STRIDE,
                "every": EVERY, **self.interrupts.hardware(number),
            }
            for number in self.iommu.tables
        ]  # fmt: skip

    def hand_over(self) -> None:
        """Prepare, freeze, write, and wait for the jump. What fails is undone, and said; the guest then runs as before."""
        try:
            self.policy.settle()
            self.devices.ask()
            self.look_ahead()
            self.note(intent="prepare", state="normal", policy=self.scenario.policy)
            self.policy.prepare()
            self.note(state="prepared")
            self.say("prepared")
            self.step("prepared")
            self.note(intent="freeze")
            self.machine.words[RUNNING] = 0
            self.say("blackout")
            self.policy.freeze()
            self.quiesce()
            self.note(state="frozen")
            self.say("frozen", registers=self.vcpus.shown(self.vcpus.frozen))
            self.step("frozen")
            self.step("build")
            entry = write(self)
            self.note(state="handed-over", entry=entry)
        except DevstateError as error:
            self.policy.cancel()
            self.wake()
            self.fail(error)
            return
        self.say("handed-over", entry=entry, calls=self.calls())
        self.step("handed-over")
        if self.wait() == "exec":
            self.replace(entry)

    def look_ahead(self) -> None:
        """Pre-flight, by the scenario's policy: not at all; refuse; go without the devices that stand in the way; or let the next
        drivers of these derive what they cannot read."""
        if self.scenario.preflight == "off":
            return
        from devstate.rehearsal.preflight import preflight

        found = preflight(self)
        if found.reasons and found.droppable and self.scenario.preflight == "drop":
            for device in found.droppable:
                self.devices.request(device, False)
            self.say("dropped", devices=[device.name for device in found.droppable])
            found = preflight(self)
        if found.reasons:
            raise LiveUpdateError(errno.ECANCELED, f"pre-flight: {'; '.join(found.reasons)}")
        self.say("pre-flight", metadata=found.metadata, building=found.building, rederived=[each.name for each in found.derived])

    def quiesce(self) -> None:
        """Stop the DMA of devices that do not come along, as a shutdown does; the new kernel starts them afresh."""
        staying = {device.name for device in self.devices.going()}
        quiet = [number for number in self.iommu.tables if self.scenario.devices[number].name not in staying]
        for number in quiet:
            self.machine.count(number, QUIET, 1)
        while any(not self.machine.counter(number, IS_QUIET) for number in quiet):
            time.sleep(0.0002)

    def replace(self, entry: list[int]) -> None:
        """Jump: this process becomes the new kernel."""
        plan = self.plan | {"hop": self.hop + 1, "entry": entry}
        os.execv(sys.executable, [sys.executable, "-m", "devstate.rehearsal", "kernel", json.dumps(plan)])

    def wake(self) -> None:
        """The guest runs, and devices that stood still are started."""
        for number in self.iommu.tables:
            self.machine.count(number, QUIET, 0)
        self.interrupts.release()
        self.machine.words[RUNNING] = 1

    # ---- the new kernel ----

    def take_over(self) -> None:
        """Open, check, restore; then the guest runs, and the update is finished. What fails is said, and nothing is used."""
        self.say("started")
        try:
            self.step("open")
            root, scratch, size = self.plan["entry"]
            handover = open_memory(self.machine.memory(), fdt=root, scratch=(scratch, size), registry=self.registry)
            self.say("opened")
            self.step("check")
            judge(handover, self.scenario.kernels[self.hop])
            self.say("checked")
            self.step("restore")
            self.restore(handover)
            self.say("restored", registers=self.vcpus.shown(self.vcpus.read()), calls=self.calls(), rederived=self.devices.rederived)
            self.step("restored")
            poison(self.machine, handover)
        except DevstateError as error:
            self.fail(error)
            return
        self.wake()
        self.say("resumed")
        if self.has_fault("early"):
            self.hurry()
        self.step("finish")
        self.policy.finish()
        try:
            self.note(state="normal")
        except LiveUpdateError as error:  # the guest runs already: nothing is taken back for the sake of a journal
            self.engine.warnings.append(str(error))
        self.say("finished", warnings=self.engine.warnings)

    def restore(self, handover: Handover) -> None:
        """What was left is taken up, by the policy's rules, and no device reaches beyond it. LiveUpdateError for the first that cannot."""
        assert handover.preserved is not None  # check() saw to it
        self.guest.covered = handover.preserved.covers
        self.policy.restore(Left(handover))
        self.iommu.proven(Coverage(handover.preserved.map, [self.machine.scratch]))

    def hurry(self) -> None:
        """A second update begins before this one is finished: it must be refused."""
        try:
            self.policy.hurry()
        except LiveUpdateError as error:
            self.say("refused", errno=error.errno, reason=error.reason)

    # ---- both ----

    def calls(self) -> list[list[Any]]:
        """What was called, for the report: phase, participant, op, nanoseconds, whether in the blackout."""
        return [[each.phase, each.participant, each.op, each.nanoseconds, each.blackout] for each in self.engine.calls]

    def fail(self, error: DevstateError) -> None:
        """Say what failed."""
        number = error.errno if isinstance(error, LiveUpdateError) else errno.EINVAL
        tell({"failed": str(error), "errno": number, "hop": self.hop, "at": time.perf_counter_ns()})

    def live(self) -> None:
        """From now on, do as told: hand over; be repaired (no fault, no journal any more); or end."""
        while True:
            order = self.wait()
            if order == "update":
                self.hand_over()
            elif order == "heal":
                self.fault, self.journal = {}, None
                self.plan |= {"fault": None, "journal": None}
            else:
                return


def registry_of(scenario: Scenario) -> Registry:
    """The shipped formats, and those of the scenario. Errors as Registry.shipped() and add_user_schemas()."""
    registry = Registry.shipped()
    if scenario.schemas:
        from devstate.layout.compiling import add_user_schemas

        registry = registry.copy()
        for path in scenario.schemas:
            add_user_schemas(registry, path)
    return registry


def tell(message: dict[str, Any]) -> None:
    """A line to whoever started this process."""
    data = f"{json.dumps(message)}\n".encode()
    while data:
        data = data[os.write(1, data) :]
