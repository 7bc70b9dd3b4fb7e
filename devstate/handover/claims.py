# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who owns which preserved memory: every struct, list, array and content that the walk reached, as claims.

A claim is what must be preserved for the next kernel to find it, and what nobody else may use. Content of files is claimed by
whole page lists (one claim a file, the addresses in an array), never by an object a page.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from devstate.frozen import frozen


@frozen
class Claim:
    """``size`` bytes at ``start`` are needed by ``path``. ``what`` is ``fdt``, ``blob``, ``block``, ``record``, ``page-list``,
    ``array`` or ``region``.

    ``pa`` is the address of the field that leads there, None when something else (a register, a boot parameter) does.
    """

    start: int
    size: int
    path: str
    what: str
    pa: int | None = None


COVERING_MAX = 4096
"""Claims that are looked at for one address: those of a sound handover that reach it are a handful."""


class Claims:
    """The claims of one handover, in the order of the walk."""

    __slots__ = ("_first", "_sorted", "items")

    def __init__(self) -> None:
        self.items: list[Claim] = []
        self._first: dict[tuple[int, str], Claim] = {}
        self._sorted: tuple[list[int], list[int], list[int]] = ([], [], [])

    def add(self, start: int, size: int, path: str, what: str, pa: int | None = None) -> bool:
        """Note a claim. False when the same kind of thing at the same address was claimed before (it is noted all the same)."""
        claim = Claim(start, size, path, what, pa)
        self.items.append(claim)
        return self._first.setdefault((start, what), claim) is claim

    def at(self, start: int, what: str) -> Claim | None:
        """The first claim of this kind of thing at this address."""
        return self._first.get((start, what))

    def covering(self, pa: int) -> list[Claim]:
        """The claims that hold the byte at ``pa``, in the order of the walk; of more than COVERING_MAX that start below, the nearest."""
        order, starts, reach = self._sorted
        if len(order) != len(self.items):
            order = sorted(range(len(self.items)), key=lambda number: self.items[number].start)
            starts = [self.items[number].start for number in order]
            reach = list(accumulate((self.items[number].start + self.items[number].size for number in order), max))
            self._sorted = (order, starts, reach)
        found = []
        last = bisect_right(starts, pa) - 1
        for position in range(last, max(last - COVERING_MAX, -1), -1):
            if reach[position] <= pa:
                break
            claim = self.items[order[position]]
            if pa < claim.start + claim.size:
                found.append(order[position])
        return [self.items[number] for number in sorted(found)]
