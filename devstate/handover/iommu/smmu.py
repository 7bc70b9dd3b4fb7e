# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3: from the stream table to devices and their page tables. The tables are drawn in schemas/project/smmu.py."""

from __future__ import annotations

from devstate.handover.iommu.model import BLOCKED, PASS_THROUGH, SECOND_STAGE, Device, Stage
from devstate.handover.iommu.runs import runs_of
from devstate.handover.iommu.smmu_contexts import GRANULES, SMALL, aligned, is_big_endian, is_wide, read_contexts
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

SPLITS, SPLIT = (6, 8, 10), 6
"""Stream id bits that a second level may have; any other value counts as 6."""

BYPASS, STAGE1, STAGE2, BOTH = 4, 5, 6, 7
BYPASS_STAGE1, CONTEXT0 = 1, 2
"""What requests without a substream do where there are substreams."""

SSID_SIZE = 0x1F << 6
"""Of IDR1: bits of a substream id; 0: there are none."""

WORDS = 4
"""Words of a stream entry that are shown; the other four are of extensions."""

STARTS = {0: (2, 1, 0, 3, -1), 1: (3, 2, 1), 2: (3, 2, 1, 0)}
"""Level that a stage 2 walk starts at, by granule and sl0, of which bit 2 counts for LPA2 tables of 4K alone (VTCR_EL2.SL2)."""

STARTS_32 = (2, 1)
"""The same of tables of the 32-bit form."""


def form_of(reader: TableReader, root: int, registers: dict[str, int], assumed: list[str]) -> tuple[int, int, int]:
    """(form, log2 of the streams, split) of the stream table."""
    config = registers.get("STRTAB_BASE_CFG")
    if config is not None:
        form, bits, split = config >> 16 & 3, config & 0x3F, config >> 6 & 0x1F
        if form > TWO_LEVELS:
            reader.find("iommu-entry-value", "a form of stream table that there is not", root, "STRTAB_BASE_CFG", found=f"{form}")
            form = LINEAR  # as the architecture has it
        if bits > MAX_BITS:
            reader.find("iommu-entry-value", "more bits than a stream id has", root, "STRTAB_BASE_CFG", found=f"{bits}")
        if form == TWO_LEVELS and split not in SPLITS:
            what = "a split that there is not: it counts as 6"
            reader.find("iommu-entry-value", what, root, "STRTAB_BASE_CFG", expected="6, 8 or 10", found=f"{split}")
            split = SPLIT
        return form, min(bits, registers.get("IDR1", MAX_BITS) & 0x3F, MAX_BITS), split
    found = _split_by_looks(reader, root)
    if found is not None:
        assumed.append(f"STRTAB_BASE_CFG is not given: two levels, split {found}, 16-bit stream ids, by the looks of the table")
        return TWO_LEVELS, LINUX_BITS, found
    assumed.append("STRTAB_BASE_CFG is not given: a linear table of 16-bit stream ids, by the looks of the table")
    return LINEAR, LINUX_BITS, 0


def _split_by_looks(reader: TableReader, root: int) -> int | None:
    """The split, if the first words that are not zero could be pointers to tables that are there. A stream entry's first word could be one
    too, but not its second. A whole second level says how large it is.
    """
    import numpy as np

    for _, view in reader.memory.read_present(root, 4096):
        words = np.frombuffer(view[: len(view) // 8 * 8], dtype="<u8")
        spans = []
        for word in words[words != 0][:4].tolist():
            span, table = word & 0x1F, word & ((1 << 52) - 64)
            if not 0 < span <= 12 or word & 0x20 or not table or not reader.memory.contains(table, 64):
                return None
            spans.append(span - 1)
        if spans:
            return next((split for split in SPLITS if split == max(spans)), LINUX_SPLIT)
    return LINUX_SPLIT


def stream_tables(reader: TableReader, root: int, form: tuple[int, int, int]) -> Iterator[tuple[int, Entries]]:
    """(first stream id, entries) of each table of stream entries."""
    import numpy as np

    kind, bits, split = form
    if kind != TWO_LEVELS:
        yield 0, reader.entries("smmu-stream-entry", root, 1 << bits, "stream table")
        return
    first = reader.entries("smmu-stream-level1", root, 1 << max(bits - split, 0), "first level of the stream table")
    used = first.columns["span"] != 0
    reader.check(first, used, "first level of the stream table")
    for row in reader.rows(first, used, "first level of the stream table"):
        base, span = row.index << split, row.record.span - 1
        path = f"stream table of {base:#x} on"
        if span > split:
            most = f"at most {split + 1}"
            reader.find("iommu-entry-value", "a table larger than the split", row.pa, path, expected=most, found=f"{span + 1}")
        entries = reader.entries("smmu-stream-entry", row.record.table << 6, 1 << min(span, split, bits), path)
        if len(entries) and np.any(entries.words):
            yield base, entries


def read_devices(reader: TableReader, base: int, entries: Entries, *, substreams: bool = True) -> Iterator[Device]:
    """Every stream that may reach memory, and every PASID of it, unless the unit has no ``substreams``."""
    path = f"stream table of {base:#x} on"
    chosen = (entries.columns["valid"] != 0) & (entries.columns["config"] >= BYPASS)
    reader.check(entries, entries.columns["valid"] != 0, path)
    for row in reader.rows(entries, chosen, path):
        yield from _device(reader, base + row.index, row, substreams=substreams)


def read_runs(base: int, entries: Entries) -> list[Run]:
    """Entries that abort, or are not valid although they are not zero: neighbours that are equal, together."""
    used = (entries.words != 0).any(axis=1)
    chosen = used & ((entries.columns["valid"] == 0) | (entries.columns["config"] < BYPASS))
    return runs_of(entries, chosen, lambda entry: (BLOCKED, "abort", 0), base, WORDS)


def _device(reader: TableReader, sid: int, row: Row, *, substreams: bool) -> Iterator[Device]:
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
    bits = entry.context_max if substreams else 0
    if bits and entry.default_substream == BYPASS_STAGE1:
        shown = (*details, ("s1dss", BYPASS_STAGE1))
        if entry.config == BOTH:  # as if there were stage 2 alone
            yield Device(sid, 0, SECOND_STAGE, "arm-lpae-s2", entry.vmid, row.pa, second, shown)
        else:
            yield Device(sid, 0, PASS_THROUGH, "bypass", 0, row.pa, (), shown)
    plain = not bits or entry.default_substream == CONTEXT0
    yield from read_contexts(reader, sid, row, second, details, path, bits=bits, plain=plain)


def _second(reader: TableReader, entry: Record, pa: int, path: str) -> tuple[Stage, ...]:
    path = f"{path}, stage 2"
    granule, size = SMALL, 32 - ((entry.stage2_t0sz & 15 ^ 8) - 8)
    starts: tuple[int, ...] = STARTS_32
    if entry.stage2_aa64:
        size, starts = 64 - entry.stage2_t0sz, STARTS.get(entry.stage2_tg, ())
        granule = GRANULES.get(entry.stage2_tg, 0)
    if not granule or is_big_endian(reader, entry.stage2_endian, pa, path):
        return ()  # a granule out of the field's range is a finding already
    wide = is_wide(reader, entry.stage2_wide & entry.stage2_aa64, size, granule, pa, path)
    start = entry.stage2_sl0 + 4 * (entry.stage2_sl0_high & wide)
    if start >= len(starts):
        reader.find("iommu-geometry", "page tables that there cannot be: a start that there is not", pa, path, found=f"{start}")
        return ()
    levels = 4 - starts[start]
    shift = granule.bit_length() - 1
    bits = size - (shift + (levels - 1) * (shift - 3))
    format = "arm-lpae-s2-lpa2" if wide else "arm-lpae-s2"
    top_entries = 1 << bits if bits > 0 else 1
    top = aligned(entry.stage2_ttb << 4, top_entries)
    table = reader.page_table(format, top, levels, path, pa, granule=granule, top_entries=top_entries)
    return () if table is None else (Stage(entry.vmid, table),)
