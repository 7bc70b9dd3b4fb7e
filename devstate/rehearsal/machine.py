# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The machine of a rehearsal: physical memory in one memfd, which every process maps, and a control page beside it.

::

    BASE                                                     guest RAM                BASE + size
    | kernel: tables, handover, first fit up  | scratch     | the guest's memory     |
    0                                         3/8           1/2                      1      of the size

    control page, u64s:  0 stop   1 vCPUs run   then for each device, 8 of them: stamps, interrupts, faults, lost, quiet, is quiet, held
                         and in its last pages the registers of the IOMMU unit
"""

from __future__ import annotations

import json
import mmap
import os
import struct

from devstate.memory.arena import Arena
from devstate.memory.physmem import MemoryRegion, PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BASE = 0x1_0000_0000
"""Where the machine's memory begins: 4 GiB."""

PAGE = 4096
STOP, RUNNING = 0, 1
"""Words of the control page: whether the device process must end, and whether the guest runs (someone takes its interrupts)."""

STAMPS, INTERRUPTS, FAULTS, LOST = 0, 1, 2, 3
"""Counters of a device: stamps written, interrupts raised, writes that were stopped, interrupts whose entry was not there."""

HELD = 6
"""Whether an interrupt of a device waits: it is masked."""

QUIET, IS_QUIET = 4, 5
"""Whether a device must not do DMA: a kernel says so, and the device answers."""

DEVICE_WORDS = 8

REGISTERS_SIZE = 4 * PAGE
"""Bytes of the control pages that registers of the IOMMU unit stand in: 64 redistributors have 3 KiB of them."""

STRIDE = 64
"""Bytes between stamps in a ring: a cache line."""

EVERY = 256
"""Stamps between two interrupts of a device."""


class Machine:
    """The memory of a rehearsal, as one process sees it."""

    def __init__(self, memory_fd: int, control_fd: int) -> None:
        self.memory_fd, self.control_fd = memory_fd, control_fd
        self.size = os.fstat(memory_fd).st_size
        self.bytes = memoryview(mmap.mmap(memory_fd, self.size))
        self._control = memoryview(mmap.mmap(control_fd, os.fstat(control_fd).st_size))
        self.words = self._control.cast("Q")

    @classmethod
    def create(cls, size: int, devices: int) -> Machine:
        """A new machine with ``size`` bytes of memory, all zero."""
        memory_fd, control_fd = os.memfd_create("memory", 0), os.memfd_create("control", 0)
        os.ftruncate(memory_fd, size)
        os.ftruncate(control_fd, -(-8 * DEVICE_WORDS * (1 + devices) // PAGE) * PAGE + REGISTERS_SIZE)
        return cls(memory_fd, control_fd)

    @property
    def end(self) -> int:
        """The first address behind the memory."""
        return BASE + self.size

    @property
    def scratch(self) -> tuple[int, int]:
        """(address, bytes) of the area that a new kernel boots in: nothing in it is ever preserved."""
        return BASE + self.size // 8 * 3, self.size // 8

    def memory(self) -> PhysMemory:
        """All of it, to read (and, by DMA, to write)."""
        return PhysMemory([MemoryRegion(BASE, self.size, self.bytes)], source="machine")

    def arena(self) -> Arena:
        """All of it, to allocate from: nothing is taken at first."""
        return Arena(BASE, self.size, backing=self.bytes, source="machine")

    def span(self, pa: int, size: int) -> memoryview:
        """Writable bytes at an address; a plain slice, for addresses that this process chose."""
        return self.bytes[pa - BASE : pa - BASE + size]

    def counter(self, device: int, which: int) -> int:
        """A counter of a device."""
        return self.words[DEVICE_WORDS * (1 + device) + which]

    def count(self, device: int, which: int, value: int) -> None:
        """Set a counter of a device: only the device process does, but for QUIET."""
        self.words[DEVICE_WORDS * (1 + device) + which] = value

    def program(self, values: dict[str, Any]) -> None:
        """Set the registers of the IOMMU unit: behind the counters, as JSON and a NUL."""
        data = json.dumps(values).encode()
        self._control[-REGISTERS_SIZE : len(data) + 1 - REGISTERS_SIZE] = data + b"\0"

    def programmed(self) -> dict[str, Any]:
        """What was set."""
        found: dict[str, Any] = json.loads(bytes(self._control[-REGISTERS_SIZE:]).partition(b"\0")[0])
        return found

    def stop(self) -> None:
        """Tell the device process to end."""
        self.words[STOP] = 1


STAMP = struct.Struct("=QII")
"""A stamp in memory: sequence, device, crc32c of both (devstate.pagetable.dma)."""
