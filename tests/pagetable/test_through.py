# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory as it is seen through page tables."""

from __future__ import annotations

import pytest

from devstate.errors import NotInMemoryError
from devstate.memory.arena import Arena
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.pagetable import through as module
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping, Mappings, columns
from devstate.pagetable.table import PageTable
from devstate.pagetable.through import through


def test_a_guest_sees_the_same_bytes_elsewhere() -> None:
    """What is mapped and there is seen, at the guest's addresses; what is not mapped, or not there, is absent."""
    arena = Arena()
    first, second = arena.alloc(), arena.alloc()
    arena.write(first, b"first")
    arena.write(second, b"second")
    table = build(arena, "vtd-second-stage", [Mapping(0x5000, first, 4096, 3), Mapping(0x9000, second, 4096, 1)], 3)
    seen = through(PageTable(arena.view(), "vtd-second-stage", table.top_table, 3))
    assert (b"first", b"second") == (bytes(seen.read(0x5000, 5)), bytes(seen.read(0x9000, 6)))
    for absent in (0x4FFF, 0x6000, 0xA000, int(first)):
        with pytest.raises(NotInMemoryError):
            seen.read(absent, 1)


class Given(PageTable):
    """Tables that are said to map these."""

    def __init__(self, memory: PhysMemory, *mappings: tuple[int, int, int, int]) -> None:
        super().__init__(memory, "vtd-second-stage", 0, 3)
        self.given = columns(mappings)

    def extents(self, attributes: int = 3) -> Mappings:
        return self.given


def memory_of(*regions: tuple[int, bytes]) -> PhysMemory:
    return PhysMemory([MemoryRegion(pa, len(data), memoryview(data)) for pa, data in regions])


def test_an_extent_with_holes() -> None:
    """Of a large extent, the parts that are in memory; each at its own place."""
    memory = memory_of((0x2000, b"a" * 4096), (0x5800, b"b" * 4096), (0x9000, b"c" * 4096))
    seen = through(Given(memory, (0x100000, 0x1000, 0x8000, 3)))
    assert [(0x101000, 0x102000), (0x104800, 0x105800)] == [(each.start, each.end) for each in seen.regions]
    assert (b"a", b"b") == (bytes(seen.read(0x101000, 1)), bytes(seen.read(0x1057FF, 1)))
    seen = through(Given(memory, (0x100000, 0x2100, 0x200, 3), (0x200000, 0x5000, 0x1000, 3)))
    assert [(0x100000, 0x100200), (0x200800, 0x201000)] == [(each.start, each.end) for each in seen.regions]


def test_extents_that_overlap() -> None:
    """Which only broken tables have: the first one counts."""
    memory = memory_of((0, b"a" * 4096), (0x1000, b"b" * 4096))
    seen = through(Given(memory, (0x5000, 0, 4096, 3), (0x5800, 0x1000, 2048, 3), (0x6000, 0x1000, 4096, 3)))
    assert [(0x5000, 0x6000), (0x6000, 0x7000)] == [(each.start, each.end) for each in seen.regions]


def test_no_more_regions_than_a_memory_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest ones."""
    monkeypatch.setattr(module, "MAX_REGIONS", 2)
    memory = memory_of((0, b"a" * 4096))
    seen = through(Given(memory, *((0x10000 * number, 0, 4096, 3) for number in range(1, 5))))
    assert [0x10000, 0x20000] == [each.start for each in seen.regions]


def test_all_of_the_address_space() -> None:
    """An extent that ends at the end of what there is does not pass it."""
    memory = memory_of((0, b"a" * 4096))
    seen = through(Given(memory, ((1 << 64) - 4096, 0, 4096, 3)))
    assert [((1 << 64) - 4096, 1 << 64)] == [(each.start, each.end) for each in seen.regions]
