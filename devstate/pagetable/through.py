# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory as it is seen through page tables: the memory of a guest whose second stage they are.

::

    guest address   0x0 ───────┐     0x200000 ──┐
                               v                v
    memory          0x1500000  [ a page ]       [ 2 MiB ]       views of the same bytes, at the guest's addresses
"""

from __future__ import annotations

from devstate.memory.physmem import MAX_REGIONS, MemoryRegion, PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.table import PageTable


def through(table: PageTable) -> PhysMemory:
    """What a guest behind ``table`` sees of the memory that the table is in. Nothing is copied.

    Of extents that overlap, which only broken tables have, the first one counts; at most MAX_REGIONS pieces, the lowest ones.
    """
    regions: list[MemoryRegion] = []
    end = 0
    memory = table.memory
    for each in table.extents():
        if each.iova < end or each.size > 1 << 63:
            continue
        for start, piece in _present(memory, each.pa, each.size):
            if len(regions) == MAX_REGIONS:
                return PhysMemory(regions, source=memory.source)
            regions.append(MemoryRegion(each.iova + start, len(piece), piece))
        end = each.iova + each.size
    return PhysMemory(regions, source=memory.source)


def _present(memory: PhysMemory, pa: int, size: int) -> list[tuple[int, memoryview]]:
    """The parts that are there, as (offset, view): by regions, as an extent may be larger than any read."""
    from bisect import bisect_right

    found = []
    first = max(bisect_right(memory.regions, pa, key=lambda region: region.start) - 1, 0)
    for region in memory.regions[first:]:
        if region.start >= pa + size:
            break
        low, high = max(pa, region.start), min(pa + size, region.end)
        if low < high:
            found.append((low - pa, region.data[low - region.start : high - region.start]))
    return found
