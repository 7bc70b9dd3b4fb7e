# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3: the contexts of a stream, each with page tables of stage 1. The tables are drawn in schemas/project/smmu.py."""

from __future__ import annotations

from devstate.finding import Severity
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

SMALL_BITS, WIDE_BITS = 48, 52
"""Bits of an address that granules translate without LPA2, and with it."""

SMALL, LARGE = 4096, 65536
"""The granule of the 32-bit form, and that which has more bits anyway."""

LEVEL2_BITS = {1: 6, 2: 10}
"""log2 of the contexts in a second level, by the form of the contexts."""

PASID_BITS = 20
"""Bits of a substream id."""

WORDS = 4
"""Words of a context that are shown; the other four are of extensions."""


def read_contexts(
    reader: TableReader, sid: int, stream: Row, second: tuple[Stage, ...], details: list[tuple[str, Any]], path: str, *, bits: int,
    plain: bool,
) -> Iterator[Device]:  # fmt: skip
    """One device for each valid context of the stream, which has 2^``bits``; ``plain``: the first is for requests without a substream."""
    entry = stream.record
    memory = through(second[0].table) if second else None
    root: int = entry.context << 6
    shown = [*details, ("cd_table", PhysAddr(root)), ("s1cdmax", entry.context_max), ("s1fmt", entry.context_format)]
    for pasid, row in _contexts(reader, root, bits, entry.context_format, path, memory):
        context = row.record
        stages = _stages(reader, context, row.pa, f"{path}, context {pasid:#x}", memory)
        own = [("cd", row.words[:WORDS]), ("cd_pa", PhysAddr(row.pa)), ("t0sz", context.t0sz), ("tg0", context.tg0), ("asid", context.asid)]
        if len(stages) == 2:
            own += [("upper_top_table_pa", PhysAddr(stages[1].table.top_table)), ("t1sz", context.t1sz), ("tg1", context.tg1)]
        kind = NESTED if second else FIRST_STAGE
        yield Device(sid, pasid, kind, "arm-lpae-s1", context.asid, stream.pa, (*stages, *second), (*shown, *own), plain and not pasid)


def _contexts(reader: TableReader, root: int, bits: int, form: int, path: str, memory: PhysMemory | None) -> Iterator[tuple[int, Row]]:
    """(PASID, context) of all valid contexts."""
    bits = min(bits, PASID_BITS)
    below = LEVEL2_BITS.get(form)
    tables = [(0, root, 1 << bits)]
    if below is not None and bits:  # one context is never in two levels
        first = reader.entries("smmu-context-level1", root, 1 << max(bits - below, 0), f"{path}, first level of contexts", memory)
        valid = first.columns["valid"] != 0
        reader.check(first, valid, path)
        tables = [(row.index << below, row.record.table << 12, 1 << min(below, bits)) for row in reader.rows(first, valid, path)]
    for base, pa, count in tables:
        where = f"{path}, contexts of PASID {base:#x} on"
        contexts = reader.entries("smmu-context-descriptor", pa, count, where, memory)
        live = contexts.columns["valid"] != 0
        reader.check(contexts, live, where)
        for row in reader.rows(contexts, live, where):
            yield base + row.index, row


def _stages(reader: TableReader, context: Record, pa: int, path: str, memory: PhysMemory | None) -> tuple[Stage, ...]:
    """The tables of the lower half, and those of the upper half, as far as there are such."""
    halves: list[tuple[int, int, int | None, str, bool]] = []
    if is_big_endian(reader, context.endian, pa, path):
        return ()
    if not context.epd0:
        granule = GRANULES.get(context.tg0) if context.aa64 else SMALL
        halves.append((context.ttb0 << 4, _bits(context.t0sz, context.aa64), granule, f"{path}, ttb0", False))
    if not context.epd1 and context.aa64:
        halves.append((context.ttb1 << 4, 64 - context.t1sz, UPPER_GRANULES.get(context.tg1), f"{path}, ttb1", True))
    elif not context.epd1 and context.t1sz & 7:
        reader.find("iommu-geometry", "the upper half of 32-bit addresses is not read", pa, f"{path}, ttb1", severity=Severity.WARNING)
    found = []
    for top, bits, granule, where, upper in halves:
        if granule is None:
            reader.find("iommu-entry-value", "a granule that there is not", pa, where)
            continue
        format = "arm-lpae-s1-lpa2" if is_wide(reader, context.wide & context.aa64, bits, granule, pa, where) else "arm-lpae-s1"
        levels, top_entries = _geometry(bits, granule)
        top = aligned(top, top_entries)
        table = reader.page_table(format, top, levels, where, pa, granule=granule, top_entries=top_entries, upper=upper, memory=memory)
        if table is not None:
            found.append(Stage(context.asid, table))
    return tuple(found)


def aligned(top: int, entries: int) -> int:
    """Where a top table is: the bits of its address that its size makes 0 are not looked at."""
    return top & -(8 * entries)


def _bits(size: int, aa64: int) -> int:
    """Bits of an input address, by ``t0sz``; the 32-bit form (LPAE) looks at three bits of it."""
    return 64 - size if aa64 else 32 - (size & 7)


def is_big_endian(reader: TableReader, endian: int, pa: int, path: str) -> bool:
    """Whether page tables are of the byte order that is not read: a finding."""
    if endian:
        reader.find("iommu-geometry", "page tables that are big-endian are not read", pa, path)
    return bool(endian)


def is_wide(reader: TableReader, flag: int, bits: int, granule: int, pa: int, path: str) -> bool:
    """Whether page tables are of the LPA2 form. Those of so many bits could be no other; a unit refuses them without the flag."""
    if granule == LARGE:
        return False
    if SMALL_BITS < bits <= WIDE_BITS and not flag:
        most = f"at most {SMALL_BITS} bits without DS"
        reader.find("iommu-geometry", "more bits than the tables translate", pa, path, expected=most, found=f"{bits}")
    return bool(flag) or bits > SMALL_BITS


def _geometry(bits: int, granule: int) -> tuple[int, int]:
    """(levels, entries of the top table) of tables that translate this many bits of an address."""
    shift = granule.bit_length() - 1
    levels = max(-(-(bits - shift) // (shift - 3)), 1)
    return levels, 1 << max(bits - shift - (levels - 1) * (shift - 3), 0)
