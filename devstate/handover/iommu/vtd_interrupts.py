# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""VT-d: the interrupt remapping table. Its entries are drawn in schemas/project/vtd_interrupt.py."""

from __future__ import annotations

from devstate.handover.iommu.model import InterruptEntry, InterruptTable
from devstate.memory.physmem import PhysAddr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.iommu.tables import Row, TableReader

EIME = 1 << 11
ENABLED = 1 << 25
"""GSTS.IRES: interrupts are remapped."""

PATH = "interrupt remapping table"


def read_interrupts(reader: TableReader, registers: dict[str, int], assumed: list[str]) -> tuple[InterruptTable, ...] | None:
    """The table that IRTA names, with every entry that is not zero; None where interrupts are not remapped."""
    register = registers.get("IRTA")
    if register is None:
        assumed.append("IRTA is not given: no interrupt table is read")
        return None
    if "GSTS" in registers and not registers["GSTS"] & ENABLED:
        return None
    pa, count = register & ~0xFFF, 2 << (register & 0xF)
    # An entry is of the posted form by its bit 15, so a table is read as both.
    remapped = reader.entries("vtd-remapped-irte", pa, count, PATH)
    if not len(remapped):
        return (InterruptTable(pa, count, 16, None, bool(register & EIME), ()),)
    posted = reader.as_other(remapped, "vtd-posted-irte")
    used = (remapped.words != 0).any(axis=1)
    live = remapped.columns["present"] != 0
    kinds = remapped.columns["posted"] != 0
    reader.check(remapped, used & live & ~kinds, PATH)
    reader.check(posted, used & live & kinds, PATH)
    entries = list(reader.metered((_remapped(row) for row in remapped.rows(used & ~kinds)), PATH))
    entries += reader.metered((_posted(row) for row in posted.rows(used & kinds)), PATH)
    entries.sort(key=lambda entry: entry.index)
    return (InterruptTable(pa, count, 16, None, bool(register & EIME), tuple(entries)),)


def _remapped(row: Row) -> InterruptEntry:
    entry = row.record
    details = (
        ("source_id", PhysAddr(entry.source_id)),
        ("source_qualifier", entry.source_qualifier),
        ("source_validation", entry.source_validation),
        ("delivery", entry.delivery),
        ("logical", bool(entry.logical)),
        ("level", bool(entry.level)),
    )
    return InterruptEntry(row.index, "remapped", bool(entry.present), row.words, entry.vector, entry.destination, row.pa, details)


def _posted(row: Row) -> InterruptEntry:
    entry = row.record
    details = (
        ("source_id", PhysAddr(entry.source_id)),
        ("source_qualifier", entry.source_qualifier),
        ("source_validation", entry.source_validation),
        ("descriptor_pa", PhysAddr(entry.descriptor_high << 32 | entry.descriptor_low << 6)),
        ("urgent", bool(entry.urgent)),
    )
    return InterruptEntry(row.index, "posted", bool(entry.present), row.words, entry.vector, 0, row.pa, details)
