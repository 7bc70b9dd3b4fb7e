# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A device's writes: the translation of the core is the oracle's, writes land where the tables say, and nowhere else."""

from __future__ import annotations

import struct

import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import DecodeError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.arena import Arena
from devstate.pagetable import native
from devstate.pagetable.build import build
from devstate.pagetable.dma import Dma, DmaFault, Ring, core_translate
from devstate.pagetable.format import ACCESSED, DIRTY
from devstate.pagetable.formats import find_format
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.table import PageTable
from tests.pagetable.tables import Tree, trees

pytestmark = pytest.mark.skipif(not native.BUILT, reason="the core is not built")

NOTED = ACCESSED | DIRTY


@settings(max_examples=120, deadline=None)
@given(tree=trees(), iovas=st.lists(st.integers(0, (1 << 64) - 1), max_size=8), near=st.integers(-1, 1))
def test_translation_is_the_oracles(tree: Tree, iovas: list[int], near: int) -> None:
    """In every format, on arbitrary entries: the same address and access; what is not in memory is said to be so."""
    table = tree.table()
    extents = list(table.walk().mappings)[:20]
    for iova in [*iovas, *[(each.iova + near) % (1 << 64) for each in extents]]:
        expected = table.translate(iova)
        try:
            got = core_translate(table, iova)
        except DecodeError:
            assert expected is None
            continue
        assert (None if expected is None else (expected.pa, expected.attributes & ~NOTED)) == (
            None if got is None else (got.pa, got.attributes & ~NOTED)
        )


def machine(mappings: list[Mapping]) -> tuple[Arena, PageTable]:
    """Memory of two guest pages at 0x20000000 and the tables that map them."""
    arena = Arena(base=0x2000_0000, size=1 << 20)
    arena.alloc(0x2000)
    table = build(arena, find_format("vtd-second-stage"), mappings, levels=3)
    return arena, PageTable(_writable(arena), table.format, table.top_table, table.levels)


def _writable(arena: Arena) -> PhysMemory:
    size = sum(region.size for region in arena.view().regions)
    return PhysMemory([MemoryRegion(arena.base, size, arena.span(arena.base, size))], source="machine")


READ_WRITE, READ_ONLY = 3, 1


def test_a_write_over_the_edge_of_pages() -> None:
    """Each part goes to its page; the cache has each page once; other bytes stay."""
    arena, table = machine([Mapping(0x10000, 0x2000_1000, 0x1000, READ_WRITE), Mapping(0x11000, 0x2000_0000, 0x1000, READ_WRITE)])
    dma = Dma(table)
    for _ in range(2):
        dma.write(0x10FFC, b"abcdefgh")
    assert b"\0\0abcd" == bytes(arena.span(0x2000_1FFA, 6))
    assert b"efgh\0\0" == bytes(arena.span(0x2000_0000, 6))
    assert 2 == dma.walks
    dma.flush()
    dma.write(0x10000, b"x")
    assert 3 == dma.walks


@pytest.mark.parametrize(
    ("mapping", "done", "text"),
    [
        (Mapping(0x11000, 0x2000_0000, 0x1000, READ_ONLY), 4, "not mapped for writing"),
        (Mapping(0x12000, 0x2000_0000, 0x1000, READ_WRITE), 4, "not mapped for writing"),
        (Mapping(0x11000, 0x9000_0000, 0x1000, READ_WRITE), 4, "leads to no memory"),
    ],
    ids=["read only", "not mapped", "no memory"],
)
def test_faults(mapping: Mapping, done: int, text: str) -> None:
    """What the IOMMU stops: said with what was written before."""
    _, table = machine([Mapping(0x10000, 0x2000_1000, 0x1000, READ_WRITE), mapping])
    with pytest.raises(DmaFault, match=text) as fault:
        Dma(table).write(0x10FFC, b"abcdefgh")
    assert done == fault.value.done


def test_stamps() -> None:
    """The last of each slot stays, with its number and its sum."""
    arena, table = machine([Mapping(0x10000, 0x2000_1000, 0x1000, READ_WRITE)])
    Dma(table, tlb_size=1).stamp(Ring(0x10000, slots=3, stride=64, device=9), 5, 4)
    for slot, number in enumerate([6, 7, 8]):
        stamp = bytes(arena.span(0x2000_1000 + 64 * slot, 16))
        assert (number, 9, crc32c.crc32c(stamp[:12])) == struct.unpack("=QII", stamp)


def test_stamps_that_leave_what_is_mapped() -> None:
    """The number of those that were written before."""
    _, table = machine([Mapping(0x10000, 0x2000_1000, 0x1000, READ_WRITE)])
    with pytest.raises(DmaFault) as fault:
        Dma(table).stamp(Ring(0x10000, slots=100, stride=64, device=9), 0, 100)
    assert 64 == fault.value.done


@pytest.mark.parametrize(("slots", "stride", "tlb"), [(0, 16, 1), (1, 15, 1), (1, 16, 3)])
def test_rings_that_cannot_be(slots: int, stride: int, tlb: int) -> None:
    """No slots, slots that are too small, a cache of no power of two."""
    _, table = machine([Mapping(0x10000, 0x2000_1000, 0x1000, READ_WRITE)])
    with pytest.raises(Exception, match="outside of what the function takes"):
        Dma(table, tlb_size=tlb).stamp(Ring(0x10000, slots, stride, 1), 0, 1)
