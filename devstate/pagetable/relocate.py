# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Put the tables of a stream onto other pages: which page goes where, and the pointers between them.

The pages of a table stay together, as do those of a top table of several; the bits of an entry that are not the address of a table stay.
"""

from __future__ import annotations

from devstate.errors import EncodeError
from devstate.pagetable.formats import find_format
from devstate.pagetable.stream import NO_LEVEL, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy
    import numpy.typing

    from devstate.pagetable.format import PageTableFormat
    from devstate.pagetable.stream import Header

    Items = numpy.typing.NDArray[numpy.uint64]


class Move:
    """``to``: the address that the first table goes to, the others behind it; or one address for each page of the stream, in its order.

    Errors are EncodeErrors: addresses that are too few, used twice, not aligned, or tear a table apart.
    """

    def __init__(self, header: Header, to: int | Sequence[int], source: str) -> None:
        self.header, self.source = header, source
        self.granule = max(1 << header.table_shift, PAGE)
        self._next = to if isinstance(to, int) else None
        self._given = None if isinstance(to, int) else [int(pa) for pa in to]
        self._old: list[Items] = []
        self._new: list[Items] = []
        self._used = 0
        if isinstance(to, int) and (to % self.granule or not 0 <= to < 1 << 64):
            raise EncodeError("tables go to whole granules", pa=to, expected=f"a multiple of {self.granule:#x}")
        given = self._given or []
        if len({*given}) < len(given) or any(pa % PAGE or not 0 <= pa < 1 << 64 for pa in given):
            raise EncodeError("pages to put tables onto are multiples of 4096, each once")

    def assign(self, items: Items) -> Items:
        """The new addresses of the next pages of the stream."""
        import numpy as np

        if self._given is None:
            top = self.header.top_table // PAGE * PAGE
            cut = int(np.searchsorted(items, np.uint64(top)))
            new = np.concatenate([self._follow(items[:cut]), self._follow(items[cut:], starts_with_top=True)])
        else:
            given = self._given[self._used : self._used + len(items)]
            if len(given) < len(items):
                raise EncodeError("too few pages to put the tables onto", found=len(self._given))
            new = np.array(given, dtype=np.uint64)
        self._used += len(items)
        self._old.append(items)
        self._new.append(new)
        return new

    def _follow(self, items: Items, *, starts_with_top: bool = False) -> Items:
        """Tables one behind the other, pages at the same places in them."""
        import numpy as np

        assert self._next is not None
        if not len(items):
            return np.empty(0, dtype=np.uint64)
        granule = np.uint64(self.granule)
        tables = items // granule
        if starts_with_top and int(items[0]) // PAGE == self.header.top_table // PAGE:
            size = max(self.granule, 8 * self.header.top_entries)
            self._next += -self._next % size
        elif self._new and int(self._old[-1][-1]) // self.granule == int(tables[0]):
            self._next -= self.granule  # it goes on with a table that was begun
        index = np.concatenate([[np.uint64(0)], np.cumsum(tables[1:] != tables[:-1]).astype(np.uint64)])
        new = np.uint64(self._next) + index * granule + items % granule // np.uint64(PAGE) * np.uint64(PAGE)
        self._next += (int(index[-1]) + 1) * self.granule
        if self._next > 1 << 56:
            raise EncodeError("tables beyond 56 bits", pa=self._next)
        return new

    def finish(self, words: Callable[[int, int], memoryview]) -> int:
        """Let the entries that lead to tables lead to where these are now; the address of the top table.

        ``words``: (address, bytes) to a writable view. EncodeError for a pointer to a table that is not in the stream.
        """
        import numpy as np

        none = np.empty(0, dtype=np.uint64)
        old, new = np.concatenate([none, *self._old]), np.concatenate([none, *self._new])
        self._check(old, new)
        if not self.header.levels:
            return 0
        format = find_format(self.header.format, 1 << self.header.table_shift)
        part, part_size = self.header.part
        for at in np.flatnonzero((old % np.uint64(PAGE) > 0) & (old % np.uint64(PAGE) < NO_LEVEL)).tolist():
            level, pa, size = int(old[at]) % PAGE, int(new[at]), PAGE
            if part_size and int(old[at]) // PAGE == part // PAGE:
                pa, size = pa + part % PAGE, part_size
            self._rewrite(np.frombuffer(words(pa, size), dtype="<u8"), format, level, old, new, pa)
        top = int(np.searchsorted(old // np.uint64(PAGE), np.uint64(self.header.top_table // PAGE)))
        if top == len(old) or int(old[top]) // PAGE != self.header.top_table // PAGE:
            raise EncodeError("the top table is not in the stream", source=self.source, pa=self.header.top_table)
        return int(new[top]) + self.header.top_table % PAGE

    def _check(self, old: Items, new: Items) -> None:
        import numpy as np

        pages = old // np.uint64(PAGE) * np.uint64(PAGE)
        if (new % np.uint64(self.granule) != pages % np.uint64(self.granule)).any():
            raise EncodeError("a table that is not at a multiple of its size", expected=f"multiples of {self.granule:#x}")
        size = np.uint64(max(self.granule, 8 * self.header.top_entries))
        in_top = (pages >= np.uint64(self.header.top_table)) & (pages - np.uint64(self.header.top_table) < size)
        same_table = (pages[1:] // np.uint64(self.granule) == pages[:-1] // np.uint64(self.granule)) | (in_top[1:] & in_top[:-1])
        if (np.diff(new)[same_table] != np.diff(pages)[same_table]).any():
            raise EncodeError("pages that tear a table apart")

    def _rewrite(self, words: Items, format: PageTableFormat, level: int, old: Items, new: Items, pa: int) -> None:
        """Change the pointers of one page."""
        import numpy as np

        places = np.flatnonzero(pointers(words, format, level))
        if not len(places):
            return
        entries = words[places]
        targets = (entries & _u64(format.table)) << _u64(format.address_shift) | (entries & _u64(format.high)) << _u64(format.high_shift)
        index = np.searchsorted(old // np.uint64(PAGE), targets // np.uint64(PAGE))
        known = index < len(old)
        known[known] = old[index[known]] // np.uint64(PAGE) == targets[known] // np.uint64(PAGE)
        if not known.all():
            first = int(np.flatnonzero(~known)[0])
            where = {"pa": pa + 8 * int(places[first]), "found": f"{int(targets[first]):#x}"}
            raise EncodeError("a pointer to a table that is not in the stream", source=self.source, **where)  # type: ignore[arg-type]
        moved = new[index]
        low, high = moved >> _u64(format.address_shift), moved >> _u64(format.high_shift)
        table, above = _u64(format.table), _u64(format.high)
        made = entries & ~(table | above) | low & table | (high & above if format.high else _u64(0))
        if ((made & table) << _u64(format.address_shift) | (made & above) << _u64(format.high_shift) != moved).any():
            raise EncodeError("an address that the format cannot say", source=self.source, pa=int(moved.max()))
        words[places] = made


def pointers(words: Items, format: PageTableFormat, level: int) -> numpy.typing.NDArray[numpy.bool_]:
    """Which entries of a page of a table of this level lead to a table: the rule of ``entries.py``, for many at once."""
    import numpy as np

    from devstate.pagetable.format import NEXT_LEVEL

    present = words & _u64(format.present) != 0
    if format.flags & NEXT_LEVEL:
        below = words >> np.uint64(9) & np.uint64(7)
        leads: numpy.typing.NDArray[numpy.bool_] = present & (below > 0) & (below <= np.uint64(level))
        return leads
    if not level:
        return np.zeros(len(words), dtype=bool)
    found: numpy.typing.NDArray[numpy.bool_] = present & ((words ^ _u64(format.leaf_flip)) & _u64(format.leaf_any) == 0)
    return found


def _u64(value: int) -> numpy.uint64:
    import numpy as np

    return np.uint64(value)
