# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What preserving IOMMU page tables will cost: :func:`estimate`, by arithmetic from the geometry and from measured constants (costs.py).

::

    tables above n bytes of iovas from 0 on, at level L:   ceil(n / bytes that a table of level L stands for), the top one is one table
    radix tree of KHO, at most:                            one bit for each page of memory, and pointers to the pages that hold these

Scattered mappings have the same tables; iovas with holes have fewer leaves for each table, and then more tables.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import frozen
from devstate.pagetable.costs import COSTS
from devstate.pagetable.formats import find_format
from devstate.pagetable.stream import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.costs import Cost
    from devstate.pagetable.format import PageTableFormat

LARGE = "2M pages"
"""The shape whose costs are those of large pages, whatever their size: their tables are read twice, once to find the tables below."""


@frozen
class Expected:
    """What one shape of mappings costs. Nanoseconds of one thread: ``pack`` and ``prove`` are before the jump, ``unpack`` after it.

    ``prove`` is None where it was not measured. ``fresh``: to unpack into memory that nobody has touched.
    """

    stream: int
    pack: int
    prove: int | None
    unpack: int
    fresh: int


@frozen
class Estimate:
    """``tables``: how many there are at each level; ``table_bytes`` of them; ``radix_bytes``: at most, of the map of what is preserved."""

    tables: dict[int, int]
    table_bytes: int
    radix_bytes: int
    shapes: dict[str, Expected]


def estimate(ram: int, page_size: int = 4096, format: str = "vtd-second-stage", granule: int = 4096, levels: int = 0) -> Estimate:
    """The cost of tables that map ``ram`` bytes in leaves of ``page_size``; ``levels`` is as few as that takes, at least three.

    UsageError for leaves or sizes that the format does not have.
    """
    geometry = find_format(format, granule)
    level = _leaf_level(geometry, page_size)
    fewest = min(max(geometry.levels[0], 3), geometry.levels[1])
    levels = levels or next((n for n in range(fewest, geometry.levels[1]) if _spans(geometry, n) >= ram), geometry.levels[1])
    if not geometry.levels[0] <= levels <= geometry.levels[1] or levels <= level:
        raise UsageError(f"{format} has {geometry.levels[0]} to {geometry.levels[1]} levels, and these pages are in level {level}")
    if not 0 < ram <= _spans(geometry, levels):
        raise UsageError(f"{levels} levels map up to {_spans(geometry, levels):#x} bytes, and at least one page")
    tables = {n: -(-ram >> geometry.shift(n + 1)) if n + 1 < levels else 1 for n in range(levels - 1, level - 1, -1)}
    top = 1 << min(geometry.index_bits, max(geometry.iova_bits - geometry.shift(levels - 1), 1))
    pages = (sum(tables.values()) - 1) * ((8 << geometry.index_bits) // PAGE) + -(-8 * top // PAGE)
    names = [LARGE] if level else [name for name in COSTS if name != LARGE]
    return Estimate(tables, pages * PAGE, radix_bytes(ram), {name: _expected(COSTS[name], pages) for name in names})


def _spans(geometry: PageTableFormat, levels: int) -> int:
    return 1 << min(geometry.shift(levels), geometry.iova_bits)


def _leaf_level(geometry: PageTableFormat, page_size: int) -> int:
    for level in range(geometry.levels[1]):
        if geometry.leaf_levels >> level & 1 and 1 << geometry.shift(level) == page_size:
            return level
    sizes = [1 << geometry.shift(level) for level in range(geometry.levels[1]) if geometry.leaf_levels >> level & 1]
    raise UsageError(f"{geometry.name} has no pages of {page_size} bytes; it has {', '.join(map(str, sizes))}")


def radix_bytes(ram: int) -> int:
    """Of the nodes of a radix tree in which each page of memory is preserved for itself: the largest that there is."""
    nodes = total = -(-ram // (PAGE * 8 * PAGE))
    while nodes > 1:
        nodes = -(-nodes // (PAGE // 8))
        total += nodes
    return total * PAGE


def _expected(cost: Cost, pages: int) -> Expected:
    prove = None if cost.prove is None else round(cost.prove * pages)
    return Expected(round(cost.stream * pages), round(cost.pack * pages), prove, round(cost.unpack * pages), round(cost.fresh * pages))
