# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where the structures are that hardware reads in a jump, and the new kernel too: for faults that flip a byte there.

A byte of these is at work at once: a device may write where it must not before any kernel has looked. No kernel can prevent that. What must
hold is that the damage is seen: the new kernel refuses, or the byte says nothing to anybody and all is well at the end.
"""

from __future__ import annotations

from devstate.handover.iommu.packed import STREAM
from devstate.handover.objects import ITS, objects_of, units_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.iommu.model import Unit
    from devstate.handover.model import Handover

LIVE = "live "
"""How the name of such a structure begins."""

WORD = 8
PENDING = 5
"""Kind of an area of its-v1."""


def live_structures(handover: Handover) -> Iterator[tuple[int, int, str]]:
    """(address, bytes, what) of each: tables of units, the entries of devices, interrupt entries; page tables, and entries in use there,
    if there are streams to hold them against; tables of an ITS, their parts in use. Not pending bits: what comes in the blackout changes
    them, so nobody can say what they should be.
    """
    packed = handover.state is not None and any(part.format == STREAM for part in handover.state.parts)
    for _, unit in units_of(handover):
        if unit is not None:
            yield from _unit(unit)
            if packed:
                yield from _page_tables(handover, unit)
    for each in objects_of(handover, ITS):
        for area in each.parts.get("areas", ()):
            if area.kind == PENDING:
                continue
            for pa in (area.pa, *_used(handover, area.pa, area.size)):
                yield pa, area.size if pa == area.pa else WORD, f"{LIVE}its area {area.kind}"


def _unit(unit: Unit) -> Iterator[tuple[int, int, str]]:
    for table in unit.tables:
        yield table.pa, table.size, f"{LIVE}{table.schema}"
    sizes = {table.schema: table.entry_size for table in unit.tables}
    for device in unit.devices:
        yield device.pa, max(sizes.values()) if sizes else WORD, f"{LIVE}entry of {device.source_id >> 3}"
    for interrupts in unit.interrupts or ():
        for entry in interrupts.entries:
            yield entry.pa, interrupts.entry_size, f"{LIVE}interrupt entry {entry.index}"


def _page_tables(handover: Handover, unit: Unit) -> Iterator[tuple[int, int, str]]:
    for domain in unit.domains:
        table = domain.stage.table
        for level, pages in table.table_pages().items():
            for page in pages:
                size = WORD * table.entries(level)
                yield page, size, f"{LIVE}page table of domain {domain.domain_id}, level {level}"
                for pa in _used(handover, page, size):
                    yield pa, WORD, f"{LIVE}page table entry of domain {domain.domain_id}, level {level}"


def _used(handover: Handover, pa: int, size: int) -> list[int]:
    """Addresses of the first words there that are not 0."""
    assert handover.memory is not None  # it was opened from one
    data = bytes(handover.memory.read(pa, size))
    return [pa + at for at in range(0, size - WORD + 1, WORD) if any(data[at : at + WORD])][:2]
