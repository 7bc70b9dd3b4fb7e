# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3: the contexts of a stream, each with page tables of stage 1. The tables are drawn in schemas/project/smmu.py."""

from __future__ import annotations

from devstate.handover.iommu.model import FIRST_STAGE, NESTED, Device, Stage
from devstate.memory.physmem import PhysAddr
from devstate.pagetable.through import through

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.codec.record import Record
    from devstate.handover.iommu.tables import Row, TableReader
    from devstate.memory import PhysMemory

GRANULES = {0: 4096, 1: 65536, 2: 16384}
"""Bytes of a granule, as tg0 of a context and tg of stage 2 number them."""

UPPER_GRANULES = {1: 16384, 2: 4096, 3: 65536}
"""... and as tg1 does."""

SMALL_BITS, LARGE = 48, 65536
"""Bits of an address that 4K and 16K granules translate without LPA2, and the granule that has more anyway."""

LEVEL2_BITS = {1: 6, 2: 10}
"""log2 of the contexts in a second level, by the form of the contexts."""

WORDS = 4
"""Words of a context that are shown; the other four are of extensions."""


def read_contexts(
    reader: TableReader, sid: int, stream: Row, second: tuple[Stage, ...], details: list[tuple[str, Any]], path: str
) -> Iterator[Device]:
    """One device for each valid context of the stream."""
    entry = stream.record
    memory = through(second[0].table) if second else None
    root: int = entry.context << 6
    shown = [*details, ("cd_table", PhysAddr(root)), ("s1cdmax", entry.context_max), ("s1fmt", entry.context_format)]
    for pasid, row in _contexts(reader, root, entry, path, memory):
        context = row.record
        stages = _stages(reader, context, row.pa, f"{path}, context {pasid:#x}", memory)
        own = [("cd", row.words[:WORDS]), ("cd_pa", PhysAddr(row.pa)), ("t0sz", context.t0sz), ("tg0", context.tg0), ("asid", context.asid)]
        if len(stages) == 2:
            own += [("upper_top_table_pa", PhysAddr(stages[1].table.top_table)), ("t1sz", context.t1sz), ("tg1", context.tg1)]
        kind = NESTED if second else FIRST_STAGE
        yield Device(sid, pasid, kind, "arm-lpae-s1", context.asid, stream.pa, (*stages, *second), (*shown, *own))


def _contexts(reader: TableReader, root: int, entry: Record, path: str, memory: PhysMemory | None) -> Iterator[tuple[int, Row]]:
    """(PASID, context) of all valid contexts."""
    bits = min(entry.context_max, 20)
    below = LEVEL2_BITS.get(entry.context_format)
    tables = [(0, root, 1 << bits)]
    if below is not None and bits:  # one context is never in two levels
        first = reader.entries("smmu-context-level1", root, 1 << max(bits - below, 0), f"{path}, first level of contexts", memory)
        valid = first.columns["valid"] != 0
        reader.check(first, valid, path)
        tables = [(row.index << below, row.record.table << 12, 1 << below) for row in reader.rows(first, valid, path)]
    for base, pa, count in tables:
        where = f"{path}, contexts of PASID {base:#x} on"
        contexts = reader.entries("smmu-context-descriptor", pa, count, where, memory)
        live = contexts.columns["valid"] != 0
        reader.check(contexts, live, where)
        for row in reader.rows(contexts, live, where):
            yield base + row.index, row


def _stages(reader: TableReader, context: Record, pa: int, path: str, memory: PhysMemory | None) -> tuple[Stage, ...]:
    """The tables of the lower half, and those of the upper half, as far as there are such."""
    halves = []
    if not context.epd0:
        halves.append((context.ttb0 << 4, 64 - context.t0sz, GRANULES.get(context.tg0), f"{path}, ttb0", False))
    if not context.epd1:
        halves.append((context.ttb1 << 4, 64 - context.t1sz, UPPER_GRANULES.get(context.tg1), f"{path}, ttb1", True))
    found = []
    for top, bits, granule, where, upper in halves:
        if granule is None:
            reader.find("iommu-entry-value", "a granule that there is not", pa, where)
            continue
        levels, top_entries = _geometry(bits, granule)
        format = "arm-lpae-s1-lpa2" if bits > SMALL_BITS and granule < LARGE else "arm-lpae-s1"
        table = reader.page_table(format, top, levels, where, pa, granule=granule, top_entries=top_entries, upper=upper, memory=memory)
        if table is not None:
            found.append(Stage(context.asid, table))
    return tuple(found)


def _geometry(bits: int, granule: int) -> tuple[int, int]:
    """(levels, entries of the top table) of tables that translate this many bits of an address."""
    shift = granule.bit_length() - 1
    levels = max(-(-(bits - shift) // (shift - 3)), 1)
    return levels, 1 << max(bits - shift - (levels - 1) * (shift - 3), 0)
