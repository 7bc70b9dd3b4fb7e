# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whether memory is preserved and not scratch: :class:`Coverage`, made once from a map of preserved pages, asked as often as one likes.

Where the core is not built, the plain Python of ``gaps.py`` answers, slowly.
"""

from __future__ import annotations

from devstate.pagetable import gaps, native
from devstate.pagetable.gaps import Finder, Gap, Gaps
from devstate.pagetable.preserved import PreservedMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.pagetable.mapping import Mappings

GAP_LIMIT = 1000
"""Gaps that are listed: whoever has read a thousand knows. Their bytes go on being counted."""

FEW_RANGES = 64
"""Up to so many ranges are quicker to search than tiles are to fill."""

SPAN_MAX = 1 << 44
"""Bytes of memory that have tiles, from the first that is preserved on: 16 TiB in 64 MiB of tiles, which are only touched where something
is preserved. What is beyond is searched for among the ranges: a map may claim any amount."""

DENSE_RANGES = 1.75
"""Ranges that begin in 2 MiB, on average where any does, from which on each 2 MiB has a bitmap instead of a tile: then one look at memory
is quicker than a look at a tile and, often, one at the bitmap of what the tile has no room for. Measured: 85 ms and 67 ms for 4.2 million
runs at 2.3, 24 ms and 33 ms for 0.4 million at 1.2."""

DENSE_PART = 8
"""Bitmaps are for one of so many 2 MiB at least: the rest of their memory is not touched, but it is 4 KiB for each 128 MiB all the same."""

_TILE_SHIFT = 21


class Coverage:
    """The memory that is preserved, without the scratch areas. ``inside`` and ``scratch`` are edges, as in PreservedMap.

    ``preserved``: a PreservedMap, or edges as it has; ``scratch``: (address, bytes) ranges in any order. Nothing may change meanwhile.
    """

    __slots__ = ("_keep", "inside", "scratch", "structs")

    def __init__(self, preserved: PreservedMap | Sequence[int] | memoryview, scratch: Iterable[tuple[int, int]] = ()) -> None:
        from array import array

        known: Sequence[int] | memoryview = preserved.edges if isinstance(preserved, PreservedMap) else preserved
        edges = known if isinstance(known, memoryview) else memoryview(array("Q", known))
        holes = memoryview(array("Q", gaps.join(scratch)))
        self._keep: list[Any] = []
        self.scratch = holes
        if not native.BUILT:
            self.inside = memoryview(array("Q", gaps.subtract(edges, holes)))
            self.structs: tuple[Any, Any] | None = None
            return
        self.inside = _without(edges, holes) if len(holes) else edges
        self.structs = self._make(self.inside, tiles=True), self._make(holes, tiles=False)

    def _make(self, edges: memoryview, *, tiles: bool) -> Any:
        """A struct ds_coverage."""
        ffi, lib = native.ffi, native.lib
        made = ffi.new("struct ds_coverage *")
        made.edges, made.count = ffi.from_buffer("uint64_t[]", edges), len(edges)
        made.sums = self._room(lib.ds_coverage_sums(len(edges)))
        if tiles and len(edges) > 2 * FEW_RANGES:
            made.first_tile = edges[0] >> _TILE_SHIFT
            made.tile_count = min((edges[-1] >> _TILE_SHIFT) + 1 - made.first_tile, SPAN_MAX >> _TILE_SHIFT)
            dense = _is_dense(edges, made.tile_count)
            made.line_capacity = made.tile_count if dense else min(len(edges) // 8, made.tile_count)
            made.tiles = ffi.NULL if dense else self._room(made.tile_count)
            made.lines = self._room(8 * made.line_capacity)
        self._keep.append(edges)
        native.done(lib.ds_coverage_init(made))
        return made

    def _room(self, count: int) -> Any:
        """So many u64, all zero, for as long as this lives."""
        self._keep.append(native.words(count))
        return native.ffi.from_buffer("uint64_t[]", self._keep[-1])

    def check(self, mappings: Mappings | numpy.typing.NDArray[numpy.uint64], limit: int = GAP_LIMIT) -> Gaps:
        """The memory of extents (rows of iova, pa, size, attributes) that is not covered; ``limit`` gaps are listed."""
        import numpy as np

        rows = np.ascontiguousarray(getattr(mappings, "rows", mappings), dtype=np.uint64)
        if self.structs is None:
            finder = Finder(self.inside, self.scratch, limit)
            for iova, pa, size, _ in rows.tolist():
                finder.add(iova, pa, size)
            return finder.gaps()
        found = GapsRoom(limit)
        extents = native.ffi.from_buffer("struct ds_pt_extent[]", rows)
        room = native.ffi.new("struct ds_gaps *")
        found.lend(room)
        native.done(native.lib.ds_coverage_check(*self.structs, extents, len(rows), room))
        return found.take(room)


def _is_dense(edges: memoryview, tiles: int) -> bool:
    """Whether each 2 MiB shall have a bitmap."""
    import numpy as np

    begun = np.frombuffer(edges, dtype=np.uint64)[0::2] >> np.uint64(_TILE_SHIFT)
    populated = 1 + np.count_nonzero(begun[1:] != begun[:-1])
    return bool(len(begun) >= DENSE_RANGES * populated and tiles <= DENSE_PART * populated)


class GapsRoom:
    """Where the core puts gaps: ``lend()`` it to a struct ds_gaps, ``take()`` them out of it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._list = native.ffi.new("struct ds_gap[]", max(limit, 1))

    def lend(self, gaps: Any) -> None:
        """Give a struct ds_gaps, all zero, its room."""
        gaps.list, gaps.capacity = self._list, self._limit

    def take(self, found: Any) -> Gaps:
        """What was found."""
        listed = tuple(Gap(row.iova, row.pa, row.size, gaps.KINDS[row.kind]) for row in self._list[0 : found.count])
        return Gaps(listed, *found.bytes)


def _without(edges: memoryview, holes: memoryview) -> memoryview:
    ffi, lib = native.ffi, native.lib
    room, used = native.words(len(edges) + len(holes)), ffi.new("size_t *")
    given = ffi.from_buffer("uint64_t[]", edges), len(edges), ffi.from_buffer("uint64_t[]", holes), len(holes)
    native.done(lib.ds_edges_subtract(*given, ffi.from_buffer("uint64_t[]", room), len(room), used))
    return room[: used[0]]
