# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run a rehearsal: start the processes, let them jump, see what came of it.

The device process outlives every kernel. A kernel that fails to hand over goes on as if nothing had been asked, and is asked again when
what was broken is repaired; one that fails to take over has used nothing, and says why. :class:`Result` has it all: how it ended, when
each step was done, what each participant took, and what does not hold of what must.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time

from devstate.errors import DevstateError
from devstate.frozen import frozen
from devstate.handover.open import open_memory
from devstate.rehearsal.live import live_structures
from devstate.rehearsal.machine import BASE, Machine
from devstate.rehearsal.scenario import to_plain
from devstate.rehearsal.verify import verify_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devstate.rehearsal.scenario import Scenario

PATIENCE = 60.0
"""Seconds that a process may take for its next step: on a busy machine they start slowly."""

DONE, KEPT, HELD, REFUSED, LOST = "updated", "kept", "held", "refused", "lost"
"""How it ended: every jump was done; a fault kept the old kernel, which then could jump; the pre-flight held it back; a new kernel took
nothing over, and said why; a kernel died, and nothing was restored."""


@frozen
class Fault:
    """Something that goes wrong. ``how``: ``fail``, ``slow`` or ``kill`` in a callback or step ``op`` of the kernel of hop ``hop``;
    ``flip`` a byte at ``at``, or a ``live`` one, which hardware reads; ``missing`` participant; ``early`` second update; ``journal`` on
    a full disk.
    """

    how: str
    hop: int = 0
    op: str = ""
    participant: str = ""
    at: int = 0

    def __str__(self) -> str:
        parts = [self.participant, self.op, f"{self.at:#x}" if self.at else ""]
        return f"{self.how} {' '.join(part for part in parts if part)}".rstrip() + f" in kernel {self.hop}"


@frozen
class Step:
    """A step that was done: by which kernel, when (ns since the start of the rehearsal), and what more it said."""

    hop: int
    name: str
    at: int
    more: dict[str, Any]


@frozen
class Result:
    """What came of a rehearsal. ``wrong`` is what does not hold of what must, in words: nothing may ever be in it. ``structures`` are
    (address, bytes, what) of the first handover, when they were asked for.
    """

    scenario: Scenario
    ended: str
    steps: tuple[Step, ...]
    failures: tuple[str, ...]
    wrong: tuple[str, ...]
    stamps: int
    interrupts: int
    structures: tuple[tuple[int, int, str], ...] = ()

    def blackouts(self) -> list[int]:
        """Nanoseconds that the guest stood still, for each jump that was done."""
        starts = {step.hop: step.at for step in self.steps if step.name == "blackout"}
        return [step.at - starts[step.hop - 1] for step in self.steps if step.name == "resumed"]

    def warnings(self) -> list[str]:
        """What kernels warned of at the end of an update."""
        return [text for step in self.steps if step.name == "finished" for text in step.more["warnings"]]


class _Died(DevstateError):
    """A kernel process ended, or did not answer."""


class _Process:
    """A process of the rehearsal, and the lines that it says."""

    def __init__(self, role: str, plan: dict[str, Any], fds: list[int]) -> None:
        arguments = [sys.executable, "-m", "devstate.rehearsal", role, json.dumps(plan)]
        # A session of its own: an interrupt from the keyboard is for whoever runs the rehearsal, and ends it in order.
        self.popen = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=fds, start_new_session=True
        )
        self._rest = b""

    def tell(self, order: str) -> None:
        """Give an order."""
        assert self.popen.stdin is not None  # it was piped
        try:
            self.popen.stdin.write(f"{order}\n".encode())
            self.popen.stdin.flush()
        except BrokenPipeError as error:
            raise _Died("the process is gone") from error

    def line(self) -> str:
        """The next line that it says."""
        assert self.popen.stdout is not None  # it was piped
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            ready = select.select([self.popen.stdout], [], [], max(0.0, until - time.monotonic()))[0]
            data = os.read(self.popen.stdout.fileno(), 1 << 16) if ready else b""
            if not data:
                self.end()
                raise _Died("the process ended" if ready else f"the process said nothing for {PATIENCE:.0f} s")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def end(self) -> None:
        """Kill it, if it is there still."""
        self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


class Rehearsal:
    """One rehearsal. ``progress`` is called with each step as it is done."""

    def __init__(
        self,
        scenario: Scenario,
        fault: Fault | None = None,
        *,
        journal: str | None = None,
        progress: Callable[[Step], None] | None = None,
        looks: bool = False,
    ) -> None:
        self.scenario, self.fault, self.journal = scenario, fault, journal
        self.progress, self.looks = progress, looks
        self.structures: tuple[tuple[int, int, str], ...] = ()
        self.machine = Machine.create(scenario.memory, len(scenario.devices))
        self.dma = [number for number, each in enumerate(scenario.devices) if each.slots]
        self.events = {number: os.eventfd(0, os.EFD_NONBLOCK) for number in self.dma}
        self.steps: list[Step] = []
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self.start = time.perf_counter_ns()
        self.kernel: _Process | None = None
        self.device: _Process | None = None
        self.registers: Any = None

    def run(self) -> Result:
        """Run it to its end, whatever that is."""
        try:
            self.kernel = self.boot(0, None)
            self.device = self.start_device(self.await_step("booted").more["devices"])
            ended = self.jumps()
        finally:
            self.machine.stop()
            if self.device is not None:
                if self.device.popen.wait(PATIENCE):
                    self.wrong.append(f"the device process ended with status {self.device.popen.returncode}")
                self.device.end()
            if self.kernel is not None:
                self.kernel.end()
        self.wrong += verify_end(self.machine, self.scenario, self.events, guest_lives=ended in (DONE, KEPT, HELD))
        stamps, interrupts = (sum(self.machine.counter(number, which) for number in self.dma) for which in (0, 1))
        for fd in (*self.events.values(), self.machine.memory_fd, self.machine.control_fd):
            os.close(fd)
        return Result(self.scenario, ended, tuple(self.steps), tuple(self.failures), tuple(self.wrong), stamps, interrupts, self.structures)

    def boot(self, hop: int, entry: list[int] | None) -> _Process:
        """Start a kernel's process."""
        plan: dict[str, Any] = {
            "memory": self.machine.memory_fd, "control": self.machine.control_fd, "events": self.events, "hop": hop, "entry": entry,
            "scenario": to_plain(self.scenario), "journal": self.journal,
        }  # fmt: skip
        if self.fault is not None:
            plan["fault"] = {field: getattr(self.fault, field) for field in ("how", "hop", "op", "participant")}
            if self.fault.how == "journal" and hop == self.fault.hop:
                plan["journal"] = "/dev/full"
        return _Process("kernel", plan, self.fds())

    def fds(self) -> list[int]:
        """Descriptors that every process gets."""
        return [self.machine.memory_fd, self.machine.control_fd, *self.events.values()]

    def start_device(self, devices: list[dict[str, Any]]) -> _Process:
        """Start the device process, and wait until it is at work. Its devices are those that do DMA, by their own numbers."""
        routes = [[*each["route"], self.events[each["number"]]] for each in devices]
        plan = {"memory": self.machine.memory_fd, "control": self.machine.control_fd, "devices": devices, "routes": routes}
        process = _Process("device", plan, self.fds())
        process.line()
        return process

    def jumps(self) -> str:
        """One jump after the other. How it ended."""
        kept = False
        for hop in range(len(self.scenario.kernels) - 1):
            assert self.kernel is not None  # it was booted
            try:
                self.kernel.tell("update")
                entry = self.handed_over()
                if entry is None:
                    if self.failures[-1].startswith("pre-flight: "):
                        return HELD
                    kept = True
                    self.kernel.tell("heal")
                    self.kernel.tell("update")
                    entry = self.handed_over()
                    if entry is None:
                        self.wrong.append("the old kernel, repaired, could not hand over")
                        return KEPT
                if self.looks and not self.structures:
                    self.look(entry)
                self.flip(hop)
                self.jump(hop, entry)
                if self.await_step("resumed", "restored") is None:
                    return REFUSED
                self.await_step("finished")
            except _Died as died:
                self.failures.append(str(died))
                return LOST
        return KEPT if kept else DONE

    def handed_over(self) -> list[int] | None:
        """Wait for the handover; its entry. None when the old kernel says that it failed, and goes on."""
        step = self.await_step("handed-over", "frozen")
        return None if step is None else list(step.more["entry"])

    def jump(self, hop: int, entry: list[int]) -> None:
        """From one kernel to the next: by exec, or by the death of the old one."""
        assert self.kernel is not None  # it was booted
        if self.scenario.jump == "exec":
            self.kernel.tell("exec")
        else:
            self.kernel.end()
            self.kernel = self.boot(hop + 1, entry)

    def flip(self, hop: int) -> None:
        """The fault that is a byte."""
        if self.fault is not None and self.fault.how in ("flip", "live") and self.fault.hop == hop:
            self.machine.span(self.fault.at, 1)[0] ^= 0xFF

    def look(self, entry: list[int]) -> None:
        """Note where the structures of the handover are, for faults to come."""
        guest = BASE + self.machine.size // 2
        handover = open_memory(self.machine.memory(), fdt=entry[0], scratch=(entry[1], entry[2]))
        found = {(claim.start, claim.size, f"{claim.what} {claim.path}") for claim in handover.claims.items if claim.start < guest}
        self.structures = tuple(sorted({*found, *live_structures(handover)}))

    def await_step(self, wanted: str, registers: str | None = None) -> Any:
        """The step ``wanted``, or None after a failure; steps on the way are noted. At ``registers``, those of the vCPUs are compared."""
        assert self.kernel is not None  # it was booted
        while True:
            said = json.loads(self.kernel.line())
            if "failed" in said:
                self.failures.append(said["failed"])
                return None
            step = Step(said.pop("hop"), said.pop("step"), said.pop("at") - self.start, said)
            self.steps.append(step)
            if self.progress is not None:
                self.progress(step)
            if step.name == registers == "frozen":
                self.registers = step.more["registers"]
            elif step.name == registers == "restored" and step.more["registers"] != self.registers:
                self.wrong.append("vCPU registers are not what they were at the freeze")
            if step.name == wanted:
                return step


def run(
    scenario: Scenario,
    fault: Fault | None = None,
    *,
    journal: str | None = None,
    progress: Callable[[Step], None] | None = None,
    looks: bool = False,
) -> Result:
    """Rehearse a scenario. ``journal``: where the agent keeps one. ``looks``: say where the structures of the first handover are."""
    return Rehearsal(scenario, fault, journal=journal, progress=progress, looks=looks).run()
