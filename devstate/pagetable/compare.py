# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Name what differs between what two trees of page tables map, whatever their formats, levels and leaf sizes are.

Of a piece of the address space that differs, just one thing is said, the first that holds:

``only-old``    only the old tables map it
``only-new``    only the new tables map it
``target``      both map it, to other memory
``attributes``  both map it to the same memory, with other attributes (what a device may do, memory type, ...)
``touched``     nothing differs but what the hardware notes: accessed, dirty
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.pagetable import native
from devstate.pagetable.format import TOUCHED
from devstate.pagetable.mapping import ACCESS, ALL, Mapping
from devstate.pagetable.walk import CoreRoot, CoreWalk, budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy
    import numpy.typing

    from devstate.pagetable.mapping import Mappings
    from devstate.pagetable.table import PageTable

KINDS = ("only-old", "only-new", "target", "attributes", "touched")
"""In the order of the numbers in csrc/devstate_core.h."""

CHUNK = 1 << 12
"""Extents of each side, and differences, that one call of the core has room for."""


@frozen
class Difference:
    """``size`` bytes from ``iova`` on differ: ``kind`` is one of KINDS. A side that maps nothing has None for address and attributes."""

    kind: str
    iova: int
    size: int
    old_pa: int | None
    old_attributes: int | None
    new_pa: int | None
    new_attributes: int | None


class Comparison:
    """The differences, in the order of iovas, as few as there can be: ``rows`` is an array of u64 of shape (n, 7): iova, size, index in
    KINDS, old address and attributes, new address and attributes. What a side does not map is 0 there. ``totals``: bytes by kind.
    ``problems``: how much is wrong with the old and with the new tables, and left out.
    """

    __slots__ = ("problems", "rows", "totals")

    def __init__(self, rows: numpy.typing.NDArray[numpy.uint64], totals: dict[str, int], problems: tuple[int, int] = (0, 0)) -> None:
        self.rows = rows
        self.totals = totals
        self.problems = problems

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Difference]:
        for row in self.rows:
            iova, size, number, old_pa, old_attributes, new_pa, new_attributes = row.tolist()
            old = (None, None) if KINDS[number] == "only-new" else (old_pa, old_attributes)
            new = (None, None) if KINDS[number] == "only-old" else (new_pa, new_attributes)
            yield Difference(KINDS[number], iova, size, *old, *new)


def compare(old: PageTable, new: PageTable, attributes: int | None = None) -> Comparison:
    """What ``new`` maps otherwise than ``old``. ``attributes``: those that count; by default all, and of two formats reading and writing.

    Damage in either is left out, as in a walk, but counted.
    """
    if attributes is None:
        attributes = ALL if old.format.name == new.format.name else ACCESS
    roots = [CoreRoot.of(table) for table in (old, new)]
    if roots[0] is None or roots[1] is None:
        found = [table.walk(attributes=attributes) for table in (old, new)]
        comparison = compare_mappings(found[0].mappings, found[1].mappings)
        comparison.problems = found[0].problem_count, found[1].problem_count
        return comparison
    walks = [
        CoreWalk(root, budget=budget(table), merge=True, attributes=attributes)
        for root, table in zip(roots, (old, new), strict=True)
        if root is not None
    ]
    return _in_core(walks)


def _in_core(walks: list[CoreWalk]) -> Comparison:
    import numpy as np

    state, used = native.ffi.new("struct ds_pt_compare *"), native.ffi.new("size_t *")
    rooms = [native.ffi.new("struct ds_pt_extent[]", CHUNK) for _ in walks]
    for side, walk, room in zip(state.sides, walks, rooms, strict=True):
        side.walk, side.room, side.capacity = walk.state, room, CHUNK
    chunks = []
    while True:
        chunk = np.empty((CHUNK, 7), dtype=np.uint64)
        native.done(native.lib.ds_pt_compare_next(state, native.ffi.from_buffer("struct ds_pt_difference[]", chunk), CHUNK, used))
        chunks.append(chunk[: used[0]])
        if used[0] < CHUNK:
            break
    totals = {kind: size for kind, size in zip(KINDS, state.totals, strict=True) if size}
    problems = walks[0].state.problems.count, walks[1].state.problems.count
    return Comparison(np.concatenate(chunks), totals, problems)


def compare_mappings(old: Mappings, new: Mappings) -> Comparison:
    """The same, of extents that are sorted and do not overlap, in plain Python."""
    import numpy as np

    found: list[list[int]] = []
    totals: dict[str, int] = {}
    for kind, iova, size, was, now in _pieces(iter(old), iter(new)):
        totals[kind] = totals.get(kind, 0) + size
        row = [iova, size, KINDS.index(kind), *was, *now]
        if found and _goes_on(found[-1], row):
            found[-1][1] += size
        else:
            found.append(row)
    ordered = {kind: totals[kind] for kind in KINDS if kind in totals}
    return Comparison(np.array(found, dtype=np.uint64).reshape(-1, 7), ordered)


_NOTHING = (0, 0)


def _pieces(olds: Iterator[Mapping], news: Iterator[Mapping]) -> Iterator[tuple[str, int, int, tuple[int, int], tuple[int, int]]]:
    """(kind, iova, bytes, old and new address with attributes) of all that differs, cut wherever either side changes."""
    old, new = next(olds, None), next(news, None)
    while old or new:
        if new is None or (old is not None and old.iova < new.iova):
            assert old is not None
            size = old.size if new is None else min(old.size, new.iova - old.iova)
            yield "only-old", old.iova, size, (old.pa, old.attributes), _NOTHING
            old = _rest(old, size) or next(olds, None)
        elif old is None or new.iova < old.iova:
            size = new.size if old is None else min(new.size, old.iova - new.iova)
            yield "only-new", new.iova, size, _NOTHING, (new.pa, new.attributes)
            new = _rest(new, size) or next(news, None)
        else:
            size = min(old.size, new.size)
            if old.pa != new.pa:
                yield "target", old.iova, size, (old.pa, old.attributes), (new.pa, new.attributes)
            elif old.attributes != new.attributes:
                kind = "attributes" if (old.attributes ^ new.attributes) & ~TOUCHED else "touched"
                yield kind, old.iova, size, (old.pa, old.attributes), (new.pa, new.attributes)
            old, new = _rest(old, size) or next(olds, None), _rest(new, size) or next(news, None)


def _rest(mapping: Mapping, size: int) -> Mapping | None:
    """A mapping without its first bytes; None when nothing is left."""
    left = mapping.size - size
    return Mapping(mapping.iova + size, mapping.pa + size, left, mapping.attributes) if left else None


def _goes_on(last: list[int], row: list[int]) -> bool:
    """Whether a piece is just more of the difference before it."""
    iova, size, kind, old_pa, old_attributes, new_pa, new_attributes = last
    if [iova + size, kind, old_attributes, new_attributes] != [row[0], row[2], row[4], row[6]]:
        return False
    old_follows, new_follows = old_pa + size == row[3], new_pa + size == row[5]
    return (old_follows or KINDS[kind] == "only-new") and (new_follows or KINDS[kind] == "only-old")
