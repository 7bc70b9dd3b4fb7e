# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a driver finds in a new kernel without being told: its device is at work, its page tables and its interrupt's place are where they
were. By it a driver derives again what it cannot read of what was left (``Driver.derive``).
"""

from __future__ import annotations

import crc32c

from devstate.frozen import frozen
from devstate.pagetable.dma import Ring
from devstate.pagetable.oracle import translate
from devstate.rehearsal.domains import IOVA, WINDOW
from devstate.rehearsal.machine import PAGE, STAMP, STRIDE, Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.table import PageTable
    from devstate.rehearsal.kernel import Kernel


@frozen
class World:
    """Of one device: ``table`` are its page tables, from the root of the unit on (None for a bridge, and for a device that the unit lets
    nowhere), ``place`` is where its interrupt goes (processor, vector), ``ring`` where its stamps are in its iova space.
    """

    machine: Machine
    table: PageTable | None
    place: tuple[int, int] | None
    ring: Ring

    def newest(self) -> int | None:
        """The number of the newest stamp in the ring, which the device may be writing to meanwhile; None when no stamp is whole."""
        import numpy as np

        slots = np.zeros(0, np.uint8) if self.table is None else np.frombuffer(self._read(self.table), np.uint8)
        stamps = slots.reshape(-1, STRIDE)[:, : STAMP.size].copy().view([("sequence", "<u8"), ("device", "<u4"), ("check", "<u4")])[:, 0]
        for at in np.argsort(stamps["sequence"])[::-1]:
            raw = stamps[at].tobytes()
            if STAMP.unpack(raw)[1:] == (self.ring.device, crc32c.crc32c(raw[:12])):
                return int(stamps["sequence"][at])
        return None

    def _read(self, table: PageTable) -> bytes:
        """All slots, page by page, as far as they are mapped."""
        pages, size = [], self.ring.slots * self.ring.stride
        for at in range(0, size, PAGE):
            found = translate(table, self.ring.iova + at)
            if found is None or not table.memory.contains(found.pa, PAGE):
                break
            pages.append(bytes(table.memory.read(found.pa, min(PAGE, size - at))))
        return b"".join(pages)


def world_of(kernel: Kernel, number: int) -> World:
    """What the device of this number has in a kernel that has taken up the IOMMU and the interrupts."""
    slots = kernel.scenario.devices[number].slots
    ring = Ring(IOVA + WINDOW * number, slots, STRIDE, number)
    return World(kernel.machine, kernel.iommu.tables.get(number), kernel.interrupts.places.get(number), ring)
