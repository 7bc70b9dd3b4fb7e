# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The device process: every device writes stamps through its page tables and raises interrupts, until it is told to stop.

It knows what hardware knows: for each device, the root of its tables and its ring; of interrupts, the remapping table and the index that
was programmed into it. An entry that is present names destination and vector, and these an event descriptor.
"""

from __future__ import annotations

import os
import time

from devstate.pagetable.dma import Dma, DmaFault, Ring
from devstate.pagetable.table import PageTable
from devstate.rehearsal.interrupts import raised_at
from devstate.rehearsal.machine import FAULTS, INTERRUPTS, IS_QUIET, LOST, QUIET, STAMPS, STOP, Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BATCH = 64
"""Stamps in one go: a device has bursts."""

PAUSE = 0.0005
"""Seconds between bursts: on two processors, others must get somewhere too."""


class Unit:
    """One device at work."""

    def __init__(self, machine: Machine, plan: dict[str, Any], events: dict[tuple[int, int], int]) -> None:
        self.machine, self.number, self.events = machine, plan["number"], events
        table = PageTable(machine.memory(), plan["format"], plan["top_table"], plan["levels"])
        self.dma = Dma(table)
        self.ring = Ring(plan["iova"], plan["slots"], plan["stride"], self.number)
        self.table, self.index, self.every = plan["interrupt_table"], plan["interrupt"], plan["every"]

    def burst(self) -> None:
        """A burst of stamps, and an interrupt when it is time. The counters are set behind each: what is counted has happened."""
        quiet = self.machine.counter(self.number, QUIET)
        self.machine.count(self.number, IS_QUIET, quiet)
        if quiet:
            return
        first = self.machine.counter(self.number, STAMPS)
        try:
            self.dma.stamp(self.ring, first, BATCH)
            done = BATCH
        except DmaFault as fault:
            done = fault.done
            self.machine.count(self.number, FAULTS, self.machine.counter(self.number, FAULTS) + 1)
        self.machine.count(self.number, STAMPS, first + done)
        if (first + done) // self.every > first // self.every:
            self.interrupt()

    def interrupt(self) -> None:
        """Raise an interrupt, where the entry says."""
        wanted = raised_at(self.machine.memory(), self.table, self.index)
        event = None if wanted is None else self.events.get(wanted)
        which = LOST if event is None else INTERRUPTS
        self.machine.count(self.number, which, self.machine.counter(self.number, which) + 1)
        if event is not None:
            os.eventfd_write(event, 1)


def main(machine: Machine, plans: list[dict[str, Any]], events: dict[tuple[int, int], int]) -> None:
    """Work until the control page says stop."""
    units = [Unit(machine, plan, events) for plan in plans]
    os.write(1, b"ready\n")
    parent = os.getppid()
    while not machine.words[STOP] and os.getppid() == parent:  # whoever started it may be gone without a word
        for unit in units:
            unit.burst()
        time.sleep(PAUSE)
