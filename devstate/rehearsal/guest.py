# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The guest's memory: where it is, what is in it, and the interrupts that the guest has taken."""

from __future__ import annotations

import os
import random

from devstate.handover.guests import guests_of
from devstate.handover.spec import GuestRange, GuestSpec
from devstate.rehearsal.machine import BASE, PAGE, Machine
from devstate.rehearsal.state import Left, holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GUEST = "guest"
"""The guest, as parts and sessions call it."""


class GuestMemory:
    """The guest's RAM: the upper half of the machine's memory. Its first page counts the interrupts that the guest has taken."""

    name = "memory"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.pa = BASE + machine.size // 2
        self.size = machine.size // 2
        self.covered: Callable[[int, int], bool] = lambda pa, size: False

    def fill(self, seed: int) -> None:
        """At a cold boot: bytes that are known, and different on every page."""
        self.machine.span(self.pa + PAGE, self.size - PAGE)[:] = pattern(seed, self.size - PAGE)

    def prepare(self) -> None:
        """It stays where it is."""

    def freeze(self) -> None:
        """Nothing to do: no vCPU writes any more."""

    def guest(self, session: str, token: int) -> GuestSpec:
        """Where it is, and which file keeps it; devices write to it through the jump."""
        return GuestSpec(GUEST, (GuestRange(0, self.size, session, token, flags=("shared", "pinned")),))

    def restore(self, left: Left) -> None:
        """It must be where this kernel's guest has it, in one piece or many, and preserved."""
        holds(self.covered(self.pa, self.size), "guest memory is not all preserved")
        for guest in guests_of(left.handover):
            at = 0
            for gpa, pa, size in zip(*[guest.extents[name].tolist() for name in ("gpa", "pa", "size")], strict=True):
                holds((gpa, pa) == (at, self.pa + at), f"guest memory at {gpa:#x} is at {pa:#x}, not where it was")
                at += size
            holds((guest.name, at) == (GUEST, self.size), f"{guest.name} has {at:#x} bytes, not {self.size:#x}")

    def took(self, device: int, count: int) -> None:
        """The guest took interrupts of a device."""
        counters = self.machine.span(self.pa, PAGE).cast("Q")
        counters[device] += count

    def taken(self, device: int) -> int:
        """How many interrupts of a device the guest has taken."""
        return self.machine.span(self.pa, PAGE).cast("Q")[device]


def pattern(seed: int, size: int) -> bytes:
    """The guest's bytes, whole pages of them: each begins with its number."""
    piece = random.Random(seed).randbytes(min(size, 1 << 20))
    data = bytearray((piece * -(-size // len(piece)))[:size])
    for page in range(size // PAGE):
        data[page * PAGE : page * PAGE + 8] = page.to_bytes(8, "little")
    return bytes(data)


def take_interrupts(guest: GuestMemory, events: dict[int, int]) -> None:
    """The guest takes what is pending: from each device's event descriptor into its own memory."""
    for number, fd in events.items():
        try:
            guest.took(number, os.eventfd_read(fd))
        except BlockingIOError:
            continue
