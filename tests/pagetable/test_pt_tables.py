# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which pages hold the tables of a tree, as packing lists them: four tables side by side are read at once, and must be told apart."""

from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import NotInMemoryError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import oracle
from devstate.pagetable.listing import GROUP, tables_listing
from devstate.pagetable.table import PageTable

BASE = 1 << 32
PAGE = 4096
ENTRIES = 512
SIBLINGS = 12

LARGE = {"vtd-second-stage": 0x83, "vtd-first-stage": 0x83, "amd-v1": 3 << 61 | 1, "arm-lpae-s2": 0x4C1, "riscv-64": 0xC7}
POINTER = {"vtd-second-stage": 3, "vtd-first-stage": 3, "amd-v1": 3 << 61 | 1, "arm-lpae-s2": 3, "riscv-64": 1}


def _pointer(format: str, pa: int, level: int) -> int:
    """An entry that leads to a table of a level."""
    if format == "riscv-64":
        return pa >> 2 | POINTER[format]
    return pa | POINTER[format] | (level + 1 << 9 if format == "amd-v1" else 0)


def _image(format: str, siblings: list[tuple[str, int]]) -> bytes:
    """A top table at level 2; tables of level 1, each filled in some way; one table of level 0 for each."""
    words = array("Q", bytes(PAGE * (1 + 2 * SIBLINGS)))
    for number, (kind, place) in enumerate(siblings):
        if kind == "absent":
            continue
        table, leaf = 1 + number, 1 + SIBLINGS + number
        words[number] = _pointer(format, BASE + table * PAGE, 1)
        at = table * ENTRIES
        if kind in ("large", "large and pointer", "large and hole"):
            words[at : at + ENTRIES] = array("Q", [LARGE[format]]) * ENTRIES
        if kind.endswith("pointer"):
            words[at + place] = _pointer(format, BASE + leaf * PAGE, 0)
        if kind.endswith("hole"):
            words[at + place] = 0
        if kind == "too high":
            words[at + place] = _pointer(format, BASE + leaf * PAGE, 1)
        if kind == "twice":
            words[number] = _pointer(format, BASE + PAGE, 1)
        if kind == "outside":
            words[number] = _pointer(format, BASE - PAGE, 1)
    return words.tobytes()


KINDS = ("absent", "empty", "pointer", "large", "large and pointer", "large and hole", "too high", "twice", "outside")
sibling = st.tuples(st.sampled_from([*KINDS, *["large"] * 8]), st.integers(0, ENTRIES - 1))


@pytest.mark.parametrize("format", LARGE)
@settings(max_examples=60, deadline=None)
@given(siblings=st.lists(sibling, max_size=SIBLINGS))
def test_every_table_is_listed_once(format: str, siblings: list[tuple[str, int]]) -> None:
    """The same as the plain Python walk: by level, and whether one is missing."""
    memory = PhysMemory([MemoryRegion(BASE, PAGE * (1 + 2 * SIBLINGS), memoryview(_image(format, siblings)))])
    table = PageTable(memory, format, BASE, 3)
    expected = sorted(pa + level for level, found in oracle.table_pages(table).items() for pa in found)
    listing = tables_listing(table, partial=True)
    assert len(expected) == listing.count
    assert expected == listing.group(0).tolist()
    assert [sum(item % PAGE == level for item in expected) for level in range(8)] == list(listing.levels)
    if any(kind == "outside" for kind, _ in siblings):
        with pytest.raises(NotInMemoryError):
            tables_listing(table, partial=False)


@pytest.mark.parametrize("shift", [0, 8])
def test_groups_over_many_regions(core: str, shift: int) -> None:
    """4,500 tables scattered over regions, with holes of one page between them; and over one that is not aligned, where all are listed."""
    chance = random.Random(2)
    places = list(range(9000))
    chance.shuffle(places)
    at = [BASE + place * PAGE for place in sorted(places[:4500])]
    chance.shuffle(at)
    data = bytearray(9000 * PAGE)
    for level, first, below in ((2, 0, 1), (1, 1, 9), (0, 9, 4500)):
        for number in range(first, below if level else first):
            follow = at[1 + number * 8 :][:8] if level == 2 else at[9 + (number - 1) * ENTRIES :][:ENTRIES]
            words = array("Q", [pa | 3 for pa in follow])
            data[at[number] - BASE : at[number] - BASE + 8 * len(words)] = words.tobytes()
    used = set(at[: 9 + 8 * ENTRIES])
    holes = [pa for pa in range(BASE, BASE + 9000 * PAGE, PAGE) if pa not in used][::7]
    starts, ends = [BASE, *(pa + PAGE for pa in holes)], [*holes, BASE + 9000 * PAGE]
    view = memoryview(data)
    regions = [MemoryRegion(a, b - a, view[a - BASE : b - BASE]) for a, b in zip(starts, ends, strict=True) if a < b]
    if shift:
        regions[:0] = [MemoryRegion(BASE - PAGE + shift, PAGE - shift, memoryview(bytes(PAGE - shift)))]
    table = PageTable(PhysMemory(regions), "vtd-second-stage", at[0], 3)
    listing = tables_listing(table, partial=False)
    expected = sorted(pa + level for level, found in table.table_pages().items() for pa in found)
    assert len(used) == len(expected) == listing.count
    assert expected == [item for group in range(5) for item in listing.group(group).tolist()]
    assert GROUP == len(listing.group(1))
