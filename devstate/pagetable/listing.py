# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which pages a stream has, in the order of their addresses: as items, each the address of a page plus the level of the table in it.

The walk over all levels but the last marks the pages of every table, a bit for each page of the memory; these bits are the list of the
leaf tables, in order already. Only the few tables above them are listed. So there is little to keep, whatever the size.
"""

from __future__ import annotations

from devstate.errors import EncodeError, NotInMemoryError
from devstate.pagetable import native
from devstate.pagetable.stream import CHUNK_PAGES, LEVELS, NO_LEVEL, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.memory import PhysMemory
    from devstate.pagetable.table import PageTable
    from devstate.pagetable.walk import CoreRoot

    Items = numpy.typing.NDArray[numpy.uint64]

GROUP = 4 * CHUNK_PAGES
"""Pages that one call of the core packs: at most 4 MiB of output."""

_FIRST_TABLES = 1 << 20
"""Tables that a first walk has room for, which is touched as far as it is used; for more it is done again."""


class Listing:
    """``count`` pages, ``levels``: how many there are of each level. ``items``: all of them, sorted."""

    def __init__(self, items: Items, levels: tuple[int, ...]) -> None:
        self.count, self.levels = sum(levels), levels
        self._items = items

    def group(self, number: int) -> Items:
        """The items of a group: GROUP pages, or what is left."""
        return self._items[number * GROUP : (number + 1) * GROUP]


class Marked(Listing):
    """A listing of which ``items`` are only those above level 0; all are marked in ``visited``."""

    def __init__(self, items: Items, levels: tuple[int, ...], root: CoreRoot, visited: Any) -> None:
        super().__init__(items, levels)
        self._root, self._visited = root, visited
        unit = native.ffi.new("uint64_t *")
        self._units = [0]
        while native.lib.ds_pt_marked(root.memory, visited, unit, native.ffi.NULL, GROUP) == GROUP:
            self._units.append(unit[0])

    def group(self, number: int) -> Items:
        """The items of a group: GROUP pages, or what is left."""
        import numpy as np

        found = np.empty(min(GROUP, self.count - number * GROUP), dtype=np.uint64)
        unit = native.ffi.new("uint64_t *", self._units[number])
        room = native.ffi.from_buffer("uint64_t[]", found, require_writable=True)
        native.lib.ds_pt_marked(self._root.memory, self._visited, unit, room, len(found))
        above = self._items[np.searchsorted(self._items, found[0]) : np.searchsorted(self._items, found[-1] + np.uint64(PAGE))]
        found[np.searchsorted(found, above // np.uint64(PAGE) * np.uint64(PAGE))] = above
        return found


def pages_listing(memory: PhysMemory, addresses: Iterable[int]) -> Listing:
    """Pages that are of no tree. EncodeError for addresses that are not multiples of 4096, are there twice, or beyond 56 bits."""
    import numpy as np

    found = np.fromiter(addresses, dtype=np.uint64)
    if (found % np.uint64(PAGE)).any():
        raise EncodeError("pages begin at multiples of 4096", source=memory.source)
    items = found | np.uint64(NO_LEVEL)
    return Listing(items, sort(items))


def tables_listing(table: PageTable, *, partial: bool) -> Listing:
    """The pages that hold the tables of a tree. NotInMemoryError for one that is not in the memory, unless ``partial``.

    EncodeError for a tree that cannot be told apart in pages.
    """
    from devstate.pagetable.walk import CoreRoot

    root = CoreRoot.of(table)
    regions = table.memory.regions
    if root is None:
        pas, levels, missing = _tables(table)
    else:
        in_pages = bool(regions) and regions[-1].end <= 1 << 56 and not any(region.start % PAGE for region in regions)
        pas, levels, missing, counts, visited = _core_tables(table, root, lowest=int(in_pages))
    if missing is not None and not partial:
        raise missing
    top = table.top_table, 8 * table.top_entries
    if top[0] % min(top[1], PAGE) and (root is None or sum(counts)):
        raise EncodeError("a top table that is neither whole pages nor inside one", source=table.memory.source, pa=top[0])
    items = _spread(table, pas, levels)
    by_level = sort(items)
    if root is None or not in_pages:
        return Listing(items, by_level)
    pages = [count * _pages(table, level) for level, count in enumerate(counts)]
    return Marked(items, (*pages, *[0] * (LEVELS - len(pages))), root, visited)


def _pages(table: PageTable, level: int) -> int:
    """Pages that a table of a level has."""
    return -(-8 * table.entries(level) // PAGE)


def _spread(table: PageTable, pas: Items, levels: numpy.typing.NDArray[numpy.uint8]) -> Items:
    """Tables as items, one for each of their pages, where ``pas`` was."""
    import numpy as np

    first = pas
    first &= ~np.uint64(PAGE - 1)
    first |= levels
    pages, top_pages = _pages(table, 0), _pages(table, table.top_level)
    if pages == top_pages == 1:
        return first
    counts = np.where(levels == table.top_level, top_pages, pages)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    made: Items = np.repeat(first, counts) + place.astype(np.uint64) * np.uint64(PAGE)
    return made


def _tables(table: PageTable) -> tuple[Items, numpy.typing.NDArray[numpy.uint8], NotInMemoryError | None]:
    """(addresses, levels) of all tables, and what to say about one that is not there."""
    import numpy as np

    walk = table.walk()
    by_level = table.table_pages()
    pas = np.array([pa for pages in by_level.values() for pa in pages], dtype=np.uint64)
    levels = np.repeat(np.array([*by_level], dtype=np.uint8), [len(pages) for pages in by_level.values()])
    absent = (each for each in walk.problems if each.code == "table-not-in-memory")
    return pas, levels, next((_missing(table, each.pa, each.entry) for each in absent), None)


def _core_tables(
    table: PageTable, root: CoreRoot, lowest: int
) -> tuple[Items, numpy.typing.NDArray[numpy.uint8], NotInMemoryError | None, list[int], Any]:
    """The same of those from level ``lowest`` on; how many there are of each level; and a map in which all of them are marked."""
    import numpy as np

    ffi, lib = native.ffi, native.lib
    found = ffi.new("struct ds_pt_tables *", {"lowest": lowest})
    problems: Any = None
    status = lib.DS_ESPACE
    while status == lib.DS_ESPACE or found.problems.count > found.problems.capacity:
        size = max(found.listed, min(_FIRST_TABLES, root.units))
        pas, levels = np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.uint8)
        found.pas, found.levels, found.capacity = ffi.from_buffer("uint64_t[]", pas), ffi.from_buffer("uint8_t[]", levels), size
        problems = ffi.new("struct ds_problem[]", found.problems.count)
        found.problems.list, found.problems.capacity = problems, len(problems)
        visited = root.visited()
        status = lib.ds_pt_tables(root.memory, root.root, visited, found)
    native.done(status)
    absent_rows = (row for row in problems[0 : found.problems.count] if row.code == lib.DS_NOT_IN_MEMORY)
    missing = next((_missing(table, row.pa or None, row.value) for row in absent_rows), None)
    return pas[: found.listed], levels[: found.listed], missing, list(found.by_level), visited


def _missing(table: PageTable, entry_pa: int | None, value: int) -> NotInMemoryError:
    if entry_pa is None:
        return NotInMemoryError("the top table is not in the capture", source=table.memory.source, pa=value)
    return NotInMemoryError("a table is not in the capture", source=table.memory.source, pa=entry_pa, found=f"an entry {value:#x}")


def sort(items: Items) -> tuple[int, ...]:
    """Sort items in place; how many there are of each level. EncodeError for a page that is there twice, or beyond 56 bits."""
    import numpy as np

    if native.BUILT:
        counts = native.ffi.new("uint64_t[]", LEVELS)
        scratch = np.empty_like(items)
        room, more = (native.ffi.from_buffer("uint64_t[]", each, require_writable=True) for each in (items, scratch))
        status = native.lib.ds_pt_sort(room, more, len(items), counts)
        if status == native.lib.DS_OK:
            return tuple(counts)
    items.sort()
    places = items // np.uint64(PAGE)
    twice = np.flatnonzero(places[1:] == places[:-1])
    if len(twice):
        raise EncodeError("a page is of two tables", pa=int(places[twice[0]]) * PAGE)
    if len(items) and int(items[-1]) >> 56:
        raise EncodeError("a page beyond 56 bits", pa=int(places[-1]) * PAGE)
    return tuple(np.bincount((items % np.uint64(PAGE)).astype(np.intp), minlength=LEVELS).tolist())
