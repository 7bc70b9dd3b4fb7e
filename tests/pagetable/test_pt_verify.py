# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Verdicts on damaged and hostile tables: each finding where it is due, with its place; bounded time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.arena import Arena
from devstate.pagetable import native, oracle, walk
from devstate.pagetable.build import build
from devstate.pagetable.format import PageTableFormat
from devstate.pagetable.formats import FORMATS, find_format
from devstate.pagetable.mapping import CODES, PROBLEM_LIMIT, Mapping
from devstate.pagetable.table import PageTable
from devstate.pagetable.verify import verify

from .tables import BASE, Tree, encode_leaf, encode_pointer

SECOND = find_format("vtd-second-stage")


def chain(format: PageTableFormat, levels: int = 3, extra: int = 0) -> Tree:
    """A table of each level, the first entry of each pointing to the next; and some more pages."""
    tree = Tree(format, levels, levels + extra)
    for page in range(levels - 1):
        tree.words[page][0] = encode_pointer(format, tree.pa(page + 1), levels - 2 - page)
    return tree


def ids(tree: Tree) -> list[tuple[str, int | None, str | None]]:
    """(rule, address, path) of every finding; plain Python finds the same problems."""
    table = tree.table()
    verdict = verify(table)
    slow = oracle.walk(table, merge=True, attributes=3, budget=walk.budget(table))
    assert slow.problems == verdict.walk.problems
    assert bool(verdict) == (verdict.count == 0)
    return [(each.rule, each.location.pa, each.location.path) for each in verdict.findings]


def test_every_problem_has_a_finding_and_a_place(core: str) -> None:
    """Codes of C, texts and rules are one list; a finding shows the entry."""
    tree = chain(SECOND)
    tree.words[2][5] = 0x7003
    tree.words[1][1] = 0x12345003
    [finding] = verify(tree.table()).findings
    assert [("pt-table-not-in-memory", tree.pa(1) + 8, "level 1, iova 0x200000")] == ids(tree)
    assert ("tree", "entry 0x0000000012345003") == (finding.location.source, finding.found)
    assert len(CODES) == len(set(CODES.values())) == 11


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.label)
def test_sound_tables_are_sound(format: PageTableFormat) -> None:
    """Nothing is found in what the builder builds."""
    tables = build(Arena(), format, [Mapping(1 << 29, 1 << 29, 3 << 29, 3), Mapping(0, 1 << 33, 0x30000, 1)], 3)
    assert () == verify(tables).findings


def test_a_cycle() -> None:
    """A table that points to itself, to one above it, or into a top of several tables."""
    tree = chain(SECOND, 4)
    tree.words[2][7] = tree.pa(0) | 3
    tree.words[2][8] = tree.pa(2) | 3
    assert [
        ("pt-table-cycle", tree.pa(2) + 56, "level 1, iova 0xe00000"),
        ("pt-table-cycle", tree.pa(2) + 64, "level 1, iova 0x1000000"),
    ] == ids(tree)
    wide = find_format("arm-lpae-s2")
    tree = Tree(wide, 3, 1, top_entries=4096)
    tree.words[0][9] = encode_pointer(wide, BASE + 3 * 4096, 1)
    assert [("pt-table-cycle", BASE + 72, "level 2, iova 0x240000000")] == ids(tree)


def test_a_shared_table() -> None:
    """It is mapped from both places, and named at the second."""
    tree = chain(SECOND)
    tree.words[1][4] = tree.words[1][0]
    tree.words[2][1] = 0x9003
    assert [("pt-table-shared", tree.pa(1) + 32, "level 1, iova 0x800000")] == ids(tree)
    assert [(0x1000, 0x9000), (0x801000, 0x9000)] == [(each.iova, each.pa) for each in tree.table().extents()]


def test_leaves_where_none_can_be() -> None:
    """Above 1G in VT-d and x86, above a block's level in LPAE, in AMD's sixth level, of sizes that a level has not; they map nothing."""
    tree = Tree(SECOND, 4, 1)
    tree.words[0][1] = 0x4000_0000_0083
    assert [("pt-leaf-level", BASE + 8, "level 3, iova 0x8000000000")] == ids(tree)
    assert 0 == len(tree.table().extents())
    amd = find_format("amd-v1")
    sized = 1 | 7 << 9  # 8K, and for each one more from bit 12 on twice that
    for level, entry in [(5, 1), (5, sized), (1, sized), (0, sized | 0xFF << 12), (2, sized | 0xFFF << 12), (2, sized | 0x3FFFFFF << 12)]:
        tree = Tree(amd, level + 1, 1)
        tree.words[0][0] = entry
        assert [("pt-leaf-level", BASE, f"level {level}, iova 0x0")] == ids(tree), (level, hex(entry))
    for name, granule, level in [("arm-lpae-s1", 4096, 3), ("arm-lpae-s2", 16384, 2), ("arm-lpae-s1", 4096, 0)]:
        tree = Tree(find_format(name, granule), level + 1, 1)
        tree.words[0][0] = 1 | 1 << 10 | 3 << 6
        assert [("pt-leaf-level", BASE, f"level {level}, iova 0x0")] == ids(tree)
    riscv = Tree(find_format("riscv-64"), 3, 3)
    riscv = chain(riscv.format)
    riscv.words[2][16] = 1 << 63 | 0b1111 | 4 << 10
    assert [("pt-leaf-level", riscv.pa(2) + 128, "level 0, iova 0x10000")] == ids(riscv)


def test_pointers_where_none_can_be() -> None:
    """AMD's next level must be lower; a RISC-V leaf table has none."""
    amd = find_format("amd-v1")
    tree = Tree(amd, 2, 2)
    tree.words[0][1] = encode_pointer(amd, tree.pa(1), 1)
    tree.words[0][2] = encode_pointer(amd, tree.pa(1), 4)
    tree.words[0][3] = encode_pointer(amd, tree.pa(1), 0)
    tree.words[1][0] = encode_pointer(amd, tree.pa(1), 0)
    assert [
        ("pt-table-level", BASE + 8, "level 1, iova 0x200000"),
        ("pt-table-level", BASE + 16, "level 1, iova 0x400000"),
        ("pt-table-level", tree.pa(1), "level 0, iova 0x600000"),
    ] == ids(tree)
    riscv = chain(find_format("riscv-64"))
    riscv.words[2][1] = 1 | 0x77 << 10
    assert [("pt-table-level", riscv.pa(2) + 8, "level 0, iova 0x1000")] == ids(riscv)


def test_misaligned_leaves() -> None:
    """The low bits are not the target's; x86 has its memory type there."""
    tree = chain(SECOND, 3)
    tree.words[1][2] = 0x40001083
    assert [("pt-leaf-misaligned", tree.pa(1) + 16, "level 1, iova 0x400000")] == ids(tree)
    assert [(0x400000, 0x40000000)] == [(each.iova, each.pa) for each in tree.table().extents()]
    x86 = chain(find_format("vtd-first-stage"))
    x86.words[1][2] = 0x40001083
    assert [] == ids(x86)
    x86.words[1][2] = 0x40002083
    assert ["pt-leaf-misaligned"] == [rule for rule, _, _ in ids(x86)]


def test_reserved_bits() -> None:
    """In leaves and in pointers; writing without reading, of RISC-V."""
    for name, level, bit in [
        ("vtd-second-stage", 1, 11),
        ("amd-v1", 0, 52),
        ("amd-v1", 1, 60),
        ("amd-v2", 3, 8),
        ("arm-lpae-s1", 0, 48),
        ("arm-lpae-s2", 0, 50),
        ("arm-lpae-s2", 1, 63),
        ("riscv-64", 0, 54),
        ("riscv-64", 1, 7),
        ("riscv-64", 1, 63),
    ]:
        format = find_format(name)
        tree = chain(format, 4)
        tree.words[3][0] = encode_leaf(format, 0x7000, 0)
        assert [] == ids(tree)
        tree.words[3 - level][0] |= np.uint64(1 << bit)
        assert [("pt-reserved-bits", tree.pa(3 - level), f"level {level}, iova 0x0")] == ids(tree), (name, level, bit)
        assert 1 == len(tree.table().extents())
    riscv = chain(find_format("riscv-64"))
    riscv.words[2][0] = 0b101 | 7 << 10
    assert ["pt-reserved-bits"] == [rule for rule, _, _ in ids(riscv)]


def test_addresses_that_the_machine_has_not() -> None:
    """The last one that fits, and one above it; of tables too."""
    tree = chain(SECOND)
    tree.pa_bits = 36
    tree.words[2][0], tree.words[2][1] = (1 << 36) - 0x1000 | 3, (1 << 36) | 3
    tree.words[0][5] = (1 << 40) | 3
    assert [
        ("pt-address-width", tree.pa(2) + 8, "level 0, iova 0x1000"),
        ("pt-address-width", tree.pa(0) + 40, "level 2, iova 0x140000000"),
        ("pt-table-not-in-memory", tree.pa(0) + 40, "level 2, iova 0x140000000"),
    ] == ids(tree)
    tree.pa_bits = 64
    assert ["pt-table-not-in-memory"] == [rule for rule, _, _ in ids(tree)]


def test_broken_runs() -> None:
    """A run with a hole, with another leaf in it, beginning in its middle: each entry maps what it says."""
    amd = find_format("amd-v1")
    tree = Tree(amd, 1, 1)
    tree.words[0][8:16] = encode_leaf(amd, 0x10000, 0, 3)
    tree.words[0][11] = 0
    found = ids(tree)
    assert ["pt-run-broken"] * 7 == [rule for rule, _, _ in found]
    assert [(0x8000, 0x10000, 0x3000), (0xC000, 0x14000, 0x4000)] == [(each.iova, each.pa, each.size) for each in tree.table().extents()]
    assert {0x1000: 7} == tree.table().walk().leaves
    tree.words[0][11] = encode_leaf(amd, 0x99000, 0)
    assert ["pt-run-overlap", *["pt-run-broken"] * 6] == [rule for rule, _, _ in ids(tree)]
    tree.words[0][8] = encode_leaf(amd, 0x99000, 0)
    assert ["pt-run-overlap"] * 6 == [rule for rule, _, _ in ids(tree)]
    small = Tree(amd, 1, 1, top_entries=4)
    small.words[0][:4] = encode_leaf(amd, 0x10000, 0, 3)
    assert ["pt-run-broken"] * 4 == [rule for rule, _, _ in ids(small)]


def test_broken_hints() -> None:
    """One finding a run: whole, in order, aligned, of the same attributes but for what the hardware notes."""
    lpae = find_format("arm-lpae-s1")
    whole = [encode_leaf(lpae, 0x40000 + n * 0x1000, 0, 4) for n in range(16)]
    for change, expected in [(None, 0), (1 << 10, 0), (1 << 52, 1), (1 << 6, 1), (1 << 13, 1), (1, 1)]:
        tree = Tree(lpae, 1, 1)
        tree.words[0][32:48] = whole
        if change:
            tree.words[0][37] ^= np.uint64(change)
        assert ["pt-run-broken"] * expected == [rule for rule, _, _ in ids(tree)], change
    tree = Tree(lpae, 1, 1)
    tree.words[0][33:49] = whole
    assert ["pt-run-broken"] * 2 == [rule for rule, _, _ in ids(tree)]
    small = Tree(lpae, 1, 1, top_entries=4)
    small.words[0][:16] = whole
    assert ["pt-run-broken"] == [rule for rule, _, _ in ids(small)]
    assert 0x4000 == small.table().walk().bytes


def test_a_device_that_may_write_to_the_tables() -> None:
    """Found where the leaf is large, small, or one of many extents; not where it may only read."""
    arena = Arena(base=0x10000000)
    harmless = [Mapping(0, 0x10001000, 0x1000, 1), Mapping(0x800000, 0x90000000, 0x1000, 3)]
    table = build(arena, SECOND, [*harmless, Mapping(0x200000, 0x10000000, 0x200000, 3)], 3)
    found = [(each.rule, each.location.pa, each.location.path) for each in verify(table).findings]
    pages = [(level, pa) for level, pas in sorted(table.table_pages().items(), reverse=True) for pa in pas]
    assert [("pt-table-mapped", pa, f"level {level}, iova {0x200000 + pa - 0x10000000:#x}") for level, pa in pages] == found
    assert () == verify(build(Arena(base=0x10000000), SECOND, [Mapping(0, 0x10000000, 0x200000, 1)], 3)).findings


def test_a_partial_capture() -> None:
    """Tables that are not there, whole or in part, are findings; the rest is walked."""
    arena = Arena()
    table = build(arena, SECOND, [Mapping(n << 30, 0x5000 << n, 0x1000, 3) for n in range(4)], 3)
    leaves = table.table_pages()[0]
    [whole] = arena.view().regions
    sizes = dict.fromkeys(range(whole.start, whole.end, 4096), 4096) | {leaves[1]: 4088, leaves[2]: 0}
    kept = [MemoryRegion(pa, size, whole.data[pa - whole.start :][:size]) for pa, size in sizes.items() if size]
    verdict = verify(PageTable(PhysMemory(kept), SECOND, table.top_table, 3))
    assert ["pt-table-not-in-memory"] * 2 == [each.rule for each in verdict.findings]
    assert [0, 3 << 30] == verdict.walk.mappings.iova.tolist()


# ---- hostile ----


def exponential(format: PageTableFormat, levels: int) -> PageTable:
    """Every entry of each table leads to the same next one: as many mappings as the address space has pages, in a handful of tables."""
    tree = Tree(format, levels, levels)
    for page in range(levels - 1):
        tree.words[page][:] = encode_pointer(format, tree.pa(page + 1), levels - 2 - page)
    tree.words[levels - 1][:] = encode_leaf(format, 0x7000 << 9, 0)
    return tree.table()


@pytest.mark.parametrize("format", [FORMATS[0], FORMATS[2], FORMATS[6], FORMATS[10]], ids=lambda format: format.label)
def test_exponential_tables_take_bounded_time(core: str, format: PageTableFormat) -> None:
    """A finding, each table entered as often as the budget allows, and less than a second."""
    table = exponential(format, format.levels[1])
    started = time.perf_counter()
    found = table.walk()
    assert time.perf_counter() - started < 2
    assert {"table-shared", "table-budget"} >= {problem.code for problem in found.problems}
    assert PROBLEM_LIMIT == len(found.problems) < found.problem_count
    assert sum(found.leaves.values()) <= (2 * table.memory.size + walk.EXTRA) // 8
    assert sum(map(len, table.table_pages().values())) == table.levels == sum(found.tables.values())



def test_the_budget_to_the_byte(core: str) -> None:
    """As many entries to one table as the budget pays for, and one more: that one is not followed, and says so."""
    for more in (0, 1):
        tree = chain(SECOND, 3)
        tree.words[2][3] = 0x5003
        pays = 300
        tree.words[1][1 : pays + 1 + more] = tree.words[1][0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(walk, "EXTRA", 4096 * pays - tree.table().memory.size)
            found = tree.table().walk()
        assert pays + 1 == found.leaves[0x1000]
        assert pays + more == found.problem_count
        assert ("table-budget" if more else "table-shared") == found.problems[-1].code


def test_hostile_tables_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain Python has the same bound."""
    monkeypatch.setattr(native, "BUILT", False)
    monkeypatch.setattr(walk, "EXTRA", 1 << 16)
    found = exponential(SECOND, 5).walk()
    assert PROBLEM_LIMIT == len(found.problems)


def test_many_findings_are_counted(core: str) -> None:
    """A table full of nonsense: the first thousand are listed, all are counted."""
    tree = Tree(find_format("arm-lpae-s1", 0x10000), 1, 1)
    tree.words[0][:] = 3 | 1 << 48
    verdict = verify(tree.table())
    assert (PROBLEM_LIMIT, 8192) == (len(verdict.findings), verdict.count)


def test_a_table_at_the_end_of_memory(core: str) -> None:
    """The last page of all addresses, and a pointer that a wrapped sum would take for inside."""
    words = np.zeros(512, dtype="<u8")
    words[0] = ((1 << 52) - 0x1000) | 3
    top = (1 << 52) - 0x1000
    table = PageTable(PhysMemory([MemoryRegion(top, 4096, memoryview(words.tobytes()))]), SECOND, top, 2)
    assert ["pt-table-cycle"] == [each.rule for each in verify(table).findings]
    assert ["pt-table-not-in-memory"] == [each.rule for each in verify(PageTable(table.memory, SECOND, (1 << 64) - 8, 2)).findings]
