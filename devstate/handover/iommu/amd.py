# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""AMD: from the device table to devices and their page tables. The tables are drawn in schemas/project/amd.py."""

from __future__ import annotations

from devstate.handover.iommu.model import BLOCKED, FIRST_STAGE, NESTED, PASS_THROUGH, SECOND_STAGE, Device, Stage
from devstate.handover.iommu.runs import runs_of
from devstate.memory.physmem import PhysAddr
from devstate.pagetable.through import through

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy import bool_
    from numpy.typing import NDArray

    from devstate.codec.record import Record
    from devstate.handover.iommu.model import Run
    from devstate.handover.iommu.tables import Entries, Row, TableReader
    from devstate.memory import PhysMemory

ENTRY_SIZE = 32
SOURCES = 1 << 16
"""Entries of the largest device table: one for each bus, device and function."""

SEGMENTS = 34
"""Of CONTROL: the lowest of three bits, log2 of the tables that the device table is split into (DevTblSegEn)."""

PAGE = 4096
ODD = 0x1F << 2 | 1 << 63
"""Bits of the first word that are 0 in every entry."""

PATH = "device table"


def entry_count(reader: TableReader, root: int, registers: dict[str, int], assumed: list[str]) -> int:
    """Entries of the device table, as DEVTAB says."""
    if "DEVTAB" in registers:
        return ((registers["DEVTAB"] & 0x1FF) + 1) * PAGE // ENTRY_SIZE
    count = _guessed_pages(reader, root) * PAGE // ENTRY_SIZE
    assumed.append(f"DEVTAB is not given: a device table of {count} entries, by the looks of what follows the root")
    return count


def _guessed_pages(reader: TableReader, root: int) -> int:
    """Pages from the root on that could be of a device table: not all zero, and each entry zero, or valid with zeros where they must be."""
    import numpy as np

    memory, pages = reader.memory, 0
    while pages < SOURCES * ENTRY_SIZE // PAGE and memory.contains(root + pages * PAGE, PAGE):
        words = np.frombuffer(memory.read(root + pages * PAGE, PAGE), dtype="<u8").reshape(-1, ENTRY_SIZE // 8)
        used = (words != 0).any(axis=1)
        wrong = used & (((words[:, 0] & np.uint64(ODD)) != 0) | (((words[:, 0] & np.uint64(1)) == 0) & (words[:, 0] != 0)))
        if pages and (not used.any() or wrong.any()):
            break
        pages += 1
    return max(pages, 1)


def read_devices(reader: TableReader, entries: Entries) -> Iterator[Device]:
    """Every function that may reach memory by a valid entry, and every PASID of it that has tables."""
    reader.check(entries, entries.columns["valid"] != 0, PATH)
    for row in reader.rows(entries, _open(entries), PATH):
        if row.record.mode or row.record.guest_valid:
            yield from _device(reader, row)
        else:
            yield Device(row.index, 0, PASS_THROUGH, PASS_THROUGH, row.record.domain_id, row.pa, (), tuple(_details(row)))


def read_runs(entries: Entries) -> list[Run]:
    """The other entries: neighbours that are equal, together."""
    return runs_of(entries, ~_open(entries), _closed)


def _open(entries: Entries) -> NDArray[bool_]:
    """Which entries are valid, and have page tables or let something pass."""
    columns = entries.columns
    valid = (columns["valid"] & columns["translation_valid"]) != 0
    chosen: NDArray[bool_] = valid & ((columns["mode"] | columns["guest_valid"] | columns["read"] | columns["write"]) != 0)
    return chosen


def _closed(entry: Record) -> tuple[str, str, int]:
    """(translation, format, domain id) of the others: without ``valid`` the unit does not look at requests at all."""
    kind = BLOCKED if entry.valid else PASS_THROUGH
    return kind, kind, entry.domain_id


def _details(row: Row) -> list[tuple[str, Any]]:
    entry = row.record
    return [
        ("dte", row.words),
        ("dte_pa", PhysAddr(row.pa)),
        ("mode", entry.mode),
        ("read", bool(entry.read)),
        ("write", bool(entry.write)),
        ("guest_valid", bool(entry.guest_valid)),
        ("interrupt_control", entry.interrupt_control if entry.interrupt_valid else 0),
    ]


def _device(reader: TableReader, row: Row) -> Iterator[Device]:
    entry = row.record
    where = f"{PATH}, {row.index >> 8:02x}:{row.index >> 3 & 31:02x}.{row.index & 7}"
    host: tuple[Stage, ...] = ()
    if not entry.mode and not entry.guest_io:  # guest tables are for requests with a PASID alone
        yield Device(row.index, 0, PASS_THROUGH, PASS_THROUGH, entry.domain_id, row.pa, (), tuple(_details(row)))
    if entry.mode:
        table = reader.page_table("amd-v1", entry.host_table << 12, entry.mode, where, row.pa)
        host = () if table is None else (Stage(entry.domain_id, table),)
        # Without GIoV, requests that have no PASID use the host's tables alone, guest tables or not.
        if not entry.guest_valid or not entry.guest_io:
            yield Device(row.index, 0, SECOND_STAGE, "amd-v1", entry.domain_id, row.pa, host, tuple(_details(row)))
    if entry.guest_valid:
        yield from _guests(reader, row, host, where)


def _guests(reader: TableReader, row: Row, host: tuple[Stage, ...], where: str) -> Iterator[Device]:
    """One device a PASID that has guest tables."""
    entry = row.record
    memory = through(host[0].table) if host else None
    root = reader.plain(entry.gcr3_low << 12 | entry.gcr3_middle << 15 | entry.gcr3_high << 31)
    levels = 5 if entry.guest_paging == 1 else 4
    for pasid, gcr3 in _pasids(reader, root, entry.guest_levels + 1, where, memory):
        table = reader.page_table("amd-v2", gcr3.record.table << 12, levels, where, gcr3.pa, sign_extended=True, memory=memory)
        guest = () if table is None else (Stage(entry.domain_id, table),)
        details = [*_details(row), ("gcr3_table", PhysAddr(root)), ("gcr3_entry", gcr3.words), ("gcr3_entry_pa", PhysAddr(gcr3.pa))]
        if host:
            details += [("second_stage_top_table_pa", PhysAddr(host[0].table.top_table)), ("second_stage_levels", host[0].table.levels)]
        kind = NESTED if host else FIRST_STAGE
        plain = pasid == 0 and bool(entry.guest_io)
        yield Device(row.index, pasid, kind, "amd-v2", entry.domain_id, row.pa, (*guest, *host), tuple(details), plain)


def _pasids(reader: TableReader, root: int, levels: int, where: str, memory: PhysMemory | None) -> Iterator[tuple[int, Row]]:
    """(PASID, entry of the lowest level) of all that are valid, through up to three levels of 512."""
    tables = [(0, root)]
    for level in range(levels - 1, -1, -1):
        below: list[tuple[int, int]] = []
        for first, pa in tables:
            path = f"{where}, GCR3 table of PASID {first:#x} on"
            entries = reader.entries("amd-gcr3-entry", pa, 512, path, memory)
            valid = entries.columns["valid"] != 0
            reader.check(entries, valid, path)
            for row in reader.rows(entries, valid, path):
                number = first + (row.index << 9 * level)
                if level:
                    below.append((number, reader.plain(row.record.table << 12)))
                else:
                    yield number, row
        tables = below
