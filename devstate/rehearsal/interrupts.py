# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Interrupts: the remapping table of the machine, one page of VT-d entries, written and read by their schema; and who is routed where."""

from __future__ import annotations

import functools

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.handover.spec import PartSpec
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.rehearsal.guest import GUEST
from devstate.rehearsal.machine import PAGE, Machine
from devstate.rehearsal.state import Left, chars, holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Layout
    from devstate.memory.arena import Arena
    from devstate.memory.physmem import PhysMemory

ENTRY_SIZE = 16
ENTRIES = 256
VECTOR = 0x40

UNIT = "dmar0"
"""The IOMMU unit, as parts call it: its register says where the table is."""

MSIX, ENABLED, EXTENDED_IDS = 2, 1, 1
"""Numbers of interrupts-v1's names."""


@functools.cache
def entry_layout() -> Layout:
    """A remapped entry."""
    return Registry.shipped().layout("vtd-remapped-irte", Environment())


def entry(vector: int, destination: int, source: int) -> bytes:
    """The bytes of a present entry for an edge-triggered interrupt."""
    layout = entry_layout()
    values = {field.name: 0 for field in layout.struct().fields if not field.gap}
    values |= {"present": 1, "vector": vector, "destination": destination, "source_id": source, "source_validation": 1}
    return encode(layout, values)


def message(index: int) -> int:
    """The address that a device writes to raise the interrupt of an entry: the remappable form, VT-d specification 5.1.2.2."""
    return 0xFEE0_0010 | (index & 0x7FFF) << 5 | index >> 15 << 2


def raised_at(memory: PhysMemory, table: int, index: int) -> tuple[int, int] | None:
    """(destination, vector) of an entry; None when it is not present, or is none at all."""
    if not 0 <= index < ENTRIES:
        return None
    record = decode(entry_layout(), memory.read(table + ENTRY_SIZE * index, ENTRY_SIZE))
    return (record.destination, record.vector) if record.present else None


class Interrupts:
    """The remapping table: one entry for each device that does DMA."""

    name = "interrupts"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.table = 0
        self.entries: dict[int, tuple[int, int]] = {}

    @property
    def register(self) -> int:
        """IRTA: where the table is, 32-bit APIC ids, and log2 of its entries less 1."""
        return self.table | 1 << 11 | (ENTRIES.bit_length() - 2)

    def route(self, arena: Arena, devices: list[int], vcpus: int) -> None:
        """At a cold boot: a page of entries, one for each device."""
        self.table = arena.alloc()
        for number in devices:
            place = number % vcpus, VECTOR + number % (256 - VECTOR)
            arena.write(self.table + ENTRY_SIZE * number, entry(place[1], place[0], number << 3))
            self.entries[number] = place

    def parts(self) -> tuple[PartSpec, ...]:
        """The vectors of all devices, the entry that each leads to, and where that goes. The table itself is in place."""
        path, form = f"interrupts/{GUEST}", "interrupts-v1"
        head = {
            "name": chars(GUEST), "vectors": len(self.entries), "pins": 0, "affinities": len(self.entries), "masks": 0, "routes": 0,
            "irqfds": 0, "posted": 0, "flags": EXTENDED_IDS, "vm": 0,
        }  # fmt: skip
        vectors = [
            {
                "segment": 0, "source_id": number << 3, "index": 0, "kind": MSIX, "flags": ENABLED, "address": message(number),
                "data": 0, "unit": 0, "entry": number, "irq": vector,
            }
            for number, (_, vector) in self.entries.items()
        ]  # fmt: skip
        affinities = [
            {
                "unit": 0, "entry": number, "segment": 0, "source_id": number << 3, "flags": 0, "apic_id": destination,
                "cpu": destination, "mask_first": 0, "mask_words": 0,
            }
            for number, (destination, _) in self.entries.items()
        ]  # fmt: skip
        return (
            PartSpec(path, form, (head,)),
            PartSpec(f"{path}/vectors", form, tuple(vectors), "ds_msi_vector", many=True),
            PartSpec(f"{path}/affinities", form, tuple(affinities), "ds_irq_affinity", many=True),
        )

    def restore(self, left: Left) -> None:
        """Each entry that was in use says what it said: nothing was routed elsewhere meanwhile."""
        path, form = f"interrupts/{GUEST}", "interrupts-v1"
        vectors, affinities = left.records(f"{path}/vectors", form), left.records(f"{path}/affinities", form)
        head, memory = left.record(path, form), self.machine.memory()
        self.table = left.record(f"iommu/{UNIT}", "iommu-unit-v1").interrupts // PAGE * PAGE
        holds((head.vectors, head.affinities) == (len(vectors), len(affinities)), "not as many vectors as were said")
        holds(len(vectors) == len(affinities), "not each vector has a processor")
        holds(not vectors or memory.contains(self.table, PAGE), "the interrupt table is not in memory")
        for vector, affinity in zip(vectors, affinities, strict=True):
            place = affinity.apic_id, vector.irq
            found = raised_at(memory, self.table, vector.entry)
            holds(found == place and affinity.entry == vector.entry, f"interrupt entry {vector.entry} goes to {found}, not to {place}")
            holds(vector.address == message(vector.entry), f"the message of entry {vector.entry} leads elsewhere")
            self.entries[vector.source_id >> 3] = place
