# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""AMD: the interrupt tables of device entries. Their entries are drawn in schemas/project/amd_interrupt.py."""

from __future__ import annotations

from devstate.handover.iommu.model import InterruptEntry, InterruptTable
from devstate.memory.physmem import PhysAddr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.iommu.tables import Entries, Row, TableReader

GA_ENABLED, XT_ENABLED, GA_SUPPORTED = 1 << 17, 1 << 50, 1 << 7
"""CONTROL.GAEn, CONTROL.XTEn, EFR.GASup."""

REMAP = 2
"""``interrupt_control`` of an entry whose fixed interrupts are remapped."""


def read_interrupts(reader: TableReader, devices: Entries, registers: dict[str, int], assumed: list[str]) -> tuple[InterruptTable, ...]:
    """The tables that device entries lead to, each once, with every entry that is not zero."""
    users = _users(devices)
    wide = _wide(registers, assumed) if users else True
    extended = bool(registers.get("CONTROL", 0) & XT_ENABLED)
    return tuple(_table(reader, reader.plain(pa), bits, tuple(sources), wide, extended) for (pa, bits), sources in users.items())


def _users(devices: Entries) -> dict[tuple[int, int], list[int]]:
    """The devices whose interrupts are remapped, by (address, log2 of the entries) of their table, in the order of devices."""
    import numpy as np

    columns = devices.columns
    chosen = (columns["interrupt_valid"] != 0) & (columns["interrupt_control"] == REMAP)
    found: dict[tuple[int, int], list[int]] = {}
    roots, lengths = columns["interrupt_table"], columns["interrupt_length"]
    for number in np.flatnonzero(chosen).tolist():
        key = int(roots[number]) << 6, min(int(lengths[number]), 11)
        found.setdefault(key, []).append(int(devices.index[number]))
    return found


def _wide(registers: dict[str, int], assumed: list[str]) -> bool:
    """Whether entries have 128 bits."""
    if "CONTROL" in registers:
        return bool(registers["CONTROL"] & GA_ENABLED)
    if "EFR" in registers:
        wide = bool(registers["EFR"] & GA_SUPPORTED)
        assumed.append(f"CONTROL is not given: interrupt entries of {'128' if wide else '32'} bits, as EFR allows them")
        return wide
    assumed.append("neither CONTROL nor EFR is given: interrupt entries of 128 bits, 8-bit APIC ids")
    return True


def _table(reader: TableReader, pa: int, bits: int, sources: tuple[int, ...], wide: bool, extended: bool) -> InterruptTable:
    first = sources[0]
    path = f"interrupt table of {first >> 8:02x}:{first >> 3 & 31:02x}.{first & 7}"
    entries = reader.entries("amd-remapped-irte" if wide else "amd-irte", pa, 1 << bits, path)
    read = _wide_entries if wide else _narrow_entries
    found = sorted(reader.metered(read(reader, entries, path), path), key=lambda each: each.index)
    return InterruptTable(pa, 1 << bits, 16 if wide else 4, sources, extended, tuple(found))


def _narrow_entries(reader: TableReader, entries: Entries, path: str) -> Iterator[InterruptEntry]:
    if len(entries):
        reader.check(entries, entries.columns["valid"] != 0, path)
        for row in entries.rows(entries.words[:, 0] != 0):
            yield _entry(row, "remapped", row.record.destination)


def _wide_entries(reader: TableReader, entries: Entries, path: str) -> Iterator[InterruptEntry]:
    if not len(entries):
        return
    guests = reader.as_other(entries, "amd-guest-irte")
    used = (entries.words != 0).any(axis=1)
    valid, guest = entries.columns["valid"] != 0, entries.columns["guest_mode"] != 0
    reader.check(entries, valid & ~guest, path)
    reader.check(guests, valid & guest, path)
    for row in entries.rows(used & ~guest):
        yield _entry(row, "remapped", row.record.destination_high << 24 | row.record.destination_low)
    for row in guests.rows(used & guest):
        yield _entry(row, "guest", row.record.destination_high << 24 | row.record.destination_low)


def _entry(row: Row, kind: str, destination: int) -> InterruptEntry:
    entry = row.record
    details: tuple[tuple[str, int], ...]
    if kind == "guest":
        details = ("guest_tag", PhysAddr(entry.tag)), ("apic_page_pa", PhysAddr(entry.page << 12)), ("running", bool(entry.running))
    else:
        details = ("delivery", entry.delivery), ("logical", bool(entry.logical)), ("request_eoi", bool(entry.request_eoi))
    return InterruptEntry(row.index, kind, bool(entry.valid), row.words, entry.vector, destination, row.pa, details)
