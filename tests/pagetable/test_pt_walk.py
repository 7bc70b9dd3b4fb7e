# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Walks: the C core against plain Python on arbitrary tables, and the geometry of tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import UsageError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native, oracle, walk
from devstate.pagetable.formats import FORMATS, find_format
from devstate.pagetable.mapping import ACCESS, ALL, Mapping, Mappings, Walk
from devstate.pagetable.table import PageTable

from .tables import BASE, ROOM, Tree, encode_leaf, encode_pointer, trees


def shown(found: Walk) -> tuple[object, ...]:
    """A walk as something that a test can show."""
    return found.mappings.rows.tolist(), found.leaves, found.tables, found.problems, found.problem_count


@settings(max_examples=250, deadline=None)
@given(trees(), st.booleans(), st.sampled_from([ALL, ACCESS, 0]))
def test_core_equals_python(core: str, tree: Tree, merge: bool, attributes: int) -> None:
    """Mappings, totals, tables, and every problem in the same order, on tables of arbitrary entries."""
    table = tree.table()
    found = table.walk(merge=merge, attributes=attributes)
    assert shown(oracle.walk(table, merge=merge, attributes=attributes, budget=walk.budget(table))) == shown(found)
    assert oracle.table_pages(table) == table.table_pages()


@settings(max_examples=60, deadline=None)
@given(tree=trees(), chunk=st.integers(1, 5), merge=st.booleans())
def test_a_walk_can_stop_anywhere(tree: Tree, chunk: int, merge: bool) -> None:
    """In chunks of any size it gives the same."""
    table = tree.table()
    whole = table.walk(merge=merge, attributes=ALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "CHUNK", chunk)
        assert shown(whole) == shown(table.walk(merge=merge, attributes=ALL))


@settings(max_examples=60, deadline=None)
@given(tree=trees())
def test_extents_are_joined_leaves(tree: Tree) -> None:
    """They cover the same, are sorted, and no two of them could be one."""
    table = tree.table()
    leaves, extents = table.mappings(ACCESS), table.extents()
    assert leaves.bytes == extents.bytes == table.walk().bytes
    joined: list[Mapping] = []
    for leaf in leaves:
        if joined:
            last = joined[-1]
            assert last.iova + last.size <= leaf.iova
            if (last.iova + last.size, last.pa + last.size, last.attributes) == (leaf.iova, leaf.pa, leaf.attributes):
                joined[-1] = Mapping(last.iova, last.pa, last.size + leaf.size, last.attributes)
                continue
        joined.append(leaf)
    assert joined == list(extents)


@settings(max_examples=80, deadline=None)
@given(tree=trees(), iovas=st.lists(st.integers(0, (1 << 64) - 1), max_size=4))
def test_translate_is_what_the_walk_says(tree: Tree, iovas: list[int]) -> None:
    """At the ends of every mapping, one before and after, and anywhere; where no table was left out for being entered too often."""
    table = tree.table()
    found = table.walk(merge=False, attributes=ALL)
    if any(problem.code in ("table-cycle", "table-budget") for problem in found.problems):
        return
    leaves = list(found.mappings)[:50]
    places = {at for leaf in leaves for at in (leaf.iova - 1, leaf.iova, leaf.iova + leaf.size - 1, leaf.iova + leaf.size)}
    starts = found.mappings.iova
    for iova in [*sorted(places), *iovas]:
        index = -1 if iova < 0 else int(np.searchsorted(starts, np.uint64(min(iova, (1 << 64) - 1)), side="right")) - 1
        expected = None
        if index >= 0:
            leaf = Mapping(*found.mappings.rows[index].tolist())
            if iova < leaf.iova + leaf.size:
                expected = (leaf.pa + iova - leaf.iova, leaf.iova + leaf.size - iova, leaf.attributes)
        got = table.translate(iova)
        assert expected == (None if got is None else (got.pa, got.size, got.attributes))
        assert got is None or got.iova == iova


def test_tables_of_the_upper_half() -> None:
    """All iovas begin with ones, whichever half of the top table they are in; what begins with zeros is nowhere. Not both ways at once."""
    tree = Tree(find_format("arm-lpae-s1"), 3, 3, upper=True)
    tree.words[0][[0, 511]] = encode_pointer(tree.format, tree.pa(1), 1), encode_leaf(tree.format, 7 << 30, 2)
    tree.words[1][0] = encode_pointer(tree.format, tree.pa(2), 0)
    tree.words[2][3] = encode_leaf(tree.format, 0x9000, 0)
    table, base = tree.table(), (1 << 64) - (1 << 39)
    rows = [(base + 0x3000, 0x9000, 0x1000), ((1 << 64) - (1 << 30), 7 << 30, 1 << 30)]
    assert rows == [(each.iova, each.pa, each.size) for each in table.walk().mappings]
    assert (0x9004, None) == (table.translate(base + 0x3004).pa, table.translate(0x3004))  # type: ignore[union-attr]  # it is mapped
    with pytest.raises(UsageError, match="not both"):
        PageTable(tree.memory(), tree.format, BASE, 3, sign_extended=True, upper=True)
    with pytest.raises(UsageError, match="no upper half"):
        PageTable(tree.memory(), tree.format, BASE, 3, sign_extended=True, top_entries=1)


def test_encrypted_tables() -> None:
    """With AMD's SME, a bit of each address is none of it, in pointers and leaves; of several entries too. Others have none."""
    for bit in (47, 51):
        tree = Tree(find_format("amd-v1"), 3, 3)
        tree.encryption_bit = bit
        tree.words[0][1] = encode_pointer(tree.format, tree.pa(1), 1) | 1 << bit
        tree.words[1][0] = encode_pointer(tree.format, tree.pa(2), 0) | 1 << bit
        tree.words[2][0:2] = encode_leaf(tree.format, 0x9000, 0) | 1 << bit, encode_leaf(tree.format, 0xA000, 0)
        tree.words[2][4:8] = encode_leaf(tree.format, 0x8000, 0, 2) | 1 << bit
        start, table = 1 << 30, tree.table()
        assert [Mapping(start, 0x9000, 0x2000, 3), Mapping(start + 0x4000, 0x8000, 0x4000, 3)] == list(table.walk().mappings)
        assert [0x203, 3, 0x203] == [each.attributes for each in table.mappings()]
        assert Mapping(start + 4, 0x9004, 0xFFC, 0x203) == table.translate(start + 4)
        assert {2: 1, 1: 1, 0: 1} == table.walk().tables
        tree.encryption_bit = None
        assert ["table-not-in-memory"] == [each.code for each in tree.table().walk().problems]
    for name, bit in (("vtd-second-stage", 47), ("amd-v1", 31), ("amd-v2", 52)):
        with pytest.raises(UsageError, match="encryption bit"):
            PageTable(tree.memory(), name, BASE, 3, encryption_bit=bit)


def test_lpa2() -> None:
    """52 bits at 4K and 16K: address bits 50 and 51 are in bits 8 and 9; one more level at 4K, and larger blocks."""
    pa = 0xF_0000_0000_0000
    for granule, levels, level in ((4096, 5, 3), (16384, 4, 2)):
        tree = Tree(find_format("arm-lpae-s2-lpa2", granule), levels, 2)
        tree.words[0][1] = encode_pointer(tree.format, tree.pa(1), level)
        tree.words[1][0] = encode_leaf(tree.format, pa, level)
        assert tree.words[1][0] & np.uint64(0x300) == 0x300
        size = 1 << tree.format.shift(level)
        assert [Mapping(1 << tree.format.shift(level + 1), pa, size, 3)] == list(tree.table().walk().mappings)
        assert 52 == tree.table().iova_bits
    with pytest.raises(UsageError, match="no granule of 0x10000"):
        find_format("arm-lpae-s1-lpa2", 65536)


def test_translate_knows_what_was_noted_elsewhere_in_the_leaf() -> None:
    """The hardware may set dirty in any of the entries that are one leaf. One that is cut short is just its entry."""
    tree = Tree(find_format("amd-v1"), 1, 1)
    tree.words[0][4:8] = encode_leaf(tree.format, 0x8000, 0, 2)
    tree.words[0][6] |= np.uint64(tree.format.touched)
    assert Mapping(0x5004, 0x9004, 0x2FFC, 0x33) == tree.table().translate(0x5004)
    assert [0x33] == [each.attributes for each in tree.table().mappings()]
    tree.words[0][7] = 0
    assert Mapping(0x5004, 0x9004, 0xFFC, 3) == tree.table().translate(0x5004)


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.label)
def test_every_level_count(core: str, format: object) -> None:
    """A chain of tables with one leaf at its end, for every number of levels; each level of leaves on the way."""
    assert not isinstance(format, str)
    for levels in range(format.levels[0], format.levels[1] + 1):  # type: ignore[attr-defined]
        tree = Tree(format, levels, levels)  # type: ignore[arg-type]
        iova = 0
        for page, level in enumerate(range(levels - 1, -1, -1)):
            entries = tree.table().entries(level)
            if level:
                tree.words[page][entries - 1] = encode_pointer(tree.format, tree.pa(page + 1), level - 1)
            if tree.format.leaf_levels >> level & 1:
                tree.words[page][0 if entries > 1 or not level else 1] = encode_leaf(tree.format, 7 << tree.format.shift(level), level)
            iova += (entries - 1) << tree.format.shift(level)
        table = tree.table()
        found = table.walk(merge=False)
        assert 0 == found.problem_count
        assert dict.fromkeys(range(levels), 1) == found.tables
        sizes = {1 << tree.format.shift(level) for level in range(levels) if tree.format.leaf_levels >> level & 1}
        assert sizes >= set(found.leaves)
        assert [tree.pa(page) for page in range(levels)] == [pas[0] for pas in table.table_pages().values()]
        assert all("rw" == each.access for each in found.mappings)


def test_permissions_of_tables_are_taken_away() -> None:
    """What an entry above does not allow, nothing below allows: VT-d, AMD v1, x86, LPAE stage 1; not RISC-V, not stage 2."""
    for name, bits, expected in [
        ("vtd-second-stage", {1}, "r"),
        ("vtd-second-stage", {0}, "w"),
        ("vtd-first-stage", {1}, "r"),
        ("amd-v1", {61}, "w"),
        ("amd-v1", {62}, "r"),
        ("arm-lpae-s1", {62}, "r"),
        ("arm-lpae-s2", {55}, "rw"),
        ("riscv-64", {5}, "rw"),
    ]:
        format = find_format(name)
        tree = Tree(format, 3, 3)
        tree.words[0][0] = encode_pointer(format, tree.pa(1), 1) ^ sum(1 << bit for bit in bits)
        tree.words[1][0] = encode_pointer(format, tree.pa(2), 0)
        tree.words[2][5] = encode_leaf(format, 0x7000, 0)
        assert [(0x5000, expected)] == [(each.iova, each.access) for each in tree.table().walk().mappings], name


def test_a_write_only_leaf_of_the_second_stage_is_mapped() -> None:
    """It has bit 0 clear, and there is no present bit; an entry with neither bit is absent, whatever else is in it."""
    tree = Tree(find_format("vtd-second-stage"), 3, 3)
    tree.words[0][0], tree.words[1][0] = tree.pa(1) | 3, tree.pa(2) | 3
    tree.words[2][:3] = [0x7002, 0x8001, 0x9000 | 1 << 10]
    assert [(0, "w"), (0x1000, "r")] == [(each.iova, each.access) for each in tree.table().walk().mappings]


def test_amd_tables_may_skip_levels() -> None:
    """The next-level field says which table follows; what is beyond its reach is not mapped."""
    format = find_format("amd-v1")
    tree = Tree(format, 5, 2)
    tree.words[0][3] = encode_pointer(format, tree.pa(1), 0)
    tree.words[1][2] = encode_leaf(format, 0x7000, 0)
    base = 3 << format.shift(4)
    table = tree.table()
    assert [Mapping(base + 0x2000, 0x7000, 0x1000, 3)] == list(table.walk().mappings)
    assert Mapping(base + 0x2001, 0x7001, 0xFFF, 3) == table.translate(base + 0x2001)
    assert table.translate(base + 0x20_2000) is None
    assert {4: (tree.pa(0),), 0: (tree.pa(1),)} == table.table_pages()


@pytest.mark.parametrize("bits", range(1, 9))
def test_amd_sizes_between_levels(core: str, bits: int) -> None:
    """Next level 7: the ones from bit 12 on say the size; the entry is repeated, and counts once; a dirty bit in any of them is noted."""
    format = find_format("amd-v1")
    for level in range(3):
        tree = Tree(format, level + 1, 1, top_entries=512)
        size = 1 << format.shift(level) + bits
        tree.words[0][1 << bits : 2 << bits] = encode_leaf(format, 5 * size, level, bits)
        tree.words[0][(1 << bits) + 1] |= np.uint64(1 << 6)
        found = tree.table().walk(merge=False, attributes=ALL)
        assert [Mapping(size, 5 * size, size, 3 | 0x20)] == list(found.mappings)
        assert ({size: 1}, 0) == (found.leaves, found.problem_count)


def test_64k_pages_have_52_bits() -> None:
    """Bits 12 to 15 of an entry are bits 48 to 51 of its address, in tables too."""
    format = find_format("arm-lpae-s1", 0x10000)
    tree = Tree(format, 2, 1)
    high = 0xA_0000_0000_0000
    tree.words[0][1] = encode_leaf(format, high + (3 << 29), 1)
    tree.words[0][2] = encode_pointer(format, high + 0x10000, 0)
    found = tree.table().walk()
    assert [Mapping(1 << 29, high + (3 << 29), 1 << 29, 3)] == list(found.mappings)
    assert ["table-not-in-memory"] == [problem.code for problem in found.problems]
    upper = MemoryRegion(high + 0x10000, 0x10000, memoryview(bytes(0x10000)))
    memory = PhysMemory([*tree.memory().regions, upper])
    assert {1: 1, 0: 1} == PageTable(memory, format, BASE, 2).walk().tables


def test_memory_that_the_core_cannot_see() -> None:
    """A table over the seam of two regions is read in plain Python."""
    format = find_format("arm-lpae-s1", 0x10000)
    tree = Tree(format, 1, 1)
    tree.words[0][3] = encode_leaf(format, 0x70000, 0)
    data = memoryview(tree.words[0].tobytes())
    memory = PhysMemory([MemoryRegion(BASE, 0x1000, data[:0x1000]), MemoryRegion(BASE + 0x1000, 0xF000, data[0x1000:])])
    table = PageTable(memory, format, BASE, 1)
    assert walk.CoreRoot.of(table) is None
    assert [Mapping(0x30000, 0x70000, 0x10000, 3)] == list(table.walk().mappings)
    assert {0: (BASE,)} == table.table_pages()


def test_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, slowly."""
    monkeypatch.setattr(native, "BUILT", False)
    tree = Tree(FORMATS[0], 3, 1)
    tree.words[0][1] = encode_leaf(FORMATS[0], 5 << 30, 2)
    assert [Mapping(1 << 30, 5 << 30, 1 << 30, 3)] == list(tree.table().walk().mappings)
    assert {2: (BASE,)} == tree.table().table_pages()


def test_the_top_table_is_not_there() -> None:
    """Nothing is mapped, and the problem names its address."""
    for built in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "BUILT", built and native.BUILT)
            found = PageTable(PhysMemory([]), FORMATS[0], 0x1000, 4).walk()
            assert (0, {}, {}) == (len(found.mappings), found.leaves, found.tables)
            [problem] = found.problems
            assert ("table-not-in-memory", None, 0x1000, 3) == (problem.code, problem.pa, problem.entry, problem.level)
            assert {} == PageTable(PhysMemory([]), FORMATS[0], 0x1000, 4).table_pages()


@pytest.mark.parametrize(
    ("format", "top", "levels", "options", "text"),
    [
        ("amd-v3", 0, 3, {}, "no page-table format is called 'amd-v3'"),
        ("amd-v1", 0, 3, {"granule": 0x4000}, "has no granule of 0x4000"),
        ("arm-lpae-s1", 0, 3, {"granule": 8192}, "0x1000, 0x4000, 0x10000"),
        ("vtd-second-stage", 0, 6, {}, "2 to 5 levels, not 6"),
        ("amd-v1", 0, 0, {}, "1 to 6 levels, not 0"),
        ("amd-v1", 4, 3, {}, "multiple of 8"),
        ("amd-v1", -8, 3, {}, "multiple of 8"),
        ("amd-v1", 1 << 64, 3, {}, "multiple of 8"),
        ("amd-v1", 0, 3, {"top_entries": 1024}, "up to 512, not 1024"),
        ("amd-v1", 0, 6, {"top_entries": 256}, "up to 128, not 256"),
        ("arm-lpae-s2", 0, 3, {"top_entries": 16384}, "up to 8192"),
        ("amd-v1", 0, 3, {"top_entries": 3}, "power of two"),
        ("amd-v1", 0, 3, {"top_entries": 0}, "power of two"),
        ("amd-v1", 0, 3, {"pa_bits": 65}, "1 to 64 bits"),
        ("amd-v1", 0, 3, {"pa_bits": 0}, "1 to 64 bits"),
    ],
)
def test_what_there_is_not(format: str, top: int, levels: int, options: dict[str, int], text: str) -> None:
    """UsageError, which says what there is."""
    with pytest.raises(UsageError, match=text):
        PageTable(PhysMemory([]), format, top, levels, **options)  # type: ignore[arg-type]


def test_top_tables_by_default() -> None:
    """A whole table, or what the widest iova needs: 7 bits for AMD's sixth level, 1 for the fourth of 16K."""
    made = [("amd-v1", 4096, 6), ("amd-v1", 4096, 5), ("arm-lpae-s1", 16384, 4), ("arm-lpae-s1", 65536, 3), ("arm-lpae-s2", 4096, 4)]
    tables = [PageTable(PhysMemory([]), name, 0, levels, granule=granule) for name, granule, levels in made]
    assert [128, 512, 2, 1024, 512] == [table.top_entries for table in tables]


def test_mappings_are_values() -> None:
    """Columns, rows, equality, and an exact sum even where 64 bits are too few."""
    rows = np.array([[0, 1 << 12, 1 << 63, 3], [1 << 63, 0, 1 << 63, 1]], dtype=np.uint64)
    made = Mappings(rows)
    assert (2, 1 << 64) == (len(made), made.bytes)
    assert [0, 1 << 63] == made.iova.tolist() and [3, 1] == made.attributes.tolist()
    assert made == Mappings(rows.copy()) and made != Mappings(rows[:1])
    assert ["rw", "r"] == [each.access for each in made]
    assert "-" == Mapping(0, 0, 4096, 4).access


def test_rooms_are_apart() -> None:
    """Arbitrary trees have their tables where no other can reach into."""
    assert max(format.granule for format in FORMATS) <= ROOM
