# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory that is not where it should be, found in plain Python: slow, obvious, and held equal to the C core by the tests.

Ranges are edges, as in :class:`PreservedMap`: start and end of each in turn, sorted, disjoint, not touching.
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOT_PRESERVED, SCRATCH = KINDS = ("not-preserved", "scratch")
"""Why memory is not where it should be, in the order of the DS_GAP_ numbers in csrc/devstate_core.h. Scratch that is
preserved is scratch."""

BYTES_MAX = (1 << 64) - 1
"""Totals stop here: hostile tables map any number of bytes."""


@frozen
class Gap:
    """``size`` bytes, mapped from ``iova`` on, at ``pa``, are not where they should be; ``kind`` is one of KINDS."""

    iova: int
    pa: int
    size: int
    kind: str


@frozen
class Gaps:
    """The first gaps (``listed``), as few as possible in number, and the bytes of all, by kind."""

    listed: tuple[Gap, ...]
    not_preserved: int
    scratch: int

    def __bool__(self) -> bool:
        return bool(self.bytes)

    @property
    def bytes(self) -> int:
        """The bytes of all gaps."""
        return self.not_preserved + self.scratch

    @property
    def complete(self) -> bool:
        """Whether all are listed."""
        return sum(gap.size for gap in self.listed) == self.bytes


def join(ranges: Iterable[tuple[int, int]]) -> list[int]:
    """The edges of (address, bytes) ranges, which may come in any order, overlap, touch or be empty."""
    edges: list[int] = []
    for start, size in sorted(ranges):
        if not size:
            continue
        if edges and start <= edges[-1]:
            edges[-1] = max(edges[-1], start + size)
        else:
            edges += (start, start + size)
    return edges


def subtract(edges: Sequence[int], holes: Sequence[int]) -> list[int]:
    """The ranges without the holes."""
    left: list[int] = []
    for start, end in zip(edges[0::2], edges[1::2], strict=True):
        at = start
        for first, last in zip(holes[0::2], holes[1::2], strict=True):
            if last > at and first < end:
                if first > at:
                    left += (at, first)
                at = last
        if at < end:
            left += (at, end)
    return left


def pieces(pa: int, size: int, inside: Sequence[int], scratch: Sequence[int]) -> Iterator[tuple[int, int, str | None]]:
    """(address, bytes, kind) of the parts of a range, in order; the kind is None for what is inside."""
    at, end = pa, pa + size
    while at < end:
        edge, border = bisect_right(inside, at), bisect_right(scratch, at)
        stop = min([end, *inside[edge : edge + 1], *scratch[border : border + 1]])
        yield at, stop - at, None if edge % 2 else KINDS[border % 2]
        at = stop


class Finder:
    """Collects gaps: ``limit`` of them, and all their bytes."""

    def __init__(self, inside: Sequence[int], scratch: Sequence[int], limit: int) -> None:
        self.inside, self.scratch, self.limit = inside, scratch, limit
        self.listed: list[Gap] = []
        self.bytes = dict.fromkeys(KINDS, 0)

    def add(self, iova: int, pa: int, size: int) -> None:
        """Judge one extent. When there is no more room, what follows in the same extent is not listed either."""
        full = False
        for at, part, kind in pieces(pa, size, self.inside, self.scratch):
            if kind is None:
                continue
            self.bytes[kind] = min(self.bytes[kind] + part, BYTES_MAX)
            full = full or not self._list(Gap(iova + at - pa, at, part, kind))

    def _list(self, gap: Gap) -> bool:
        last = self.listed[-1] if self.listed else None
        if last and (last.iova + last.size, last.pa + last.size, last.kind) == (gap.iova, gap.pa, gap.kind):
            self.listed[-1] = Gap(last.iova, last.pa, last.size + gap.size, gap.kind)
        elif len(self.listed) == self.limit:
            return False
        else:
            self.listed.append(gap)
        return True

    def gaps(self) -> Gaps:
        """What was found."""
        return Gaps(tuple(self.listed), self.bytes[NOT_PRESERVED], self.bytes[SCRATCH])
