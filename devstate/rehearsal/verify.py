# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What must hold when a rehearsal is over, however it ended.

- no write of a device was stopped, none is missing, none is where it does not belong: each slot of each ring holds the last stamp that
  belongs there, and all other memory of the guest is what it was;
- no interrupt found its entry gone, and, if the guest lives, each was taken once: what the guest counted and what is still pending is
  what was raised.
"""

from __future__ import annotations

import os

import crc32c
import numpy as np

from devstate.rehearsal.guest import GuestMemory, pattern
from devstate.rehearsal.machine import FAULTS, HELD, INTERRUPTS, LOST, PAGE, STAMP, STAMPS, STRIDE, Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from devstate.rehearsal.scenario import Scenario


def verify_end(machine: Machine, scenario: Scenario, events: dict[int, int], *, guest_lives: bool) -> list[str]:
    """What does not hold, in words. The device process must have ended."""
    found: list[str] = []
    guest = GuestMemory(machine)
    expected = np.frombuffer(bytearray(PAGE) + pattern(scenario.seed, guest.size - PAGE)[: guest.size - PAGE], np.uint8).copy()
    now = np.frombuffer(machine.span(guest.pa, guest.size), np.uint8)
    at = PAGE
    for number, plan in enumerate(scenario.devices):
        pages = -(-plan.slots * STRIDE // PAGE)
        if pages:
            found += rings(machine, number, plan.slots, expected, at, pages)
        at += pages * PAGE
    expected[:PAGE] = now[:PAGE]  # the guest's own counters
    other = np.flatnonzero(expected != now)
    if len(other):
        found.append(f"guest memory changed outside of DMA: {len(other)} bytes, the first at {guest.pa + int(other[0]):#x}")
    return [*found, *interrupts(machine, guest, events, guest_lives)]


def rings(machine: Machine, number: int, slots: int, expected: npt.NDArray[np.uint8], at: int, pages: int) -> list[str]:
    """A device's counters; and put into ``expected`` what its ring must hold. Pages of a ring are mapped in reverse."""
    found = []
    stamps = machine.counter(number, STAMPS)
    if machine.counter(number, FAULTS):
        found.append(f"device {number}: {machine.counter(number, FAULTS)} writes were stopped")
    if machine.counter(number, LOST):
        found.append(f"device {number}: {machine.counter(number, LOST)} interrupts were lost")
    for slot in range(min(slots, stamps)):
        last = stamps - 1 - (stamps - 1 - slot) % slots
        raw = STAMP.pack(last, number, 0)[:12]
        stamp = raw + crc32c.crc32c(raw).to_bytes(4, "little")
        page, offset = divmod(slot * STRIDE, PAGE)
        place = at + (pages - 1 - page) * PAGE + offset
        expected[place : place + len(stamp)] = np.frombuffer(stamp, np.uint8)
    return found


def interrupts(machine: Machine, guest: GuestMemory, events: dict[int, int], guest_lives: bool) -> Iterator[str]:
    """Whether each interrupt was taken once. A guest that is gone takes none; then none may have been taken twice."""
    for number, fd in events.items():
        try:
            pending = os.eventfd_read(fd)
        except BlockingIOError:
            pending = 0
        raised, taken = machine.counter(number, INTERRUPTS), guest.taken(number)
        if taken + pending != raised:
            yield f"device {number}: {raised} interrupts raised, {taken} taken and {pending} pending"
        elif not guest_lives and taken > raised:
            yield f"device {number}: {taken} interrupts taken, {raised} raised"
        if guest_lives and machine.counter(number, HELD):
            yield f"device {number}: an interrupt is still held back"
