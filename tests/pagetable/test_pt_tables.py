# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which pages hold the tables of a tree, as packing lists them: four tables side by side are read at once, and must be told apart."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import oracle
from devstate.pagetable.pack import _tables
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
    pas, levels, missing = _tables(table)
    expected = sorted((pa, level) for level, found in oracle.table_pages(table).items() for pa in found)
    assert expected == sorted(zip(pas.tolist(), levels.tolist(), strict=True))
    absent = any(kind == "outside" for kind, _ in siblings)
    assert absent == (missing is not None)
