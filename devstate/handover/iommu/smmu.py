# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3: from the stream table to devices and their page tables. The tables are drawn in schemas/project/smmu.py."""

from __future__ import annotations

from devstate.handover.iommu.model import BLOCKED, PASS_THROUGH, SECOND_STAGE, Device, Stage
from devstate.handover.iommu.runs import runs_of
from devstate.handover.iommu.smmu_contexts import GRANULES, LARGE, SMALL_BITS, read_contexts
from devstate.memory.physmem import PhysAddr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.codec.record import Record
    from devstate.handover.iommu.model import Run
    from devstate.handover.iommu.tables import Entries, Row, TableReader

LINEAR, TWO_LEVELS = 0, 1
LINUX_SPLIT = 8
"""Stream id bits of the second level in Linux's tables: one table a PCI bus."""

LINUX_BITS = 16
"""Stream id bits that are taken for granted: those of one PCI segment."""

MAX_BITS = 32
"""Stream id bits of the architecture."""

BYPASS, STAGE1, STAGE2, BOTH = 4, 5, 6, 7
WORDS = 4
"""Words of a stream entry that are shown; the other four are of extensions."""

STARTS = {0: (2, 1, 0, 3), 1: (3, 2, 1, 3), 2: (3, 2, 1, 0)}
"""Level that a stage 2 walk starts at, by granule and sl0."""


def form_of(reader: TableReader, root: int, registers: dict[str, int], assumed: list[str]) -> tuple[int, int, int]:
    """(form, log2 of the streams, split) of the stream table."""
    config = registers.get("STRTAB_BASE_CFG")
    if config is not None:
        form, bits, split = config >> 16 & 3, config & 0x3F, config >> 6 & 0x1F
        if form > TWO_LEVELS:
            reader.find("iommu-entry-value", "a form of stream table that there is not", root, "STRTAB_BASE_CFG", found=f"{form}")
        if bits > MAX_BITS:
            reader.find("iommu-entry-value", "more bits than a stream id has", root, "STRTAB_BASE_CFG", found=f"{bits}")
        return form, min(bits, MAX_BITS), split
    if _looks_two_level(reader, root):
        assumed.append("STRTAB_BASE_CFG is not given: two levels, split 8, 16-bit stream ids, by the looks of the table")
        return TWO_LEVELS, LINUX_BITS, LINUX_SPLIT
    assumed.append("STRTAB_BASE_CFG is not given: a linear table of 16-bit stream ids, by the looks of the table")
    return LINEAR, LINUX_BITS, 0


def _looks_two_level(reader: TableReader, root: int) -> bool:
    """Whether the first words that are not zero could be pointers to tables that are there. A stream entry's first word could be one
    too, but not its second.
    """
    import numpy as np

    for _, view in reader.memory.read_present(root, 4096):
        words = np.frombuffer(view[: len(view) // 8 * 8], dtype="<u8")
        for word in words[words != 0][:4].tolist():
            span, table = word & 0x1F, word & ((1 << 52) - 64)
            if not 0 < span <= 12 or word & 0x20 or not table or not reader.memory.contains(table, 64):
                return False
    return True


def stream_tables(reader: TableReader, root: int, form: tuple[int, int, int]) -> Iterator[tuple[int, Entries]]:
    """(first stream id, entries) of each table of stream entries."""
    import numpy as np

    kind, bits, split = form
    if kind != TWO_LEVELS or bits <= split:
        yield 0, reader.entries("smmu-stream-entry", root, 1 << bits, "stream table")
        return
    first = reader.entries("smmu-stream-level1", root, 1 << (bits - split), "first level of the stream table")
    used = first.columns["span"] != 0
    reader.check(first, used, "first level of the stream table")
    for row in reader.rows(first, used, "first level of the stream table"):
        base, span = row.index << split, row.record.span - 1
        path = f"stream table of {base:#x} on"
        if span > split:
            most = f"at most {split + 1}"
            reader.find("iommu-entry-value", "a table larger than the split", row.pa, path, expected=most, found=f"{span + 1}")
        entries = reader.entries("smmu-stream-entry", row.record.table << 6, 1 << min(span, split), path)
        if len(entries) and np.any(entries.words):
            yield base, entries


def read_devices(reader: TableReader, base: int, entries: Entries) -> Iterator[Device]:
    """Every stream that may reach memory, and every PASID of it."""
    path = f"stream table of {base:#x} on"
    chosen = (entries.columns["valid"] != 0) & (entries.columns["config"] >= BYPASS)
    reader.check(entries, entries.columns["valid"] != 0, path)
    for row in reader.rows(entries, chosen, path):
        yield from _device(reader, base + row.index, row)


def read_runs(base: int, entries: Entries) -> list[Run]:
    """Entries that abort, or are not valid although they are not zero: neighbours that are equal, together."""
    used = (entries.words != 0).any(axis=1)
    chosen = used & ((entries.columns["valid"] == 0) | (entries.columns["config"] < BYPASS))
    return runs_of(entries, chosen, lambda entry: (BLOCKED, "abort", 0), base, WORDS)


def _device(reader: TableReader, sid: int, row: Row) -> Iterator[Device]:
    entry = row.record
    path = f"stream {sid:#x}"
    details: list[tuple[str, Any]] = [
        ("sid", sid),
        ("ste", row.words[:WORDS]),
        ("ste_pa", PhysAddr(row.pa)),
        ("config", entry.config),
    ]
    if entry.config == BYPASS:
        yield Device(sid, 0, PASS_THROUGH, "bypass", 0, row.pa, (), tuple(details))
        return
    second = _second(reader, entry, row.pa, path) if entry.config in (STAGE2, BOTH) else ()
    if entry.config in (STAGE2, BOTH):
        details += [("vmid", entry.vmid), ("s2ttb", PhysAddr(entry.stage2_ttb << 4)), ("s2t0sz", entry.stage2_t0sz)]
        details += [("s2tg", entry.stage2_tg), ("s2sl0", entry.stage2_sl0), ("s2ps", entry.stage2_ps)]
    if entry.config == STAGE2:
        yield Device(sid, 0, SECOND_STAGE, "arm-lpae-s2", entry.vmid, row.pa, second, tuple(details))
        return
    if entry.context_max and entry.default_substream == 1:  # requests without a PASID, that is
        yield Device(sid, 0, PASS_THROUGH, "bypass", 0, row.pa, second, (*details, ("s1dss", 1)))
    yield from read_contexts(reader, sid, row, second, details, path)


def _second(reader: TableReader, entry: Record, pa: int, path: str) -> tuple[Stage, ...]:
    granule = GRANULES.get(entry.stage2_tg)
    if granule is None:
        return ()  # out of the field's range: a finding already
    levels = 4 - STARTS[entry.stage2_tg][entry.stage2_sl0]
    shift = granule.bit_length() - 1
    bits = 64 - entry.stage2_t0sz - (shift + (levels - 1) * (shift - 3))
    format = "arm-lpae-s2-lpa2" if 64 - entry.stage2_t0sz > SMALL_BITS and granule < LARGE else "arm-lpae-s2"
    top_entries = 1 << bits if bits > 0 else 1
    table = reader.page_table(format, entry.stage2_ttb << 4, levels, f"{path}, stage 2", pa, granule=granule, top_entries=top_entries)
    return () if table is None else (Stage(entry.vmid, table),)
