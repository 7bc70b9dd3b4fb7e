# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IOMMU tables for tests: words put into an arena at chosen addresses, and units read from there."""

from __future__ import annotations

from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.read import read_unit
from devstate.memory.arena import Arena

BASE = 0x10000
"""Where the memory of a test begins; page n is at BASE + n * 4096."""


def page(number: int) -> int:
    """The address of a page of the test's memory."""
    return BASE + number * 4096


class Tables:
    """``pages`` pages of zeros from BASE on, to be written to word by word."""

    def __init__(self, pages: int = 32) -> None:
        self.data = bytearray(pages * 4096)

    def words(self, pa: int, *values: int) -> Tables:
        """Write little-endian 64-bit words at ``pa``."""
        for number, value in enumerate(values):
            at = pa - BASE + 8 * number
            self.data[at : at + 8] = value.to_bytes(8, "little")
        return self

    def arena(self) -> Arena:
        """The memory, to read from."""
        arena = Arena()
        arena.alloc(len(self.data), at=BASE)
        arena.write(BASE, bytes(self.data))
        return arena

    def unit(self, kind: str, root: int, **registers: int) -> Unit:
        """The unit whose root table is at ``root``."""
        return read_unit(self.arena().view(), kind, root, registers)
