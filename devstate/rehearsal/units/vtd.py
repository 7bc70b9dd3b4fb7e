# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A VT-d unit: legacy mode for the second stage, scalable mode for the first (schemas/project/vtd.py, vtd_interrupt.py)."""

from __future__ import annotations

from devstate.handover.interrupts.messages import vtd_index, vtd_message
from devstate.handover.iommu.vtd import FUNCTIONS, HALF, PASIDS, ROOT_SET
from devstate.handover.iommu.vtd_interrupts import EIME, ENABLED
from devstate.pagetable.table import PageTable
from devstate.rehearsal.machine import PAGE
from devstate.rehearsal.units.unit import Shape, Unit, entry, read, tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from devstate.memory.arena import Arena
    from devstate.memory.physmem import PhysMemory
    from devstate.rehearsal.units.unit import Message, Place

TRANSLATES = 1 << 31
SCALABLE = 1 << 10
"""Of RTADDR: the mode."""

FIRST_STAGE = 1
"""Of a PASID entry."""

IRTE = "vtd-remapped-irte"
ENTRIES_MIN = PAGE // 16
"""Entries of the smallest interrupt table: a page of them."""

FIRST_LEVELS = 4


class Vtd(Unit):
    """Interrupts go by one table; the entry of a device is that of its number."""

    kind, name = "vtd", "dmar0"
    first, second = Shape("vtd-first-stage", FIRST_LEVELS, sign_extended=True), Shape("vtd-second-stage", 3)

    @classmethod
    def write(cls, arena: Arena, memory: PhysMemory, tables: Mapping[int, PageTable], places: Mapping[int, Place]) -> Self:
        """Root, contexts, and in scalable mode a PASID directory and table a device; the interrupt table."""
        scalable = any(table.sign_extended for table in tables.values())
        root = int(arena.alloc())
        halves: dict[int, int] = {}
        for source, table in tables.items():
            half = source // HALF
            if not scalable:
                half &= ~1  # one table has all functions of a bus
            if half not in halves:
                halves[half] = int(arena.alloc())
                (_scalable_root if scalable else _root)(arena, root, half, halves[half])
            (_pasid if scalable else _context)(arena, halves[half], source, table)
        entries = max(ENTRIES_MIN, 1 << max([source >> 3 for source in places], default=0).bit_length())
        irta = int(arena.alloc(16 * entries)) | EIME | (entries.bit_length() - 2)
        registers = {"RTADDR": root | SCALABLE * scalable, "GSTS": TRANSLATES | ROOT_SET | ENABLED, "IRTA": irta}
        unit = cls(memory, registers)
        for source, place in places.items():
            arena.write(unit.interrupt_table + 16 * (source >> 3), _irte(source, place))
        return unit

    @property
    def interrupt_table(self) -> int:
        """Where it is."""
        return self.registers["IRTA"] & ~(PAGE - 1)

    def found(self, source: int) -> PageTable | None:
        """Root entry, context; in scalable mode PASID directory and PASID entry."""
        memory, register = self.memory, self.registers["RTADDR"]
        root, bus, function = register & ~(PAGE - 1), source // FUNCTIONS, source % FUNCTIONS
        if not register & SCALABLE:
            first = read(memory, "vtd-root-entry", root, bus)
            context = read(memory, "vtd-context-entry", first.context_table << 12, function) if first.present else None
            if context is None or not context.present or context.translation > 1:
                return None
            return PageTable(memory, "vtd-second-stage", context.second_stage << 12, context.address_width + 2)
        halves = read(memory, "vtd-scalable-root-entry", root, bus)
        upper = function // HALF
        present, table = (halves.upper_present, halves.upper_table) if upper else (halves.lower_present, halves.lower_table)
        requester = read(memory, "vtd-scalable-context-entry", table << 12, function % HALF) if present else None
        if requester is None or not requester.present:
            return None
        directory = read(memory, "vtd-pasid-directory-entry", requester.directory << 12, requester.rid_pasid // PASIDS)
        space = read(memory, "vtd-pasid-entry", directory.pasid_table << 12, requester.rid_pasid % PASIDS) if directory.present else None
        if space is None or not space.present or space.translation != FIRST_STAGE:
            return None
        levels = FIRST_LEVELS + space.first_stage_mode
        return PageTable(memory, "vtd-first-stage", space.first_stage << 12, levels, sign_extended=True)

    def sent(self, source: int, message: Message) -> Place | None:
        """The entry that the message names, if it is this requester's."""
        index = vtd_index(*message)
        if index is None or index >= 2 << (self.registers["IRTA"] & 0xF):
            return None
        found = read(self.memory, IRTE, self.interrupt_table, index)
        mine = not found.source_validation or found.source_id == source
        return (found.destination, found.vector) if found.present and not found.posted and mine else None

    def message(self, source: int) -> Message:
        """The remappable form."""
        return vtd_message(self.entry_number(source))

    def entry_number(self, source: int) -> int:
        """The device's number."""
        return source >> 3

    def sound(self, source: int, place: Place) -> bool:
        """Its own, and no other."""
        pa = self.interrupt_table + 16 * self.entry_number(source)
        return self.memory.contains(pa, 16) and self.memory.read(pa, 16) == _irte(source, place)


def _root(arena: Arena, root: int, half: int, table: int) -> None:
    arena.write(root + 16 * (half // 2), entry("vtd-root-entry", present=1, context_table=table >> 12))


def _scalable_root(arena: Arena, root: int, half: int, table: int) -> None:
    low = entry("vtd-scalable-root-entry", lower_present=1, lower_table=table >> 12)[:8]
    arena.write(root + 8 * half, low)  # both halves have one form


def _context(arena: Arena, contexts: int, source: int, table: PageTable) -> None:
    made = entry("vtd-context-entry", present=1, second_stage=table.top_table >> 12, address_width=table.levels - 2, domain_id=tag(source))
    arena.write(contexts + 16 * (source % FUNCTIONS), made)


def _pasid(arena: Arena, contexts: int, source: int, table: PageTable) -> None:
    directory, pasids = int(arena.alloc()), int(arena.alloc())
    arena.write(contexts + 32 * (source % HALF), entry("vtd-scalable-context-entry", present=1, directory=directory >> 12))
    arena.write(directory, entry("vtd-pasid-directory-entry", present=1, pasid_table=pasids >> 12))
    mode = table.levels - FIRST_LEVELS
    made = entry(
        "vtd-pasid-entry", present=1, translation=FIRST_STAGE, domain_id=tag(source), first_stage=table.top_table >> 12,
        first_stage_mode=mode,
    )  # fmt: skip
    arena.write(pasids, made)


def _irte(source: int, place: Place) -> bytes:
    return entry(IRTE, present=1, vector=place[1], destination=place[0], source_id=source, source_validation=1)
