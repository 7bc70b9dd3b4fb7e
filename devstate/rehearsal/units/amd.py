# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An AMD unit: one device table, host page tables (v1) or guest page tables (v2), 128-bit interrupt entries; schemas/project/amd.py and
amd_interrupt.py have the tables.
"""

from __future__ import annotations

from devstate.handover.interrupts.messages import amd_index, is_message
from devstate.handover.iommu.amd import ENTRY_SIZE
from devstate.handover.iommu.amd_interrupts import GA_ENABLED, REMAP, XT_ENABLED
from devstate.pagetable.table import PageTable
from devstate.rehearsal.machine import PAGE
from devstate.rehearsal.units.unit import X86_MESSAGE, Shape, Unit, entry, read, room, tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from devstate.memory.arena import Arena
    from devstate.memory.physmem import PhysMemory
    from devstate.rehearsal.units.unit import Message, Place

ENABLED = 1
"""Of CONTROL."""

DTE, GCR3, IRTE = "amd-device-entry", "amd-gcr3-entry", "amd-remapped-irte"
LENGTH = 5
"""log2 of the entries of a device's interrupt table."""

IRTE_SIZE = 16
GUEST_LEVELS = 4


class Amd(Unit):
    """Each device has an interrupt table of its own; which entry it uses depends on its number, so that no two look alike."""

    kind, name = "amd", "amd0"
    first, second = Shape("amd-v2", GUEST_LEVELS, sign_extended=True), Shape("amd-v1", 3)

    @classmethod
    def write(cls, arena: Arena, memory: PhysMemory, tables: Mapping[int, PageTable], places: Mapping[int, Place]) -> Self:
        """The device table, interrupt tables, and with guest page tables a GCR3 table a device. All others are blocked, as by Linux."""
        count = -(-(max(tables, default=0) + 1) * ENTRY_SIZE // PAGE) * PAGE // ENTRY_SIZE
        root = int(arena.alloc(count * ENTRY_SIZE))
        arena.write(root, entry(DTE, valid=1, translation_valid=1) * count)
        unit = cls(memory, {"DEVTAB": root | (count * ENTRY_SIZE // PAGE - 1), "CONTROL": ENABLED | GA_ENABLED | XT_ENABLED})
        interrupts = room(arena, len(tables), IRTE_SIZE << LENGTH)
        for (source, table), pa in zip(tables.items(), interrupts, strict=True):
            fields = _guest(arena, table) if table.sign_extended else {"mode": table.levels, "host_table": table.top_table >> 12}
            made = entry(
                DTE, valid=1, translation_valid=1, read=1, write=1, domain_id=tag(source), interrupt_valid=1, interrupt_length=LENGTH,
                interrupt_table=pa >> 6, interrupt_control=REMAP, **fields,
            )  # fmt: skip
            arena.write(root + ENTRY_SIZE * source, made)
            arena.write(pa + IRTE_SIZE * unit.entry_number(source), _irte(places[source]))
        return unit

    def _device(self, source: int) -> Any:
        """Its entry, None beyond the table."""
        register = self.registers["DEVTAB"]
        if source >= ((register & 0x1FF) + 1) * PAGE // ENTRY_SIZE:
            return None
        return read(self.memory, DTE, register & ~(PAGE - 1), source)

    def found(self, source: int) -> PageTable | None:
        """Device entry; with guest page tables a GCR3 entry, that of PASID 0."""
        device = self._device(source)
        if device is None or not device.valid or not device.translation_valid:
            return None
        if device.guest_valid and device.guest_io and not device.guest_levels and not device.mode:
            root = device.gcr3_low << 12 | device.gcr3_middle << 15 | device.gcr3_high << 31
            space = read(self.memory, GCR3, root)
            levels = GUEST_LEVELS + device.guest_paging
            return PageTable(self.memory, "amd-v2", space.table << 12, levels, sign_extended=True) if space.valid else None
        if not device.mode or not device.write:
            return None
        return PageTable(self.memory, "amd-v1", device.host_table << 12, device.mode)

    def sent(self, source: int, message: Message) -> Place | None:
        """The entry of the device's own table that the low bits of the data name."""
        device, index = self._device(source), amd_index(message[1])
        if device is None or not is_message(message[0]):
            return None
        if not device.interrupt_valid or device.interrupt_control != REMAP or index >> device.interrupt_length:
            return None
        found = read(self.memory, IRTE, device.interrupt_table << 6, index)
        place = found.destination_high << 24 | found.destination_low, found.vector
        return place if found.valid and not found.guest_mode else None

    def message(self, source: int) -> Message:
        """The address says nothing more: the entry does."""
        return X86_MESSAGE, self.entry_number(source)

    def entry_number(self, source: int) -> int:
        """By the device's number."""
        return (source >> 3) % (1 << LENGTH)

    def sound(self, source: int, place: Place) -> bool:
        """In the table of the device, and no other entry of it."""
        device = self._device(source)
        if device is None:
            return False
        pa, size = device.interrupt_table << 6, IRTE_SIZE << LENGTH
        wanted = bytearray(size)
        at = IRTE_SIZE * self.entry_number(source)
        wanted[at : at + IRTE_SIZE] = _irte(place)
        return self.memory.contains(pa, size) and self.memory.read(pa, size) == wanted


def _guest(arena: Arena, table: PageTable) -> dict[str, int]:
    """A GCR3 table of one level, and what the device entry says of it."""
    root = int(arena.alloc())
    arena.write(root, entry(GCR3, valid=1, table=table.top_table >> 12))
    return {
        "guest_valid": 1, "guest_io": 1, "guest_paging": table.levels - GUEST_LEVELS, "gcr3_low": root >> 12 & 7,
        "gcr3_middle": root >> 15 & 0xFFFF, "gcr3_high": root >> 31,
    }  # fmt: skip


def _irte(place: Place) -> bytes:
    return entry(IRTE, valid=1, destination_low=place[0] & 0xFFFFFF, destination_high=place[0] >> 24, vector=place[1])
