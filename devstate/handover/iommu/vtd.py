# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""VT-d: from the root table to devices, in legacy and in scalable mode. The tables are drawn in schemas/project/vtd.py."""

from __future__ import annotations

from devstate.handover.iommu.model import FIRST_STAGE, NESTED, PASS_THROUGH, SECOND_STAGE, Device, Stage
from devstate.memory.physmem import PhysAddr
from devstate.pagetable.through import through

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.codec.record import Record
    from devstate.handover.iommu.tables import Row, TableReader
    from devstate.memory import PhysMemory

LEGACY, SCALABLE, RESERVED, ABORT = "legacy", "scalable", "reserved", "abort"
MODES = (LEGACY, SCALABLE, RESERVED, ABORT)
"""What bits 11:10 of RTADDR say. 2 was an extended form that no unit has any more."""

ROOT_SET = 1 << 30
"""GSTS.RTPS: the unit has taken the address in RTADDR."""

BUSES = FUNCTIONS = 256
HALF = 128
"""Functions of one context table of scalable mode."""

PASIDS = 64
"""Entries of one PASID table."""

WORDS = 3
"""Words of a PASID entry that have a meaning; the other five are reserved."""


def mode_of(reader: TableReader, root: int, registers: dict[str, int], assumed: list[str]) -> str:
    """The mode: as RTADDR says, else as the entries look. What is taken for granted goes into ``assumed``."""
    register = registers.get("RTADDR")
    if register is not None:
        return MODES[register >> 10 & 3]
    mode = _guess(reader, root)
    assumed.append(f"RTADDR is not given: {mode} mode, by the looks of the context entries")
    return mode


def _guess(reader: TableReader, root: int) -> str:
    """Legacy entries have an address width in their second word, which is never 0; scalable ones have a PASID there, most often 0."""
    import numpy as np

    memory = reader.memory
    legacy = scalable = 0
    for _, view in memory.read_present(root, 16 * BUSES):
        for low, high in np.frombuffer(view[: len(view) // 16 * 16], dtype="<u8").reshape(-1, 2).tolist():
            scalable += high & 1
            if low & 1:
                for _, table in memory.read_present(low & ~0xFFF, 4096):
                    words = np.frombuffer(table[: len(table) // 32 * 32], dtype="<u8").reshape(-1, 4)
                    words = words[(words[:, 0] & np.uint64(1)) != 0]
                    wide = words[:, 1] & np.uint64(7)
                    legacy += int(((wide >= 1) & (wide <= 3)).sum())
                    scalable += int(((wide == 0) & (words[:, 2] == 0) & (words[:, 3] == 0)).sum())
    return SCALABLE if scalable > legacy else LEGACY


def read_devices(reader: TableReader, root: int, mode: str) -> Iterator[Device]:
    """Every function, and in scalable mode every PASID, that has a present entry."""
    if mode in (RESERVED, ABORT):
        if mode == RESERVED:
            reader.find("iommu-entry-value", "RTADDR says a mode that there is not", root, "RTADDR", expected="0, 1 or 3", found="2")
        return
    if mode == LEGACY:
        yield from _legacy(reader, root)
        return
    buses = reader.entries("vtd-scalable-root-entry", root, BUSES, "root table")
    present = (buses.columns["lower_present"] | buses.columns["upper_present"]) != 0
    reader.check(buses, present, "root table")
    for bus in reader.rows(buses, present, "root table"):
        if bus.record.lower_present:
            yield from _half_bus(reader, bus.index << 8, bus.record.lower_table << 12)
        if bus.record.upper_present:
            yield from _half_bus(reader, (bus.index << 8) + HALF, bus.record.upper_table << 12)


def _legacy(reader: TableReader, root: int) -> Iterator[Device]:
    buses = reader.entries("vtd-root-entry", root, BUSES, "root table")
    present = buses.columns["present"] != 0
    reader.check(buses, present, "root table")
    for bus in reader.rows(buses, present, "root table"):
        path = f"context table of bus {bus.index:02x}"
        functions = reader.entries("vtd-context-entry", bus.record.context_table << 12, FUNCTIONS, path)
        there = functions.columns["present"] != 0
        with_tables = there & (functions.columns["translation"] != 2)
        reader.check(functions, there, path)
        for row in reader.rows(functions, there & ~with_tables, path):
            yield _context(reader, bus.index << 8 | row.index, row, path, PASS_THROUGH)
        for row in reader.rows(functions, with_tables, path):
            yield _context(reader, bus.index << 8 | row.index, row, path, SECOND_STAGE)


def _context(reader: TableReader, source_id: int, row: Row, path: str, translation: str) -> Device:
    entry = row.record
    stages: tuple[Stage, ...] = ()
    if translation == SECOND_STAGE:
        stages = _second(reader, entry, row.pa, path)
    details = (
        ("context_entry", row.words),
        ("context_entry_pa", PhysAddr(row.pa)),
        ("translation_type", entry.translation),
    )
    format = PASS_THROUGH if translation == PASS_THROUGH else "vtd-second-stage"
    return Device(source_id, 0, translation, format, entry.domain_id, row.pa, stages, details)


def _second(reader: TableReader, entry: Record, pa: int, path: str) -> tuple[Stage, ...]:
    levels: int = entry.address_width + 2
    table = reader.page_table("vtd-second-stage", entry.second_stage << 12, levels, path, pa)
    return () if table is None else (Stage(entry.domain_id, table),)


def _half_bus(reader: TableReader, first: int, table: int) -> Iterator[Device]:
    path = f"context table of bus {first >> 8:02x}, {'upper' if first & HALF else 'lower'} half"
    functions = reader.entries("vtd-scalable-context-entry", table, HALF, path)
    present = functions.columns["present"] != 0
    reader.check(functions, present, path)
    for row in reader.rows(functions, present, path):
        yield from _pasids(reader, first + row.index, row)


def _pasids(reader: TableReader, source_id: int, context: Row) -> Iterator[Device]:
    path = f"PASID directory of {source_id >> 8:02x}:{source_id >> 3 & 31:02x}.{source_id & 7}"
    size = 1 << (context.record.directory_size + 7)
    directory = reader.entries("vtd-pasid-directory-entry", context.record.directory << 12, size, path)
    present = directory.columns["present"] != 0
    reader.check(directory, present, path)
    for group in reader.rows(directory, present, path):
        first = group.index * PASIDS
        where = f"PASID table {first:#x} on of {path.removeprefix('PASID directory of ')}"
        pasids = reader.entries("vtd-pasid-entry", group.record.pasid_table << 12, PASIDS, where)
        live = pasids.columns["present"] != 0
        reader.check(pasids, live, where)
        for row in reader.rows(pasids, live, where):
            yield _pasid(reader, source_id, first + row.index, context, group, row, where)


def _pasid(reader: TableReader, source_id: int, pasid: int, context: Row, group: Row, row: Row, path: str) -> Device:
    entry = row.record
    translation, stages = _stages(reader, entry, row.pa, path)
    details: list[tuple[str, Any]] = [
        ("context_entry", context.words),
        ("context_entry_pa", PhysAddr(context.pa)),
        ("pasid_dir", PhysAddr(context.record.directory << 12)),
        ("pasid_table", PhysAddr(group.record.pasid_table << 12)),
        ("pasid_entry", row.words[:WORDS]),
        ("pasid_entry_pa", PhysAddr(row.pa)),
        ("pgtt", entry.translation),
        ("rid_pasid", context.record.rid_pasid),
    ]
    if translation == NESTED and len(stages) == 2:
        details += [("second_stage_top_table_pa", PhysAddr(stages[1].table.top_table)), ("second_stage_levels", stages[1].table.levels)]
    format = {PASS_THROUGH: PASS_THROUGH, SECOND_STAGE: "vtd-second-stage"}.get(translation, "vtd-first-stage")
    return Device(source_id, pasid, translation, format, entry.domain_id, row.pa, stages, tuple(details), pasid == context.record.rid_pasid)


def _stages(reader: TableReader, entry: Record, pa: int, path: str) -> tuple[str, tuple[Stage, ...]]:
    """How the entry translates, and its tables: those of the first stage first."""
    if entry.translation in (2, 3) and not entry.address_width:  # of no meaning to the others, so the schema has no range for it
        reader.find("iommu-entry-value", "a width that there is not", pa, path, expected="address_width 1..3", found="0")
    if entry.translation == 1:
        return FIRST_STAGE, _first(reader, entry, pa, path, None)
    if entry.translation == 2:
        return SECOND_STAGE, _second(reader, entry, pa, path)
    if entry.translation == 3:
        second = _second(reader, entry, pa, path)
        guest = through(second[0].table) if second else None
        return NESTED, (*_first(reader, entry, pa, path, guest), *second)
    return PASS_THROUGH if entry.translation == 4 else "reserved", ()


def _first(reader: TableReader, entry: Record, pa: int, path: str, guest: PhysMemory | None) -> tuple[Stage, ...]:
    levels = 4 + entry.first_stage_mode
    table = reader.page_table("vtd-first-stage", entry.first_stage << 12, levels, path, pa, sign_extended=True, memory=guest)
    return () if table is None else (Stage(entry.domain_id, table),)
