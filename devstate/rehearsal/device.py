# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The device process: every device writes stamps through its page tables and raises interrupts, until it is told to stop.

It knows what hardware knows: the registers of the unit, and for each device its bus, device and function, its ring, and the message that
was programmed into it. The way to the page tables is from the unit's root, and is remembered for a while, as hardware's caches do; so is
what the page tables say. Where an interrupt goes is looked up each time; a place has an event descriptor.
"""

from __future__ import annotations

import os
import time

from devstate.pagetable.dma import Dma, DmaFault, Ring
from devstate.rehearsal.machine import FAULTS, HELD, INTERRUPTS, IS_QUIET, LOST, QUIET, STAMPS, STOP, Machine
from devstate.rehearsal.units.kinds import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.rehearsal.units.unit import Unit

BATCH = 64
"""Stamps in one go: a device has bursts."""

REMEMBERS = 8
"""Bursts after which the caches of a device are empty: in hardware, others need the room."""

PAUSE = 0.0005
"""Seconds between bursts: on two processors, others must get somewhere too."""


class Requester:
    """One device at work."""

    def __init__(self, machine: Machine, unit: Unit, plan: dict[str, Any], events: dict[tuple[int, int], int]) -> None:
        self.machine, self.number, self.events = machine, plan["number"], events
        self.unit = unit
        self.source, self.message = plan["source"], tuple(plan["message"])
        self.ring = Ring(plan["iova"], plan["slots"], plan["stride"], self.number)
        self.every = plan["every"]
        self.bursts = 0
        self.dma: Dma | None = None
        self.pending: tuple[int, int] | None = None

    def burst(self) -> None:
        """A burst of stamps, and an interrupt when it is time. The counters are set behind each: what is counted has happened."""
        quiet = self.machine.counter(self.number, QUIET)
        self.machine.count(self.number, IS_QUIET, quiet)
        self.settle()
        if quiet:
            return
        if not self.bursts % REMEMBERS:
            table = self.unit.table(self.source)
            self.dma = None if table is None else Dma(table)
        self.bursts += 1
        first = self.machine.counter(self.number, STAMPS)
        done = self.stamp(first)
        self.machine.count(self.number, STAMPS, first + done)
        if (first + done) // self.every > first // self.every:
            self.interrupt()

    def stamp(self, first: int) -> int:
        """Stamps from number ``first`` on; how many were written before one was stopped."""
        try:
            if self.dma is not None:
                self.dma.stamp(self.ring, first, BATCH)
                return BATCH
            done = 0
        except DmaFault as fault:
            done = fault.done
        self.bump(FAULTS)
        return done

    def interrupt(self) -> None:
        """Raise an interrupt: to its place, or it waits there. One that waits already is the same."""
        place = self.unit.raised(self.source, self.message)
        if place is None or place not in self.events:
            self.bump(LOST)
        elif self.unit.masked(place):
            self.unit.pend(place)
            self.pending = place
            self.machine.count(self.number, HELD, 1)
        else:
            self.deliver(place)

    def settle(self) -> None:
        """What waits comes when it may. If it does not wait any more, somebody has lost it."""
        if self.pending is None or self.unit.masked(self.pending):
            return
        place, self.pending = self.pending, None
        if self.unit.taken(place):
            self.deliver(place)
        else:
            self.bump(LOST)
        self.machine.count(self.number, HELD, 0)

    def deliver(self, place: tuple[int, int]) -> None:
        """To the processor."""
        self.bump(INTERRUPTS)
        os.eventfd_write(self.events[place], 1)

    def bump(self, which: int) -> None:
        """Count one more."""
        self.machine.count(self.number, which, self.machine.counter(self.number, which) + 1)


def main(machine: Machine, plans: list[dict[str, Any]], events: dict[tuple[int, int], int]) -> None:
    """Work until the control page says stop."""
    said = machine.programmed()
    unit = KINDS[said["iommu"]](machine.memory(), said["registers"])
    requesters = [Requester(machine, unit, plan, events) for plan in plans]
    os.write(1, b"ready\n")
    parent = os.getppid()
    while not machine.words[STOP] and os.getppid() == parent:  # whoever started it may be gone without a word
        for each in requesters:
            each.burst()
        time.sleep(PAUSE)
    for each in requesters:
        each.settle()
