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
from devstate.pagetable.format import TOUCHED
from devstate.pagetable.mapping import ACCESS, ALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.pagetable.mapping import Mappings
    from devstate.pagetable.table import PageTable

KINDS = ("only-old", "only-new", "target", "attributes", "touched")

_UNIT = 12
"""All extents are of whole 4K pages: counted in these, their ends fit in 64 bits too."""


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
    """The differences as extents, in the order of iovas: ``kinds`` (indices of KINDS) and ``rows``, an array of u64 of shape (n, 6):
    iova, size, old address and attributes, new address and attributes. What a side does not map is 0 there.
    """

    def __init__(self, kinds: Any, rows: Any) -> None:
        self.kinds: numpy.typing.NDArray[numpy.int64] = kinds
        self.rows: numpy.typing.NDArray[numpy.uint64] = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Difference:
        kind = KINDS[self.kinds[number]]
        iova, size, old_pa, old_attributes, new_pa, new_attributes = self.rows[number].tolist()
        old = (None, None) if kind == "only-new" else (old_pa, old_attributes)
        new = (None, None) if kind == "only-old" else (new_pa, new_attributes)
        return Difference(kind, iova, size, *old, *new)

    @property
    def totals(self) -> dict[str, int]:
        """Bytes that differ, by kind."""
        return {kind: int(self.rows[self.kinds == number, 1].sum()) for number, kind in enumerate(KINDS) if (self.kinds == number).any()}


def compare(old: PageTable, new: PageTable, attributes: int | None = None) -> Comparison:
    """What ``new`` maps otherwise than ``old``. ``attributes``: those that count; by default all, and of two formats reading and writing.

    Damage in either is left out, as in a walk: ``verify()`` first.
    """
    if attributes is None:
        attributes = ALL if old.format.name == new.format.name else ACCESS
    return compare_mappings(old.extents(attributes), new.extents(attributes))


def compare_mappings(old: Mappings, new: Mappings) -> Comparison:
    """The same, of extents that are sorted and do not overlap."""
    import numpy as np

    sides = [_Side(old), _Side(new)]
    edges = np.unique(np.concatenate([side.edges for side in sides]))
    starts, sizes = edges[:-1], np.diff(edges)
    pieces = [side.at(starts) for side in sides]
    kinds = _kinds(*pieces)
    differ = kinds >= 0
    rows = np.stack([starts << np.uint64(_UNIT), sizes << np.uint64(_UNIT), *pieces[0][1:], *pieces[1][1:]], axis=1)[differ]
    return _joined(kinds[differ], rows)


class _Side:
    """Sorted extents, in pages."""

    def __init__(self, mappings: Mappings) -> None:
        import numpy as np

        unit = np.uint64(_UNIT)
        self.starts = mappings.iova >> unit
        self.ends = self.starts + (mappings.size >> unit)
        self.pas = mappings.pa
        self.attributes = mappings.attributes
        self.edges = np.concatenate([self.starts, self.ends])

    def at(self, pages: Any) -> tuple[Any, Any, Any]:
        """(is it mapped, address, attributes) of each page; 0 where it is not."""
        import numpy as np

        if not len(self.starts):
            nothing = np.zeros(len(pages), dtype=np.uint64)
            return nothing.astype(bool), nothing, nothing
        index = np.searchsorted(self.starts, pages, side="right").astype(np.int64) - 1
        mapped = (index >= 0) & (pages < self.ends[index])
        pas = self.pas[index] + (pages - self.starts[index] << np.uint64(_UNIT))
        return mapped, np.where(mapped, pas, np.uint64(0)), np.where(mapped, self.attributes[index], np.uint64(0))


def _kinds(old: tuple[Any, Any, Any], new: tuple[Any, Any, Any]) -> Any:
    """The index of the kind of each piece, -1 for no difference."""
    import numpy as np

    same = ~np.uint64(TOUCHED)
    conditions = [
        ~old[0] & ~new[0], old[0] & ~new[0], ~old[0] & new[0], old[1] != new[1], (old[2] & same) != (new[2] & same), old[2] != new[2]
    ]  # fmt: skip
    return np.select(conditions, [-1, 0, 1, 2, 3, 4], -1)


def _joined(kinds: Any, rows: Any) -> Comparison:
    """Pieces that follow each other and differ in the same way become one."""
    import numpy as np

    if not len(rows):
        return Comparison(kinds, rows)
    before, after = rows[:-1], rows[1:]
    size = before[:, 1]
    joins = (kinds[:-1] == kinds[1:]) & (before[:, 0] + size == after[:, 0])
    for side, absent in ((2, 1), (4, 0)):
        follows = (before[:, side] + size == after[:, side]) & (before[:, side + 1] == after[:, side + 1])
        joins &= follows | (kinds[1:] == absent)
    first = np.concatenate([[0], np.flatnonzero(~joins) + 1])
    joined = rows[first].copy()
    joined[:, 1] = np.add.reduceat(rows[:, 1], first)
    return Comparison(kinds[first], joined)
