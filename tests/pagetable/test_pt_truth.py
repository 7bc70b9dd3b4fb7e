# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tables that a real kernel wrote, held to what a second source says that they map."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from devstate.memory import PhysMemory
from devstate.memory.arena import Arena
from devstate.memory.open import open_input
from devstate.pagetable import native, oracle, walk
from devstate.pagetable.build import build
from devstate.pagetable.compare import compare
from devstate.pagetable.mapping import ACCESS, ALL, Mapping
from devstate.pagetable.pack import pack
from devstate.pagetable.table import PageTable
from devstate.pagetable.unpack import unpack
from devstate.pagetable.verify import verify

from .tables import CAPTURES, real_domains

PATTERN_48 = {0x1000: 1628, 0x200000: 289, 0x40000000: 536}
"""The leaves of all tables of mod-formats that map 48 bits at 4K, whatever their format."""

ASIDE = [
    # The top tables of mod-formats that its truth does not name: pages that no table points to. What they map is what the named ones do.
    ("vtd-second-stage", 4096, 5, 0x2941000, 512, 29, PATTERN_48),
    ("vtd-second-stage", 4096, 4, 0x291A000, 512, 25, PATTERN_48),
    ("vtd-first-stage", 4096, 4, 0x28E2000, 512, 33, {0x1000: 1647, 0x200000: 293, 0x40000000: 537}),
    ("vtd-first-stage", 4096, 5, 0x28A8000, 512, 29, PATTERN_48),
    ("amd-v1", 4096, 6, 0x2857000, 128, 33, None),
    ("amd-v1", 4096, 4, 0x2842000, 512, 25, None),
    ("riscv-64", 4096, 4, 0x26B7000, 512, 32, {0x1000: 1647, 0x200000: 293, 0x40000000: 25, 0x8000000000: 1}),
    ("arm-lpae-s1", 4096, 4, 0x264A000, 512, 25, PATTERN_48),
    ("arm-lpae-s1", 4096, 4, 0x2671000, 512, 25, PATTERN_48),
    ("arm-lpae-s1", 65536, 3, 0x2631000, 64, 15, {0x10000: 1125, 0x20000000: 1073}),
    ("arm-lpae-s2", 4096, 4, 0x2630000, 512, 25, PATTERN_48),
    ("arm-lpae-s2", 4096, 4, 0x29A4000, 512, 25, PATTERN_48),
    ("arm-lpae-s2", 4096, 3, 0x1CFC000, 1024, 13, {0x1000: 1596, 0x200000: 285, 0x40000000: 24}),
    ("arm-lpae-s2", 16384, 2, 0xB480000, 32768, 8, {0x4000: 1932, 0x2000000: 785}),
]


@pytest.mark.parametrize("name", CAPTURES)
def test_every_domain_walks_to_its_truth(core: str, shipped: Path, name: str) -> None:
    """Extents with what a device may do, leaves by size, tables, bytes; nothing is wrong with any; plain Python says the same."""
    count = 0
    for table, truth in real_domains(shipped, name):
        found = table.walk()
        rows = [[f"{each.iova:#x}", f"{each.pa:#x}", each.size, each.access] for each in found.mappings]
        assert truth["mappings"] == rows
        assert truth["leaf_sizes"] == {f"{size:#x}": number for size, number in sorted(found.leaves.items())}
        assert truth["table_pages"] == sum(found.tables.values()) == sum(map(len, table.table_pages().values()))
        assert truth.get("bytes_mapped", found.bytes) == found.bytes == found.mappings.bytes
        assert () == verify(table).findings
        slow = oracle.walk(table, merge=True, attributes=ACCESS, budget=walk.budget(table))
        assert (slow.mappings, slow.leaves, slow.tables) == (found.mappings, found.leaves, found.tables)
        assert oracle.table_pages(table) == table.table_pages()
        count += 1
    assert count >= 8


@pytest.mark.parametrize("name", CAPTURES)
def test_every_extent_translates(shipped: Path, name: str) -> None:
    """Its first byte, its last, and neither neighbour into the same place."""
    for table, _ in real_domains(shipped, name):
        extents = list(table.extents())
        for each in extents[:: max(len(extents) // 40, 1)]:
            first, last = table.translate(each.iova), table.translate(each.iova + each.size - 1)
            assert first is not None and last is not None
            assert (each.pa, each.pa + each.size - 1, each.access, each.access) == (first.pa, last.pa, first.access, last.access)
            assert 1 == last.size
            after = table.translate(each.iova + each.size)
            assert after is None or (after.pa, after.access) != (each.pa + each.size, each.access)


@pytest.mark.parametrize("name", CAPTURES)
def test_built_again_they_are_the_same(shipped: Path, name: str) -> None:
    """From the extents alone, the builder makes the leaves and tables that the kernel made."""
    for table, truth in real_domains(shipped, name):
        extents = list(table.extents(ALL))
        built = build(
            Arena(size=1 << 28), table.format, extents, table.levels, top_entries=table.top_entries, sign_extended=table.sign_extended,
            runs=not table.format.contiguous,
        )  # fmt: skip
        found = built.walk()
        assert 0 == found.problem_count
        assert truth["mappings"] == [[f"{each.iova:#x}", f"{each.pa:#x}", each.size, each.access] for each in found.mappings]
        assert 0 == len(compare(table, built))
        if name == "mod-formats":  # in a running kernel, neighbours are mapped at different times, and empty tables stay
            assert (truth["leaf_sizes"], truth["table_pages"]) == (
                {f"{size:#x}": number for size, number in sorted(found.leaves.items())},
                sum(found.tables.values()),
            )


def aside(memory: PhysMemory, row: tuple[object, ...]) -> PageTable:
    """The table of a row."""
    format, granule, levels, top, entries, *_ = row
    return PageTable(memory, format, top, levels, granule=granule, top_entries=entries)  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ASIDE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}-{row[3]:x}")
def test_tables_that_the_truth_does_not_name(shipped: Path, row: tuple[object, ...]) -> None:
    """Other levels and granules of the same capture: sound, and they map the same pattern."""
    _, granule, _, _, _, pages, leaves = row
    memory = open_input(str(shipped / "iommu" / "mod-formats.core.zst")).memory
    assert memory is not None
    verdict = verify(aside(memory, row))
    assert () == verdict.findings
    assert pages == sum(verdict.walk.tables.values())
    assert leaves in (None, verdict.walk.leaves)
    first = next(iter(verdict.walk.mappings))
    assert (Mapping(0, 0x10000000, 0x1000, 3) if granule == 4096 else Mapping(0x10000, 0x20000, 0x10000, 3)) == first


@pytest.mark.parametrize("row", ASIDE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}-{row[3]:x}")
def test_they_pack_too(shipped: Path, row: tuple[object, ...]) -> None:
    """Bit for bit at the same addresses; moved, they map the same. (Those that the truth names: test_stream.py.)"""
    memory = open_input(str(shipped / "iommu" / "mod-formats.core.zst")).memory
    assert memory is not None
    table = aside(memory, row)
    stream = io.BytesIO()
    pack(table, stream)
    same, elsewhere = Arena(0, 4096), Arena(0, 4096)
    unpack(stream.getvalue(), same)
    for level, pas in table.table_pages().items():
        for pa in pas:
            assert memory.read(pa, 8 * table.entries(level)) == same.view().read(pa, 8 * table.entries(level))
    moved = unpack(stream.getvalue(), elsewhere, relocate=1 << 40)
    assert table.extents(ALL) == moved.header.table(elsewhere.view(), moved.top_table).extents(ALL)


def test_no_page_is_left(shipped: Path) -> None:
    """Every page of mod-formats that is not all zero is in one of the 28 tables, and in one only."""
    memory = open_input(str(shipped / "iommu" / "mod-formats.core.zst")).memory
    assert memory is not None
    tables = [table for table, _ in real_domains(shipped, "mod-formats")] + [aside(memory, row) for row in ASIDE]
    assert 28 == len(tables)
    pages = [
        page
        for table in tables
        for level, pas in table.table_pages().items()
        for pa in pas
        for page in range(pa & ~0xFFF, pa + 8 * table.entries(level), 4096)
    ]
    assert len(pages) == len(set(pages))
    everything = {page for region in memory.regions for page in range(region.start, region.end, 4096) if any(memory.read(page, 4096))}
    assert set() == everything - set(pages)


def test_all_shipped_tables_are_walked_in_c(shipped: Path) -> None:
    """None of them is left to plain Python by accident: whole tops of several pages, tables of 64K in regions that are not."""
    if not native.BUILT:
        pytest.skip("devstate is installed without its C core")
    for name in CAPTURES:
        assert all(walk.CoreRoot.of(table) is not None for table, _ in real_domains(shipped, name))
