# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bitmaps of preserved blocks to ranges, in plain Python: slow, obvious, and held equal to the C core by the tests.

A bitmap is what a leaf of the radix tree is, and what KHO v1's chunks point at (``khoser_mem_bitmap_ptr``)::

    words   u64, in the byte order of the machine, lowest bit first; bit n is the block of 1 << (page_shift + order) bytes at pa + n blocks
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.pagetable.preserved import PA_BITS, PROBLEM_LIMIT, PreservedMap, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Literal


@frozen
class Bitmap:
    """``count`` blocks of ``order``, one bit each from bit ``first`` of ``words`` on; bit ``first`` is the block at ``pa``.

    ``words`` is bytes, a multiple of 8. ``first`` is a multiple of 64 unless all the blocks are in one word.
    """

    words: memoryview
    pa: int
    first: int
    count: int
    order: int

    def runs(self, byteorder: Literal["little", "big"]) -> Iterator[tuple[int, int]]:
        """(first, end) of what is set, in blocks from ``pa`` on; runs that touch are given in parts, word by word."""
        end = self.first + self.count
        for low in range(self.first - self.first % 64, end, 64):
            word = int.from_bytes(self.words[low // 8 : low // 8 + 8], byteorder)
            word &= (1 << max(0, min(end - low, 64))) - 1
            word &= -1 << max(0, self.first - low)
            while word:
                start = (word & -word).bit_length() - 1
                length = (~(word >> start) & (word >> start) + 1).bit_length() - 1
                yield low + start - self.first, low + start + length - self.first
                word &= -1 << start + length


def sort_bitmaps(bitmaps: Iterable[Bitmap], page_size: int) -> tuple[list[Bitmap], list[Problem]]:
    """Bitmaps in the order of decoding: by descending order, then by address. What no block can be is left out, with a problem."""
    page_shift = page_size.bit_length() - 1
    kept: list[Bitmap] = []
    problems = []
    for bitmap in sorted(bitmaps, key=lambda bitmap: (-bitmap.order, bitmap.pa)):
        size = bitmap.count << page_shift + bitmap.order
        if bitmap.pa % page_size:
            problems.append(Problem("misaligned", bitmap.pa, bitmap.pa))
        elif bitmap.pa + size > 1 << PA_BITS:
            problems.append(Problem("address-too-wide", bitmap.pa, bitmap.pa))
        elif kept and kept[-1].order == bitmap.order and bitmap.pa < (end := kept[-1].pa + (kept[-1].count << page_shift + bitmap.order)):
            problems.append(Problem("overlap", bitmap.pa, min(end, bitmap.pa + size)))
        else:
            kept.append(bitmap)
    return kept, problems


def decode_bitmaps(
    bitmaps: Sequence[Bitmap],
    page_size: int,
    byteorder: Literal["little", "big"],
    nodes: Iterable[int] = (),
    problems: Sequence[Problem] = (),
) -> PreservedMap:
    """The map that sorted bitmaps stand for. ``nodes`` and ``problems`` are those of whoever found the bitmaps."""
    from array import array

    page_shift = page_size.bit_length() - 1
    orders: dict[int, int] = {}
    ranges: list[tuple[int, int, int]] = []
    for bitmap in bitmaps:
        shift = page_shift + bitmap.order
        for first, last in bitmap.runs(byteorder):
            start, end = bitmap.pa + (first << shift), bitmap.pa + (last << shift)
            orders[bitmap.order] = orders.get(bitmap.order, 0) + last - first
            if ranges and ranges[-1][1] == -bitmap.order and ranges[-1][2] == start:
                start = ranges.pop()[0]
            ranges.append((start, -bitmap.order, end))
    edges, overlaps = _merge(ranges)
    found = [*problems, *overlaps]
    return PreservedMap(
        page_size,
        memoryview(array("Q", edges)),
        dict(sorted(orders.items())),
        memoryview(array("Q", nodes)),
        tuple(found[:PROBLEM_LIMIT]),
        len(found),
    )


def _merge(ranges: list[tuple[int, int, int]]) -> tuple[list[int], list[Problem]]:
    """Sorted, disjoint edges of (start, -order, end) ranges, and where they overlapped."""
    edges: list[int] = []
    overlaps = []
    for start, _, end in sorted(ranges):
        if edges and start <= edges[-1]:
            if start < edges[-1]:
                overlaps.append(Problem("overlap", start, min(end, edges[-1])))
            edges[-1] = max(edges[-1], end)
        else:
            edges += (start, end)
    return edges, overlaps
