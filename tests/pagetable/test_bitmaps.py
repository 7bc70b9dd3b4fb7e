# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bitmaps of blocks to ranges: plain Python against sets of pages, and the C core against plain Python."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import DecodeError, DevstateError
from devstate.pagetable import bitmaps, native
from devstate.pagetable.bitmaps import Bitmap, sort_bitmaps
from devstate.pagetable.preserved import Problem

from .trees import byteorders

PAGE = 4096


def pages_of(bitmap: Bitmap, byteorder: Literal["little", "big"]) -> set[int]:
    """The numbers of all pages that a bitmap preserves, bit by bit."""
    found = set()
    for n in range(bitmap.count):
        bit = bitmap.first + n
        word = int.from_bytes(bitmap.words[bit // 64 * 8 : bit // 64 * 8 + 8], byteorder)
        if word >> bit % 64 & 1:
            found |= {(bitmap.pa // PAGE) + (n << bitmap.order) + page for page in range(1 << bitmap.order)}
    return found


def a_word(chance: random.Random, density: int) -> int:
    """A word with about ``density`` of 64 bits set, or nothing, or everything."""
    if density in (0, 64):
        return (1 << 64) - 1 if density else 0
    return sum(1 << bit for bit in range(64) if chance.randrange(64) < density)


@st.composite
def bitmap_lists(draw: st.DrawFn) -> list[Bitmap]:
    """Sorted bitmaps of a few orders with words of all densities; some are not whole words, some touch, orders overlap."""
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    made = []
    for order in sorted(draw(st.sets(st.integers(0, 3), min_size=1)), reverse=True):
        pa = draw(st.integers(0, 64)) * PAGE
        for _ in range(draw(st.integers(1, 3))):
            densities = draw(st.lists(st.sampled_from([0, 0, 1, 4, 9, 10, 32, 60, 64, 64]), min_size=1, max_size=12))
            words = b"".join(a_word(chance, density).to_bytes(8, "little") for density in densities)
            first, count = draw(st.sampled_from([(0, len(words) * 8), (64, len(words) * 8 - 64), (0, len(words) * 8 - 3), (5, 7), (63, 1)]))
            if count > 0:
                made.append(Bitmap(memoryview(words), pa, first, count, order))
                pa += (count << order) * PAGE
            pa += draw(st.sampled_from([0, 0, 1, 77])) * PAGE
    return made


@given(bitmap_lists(), byteorders)
@settings(max_examples=150, deadline=None)
def test_the_ranges_are_the_pages_of_the_bits(core: str, made: list[Bitmap], byteorder: Literal["little", "big"]) -> None:
    """Ranges are sorted, do not touch, and hold just the pages of all bits; orders are counted; C and Python agree on overlaps."""
    expected = bitmaps.decode_bitmaps(made, PAGE, byteorder, [7 * PAGE])
    found = native.bitmaps_decode(made, PAGE, byteorder, [7 * PAGE])
    assert (list(expected.edges), expected.orders, expected.problems) == (list(found.edges), found.orders, found.problems)
    assert (list(expected.node_pages), expected.problem_count) == (list(found.node_pages), found.problem_count)
    assert list(found.edges) == sorted(set(found.edges))
    pages = [pages_of(bitmap, byteorder) for bitmap in made]
    assert set().union(*pages) == {page for pa, size in found.ranges() for page in range(pa // PAGE, (pa + size) // PAGE)}
    blocks: dict[int, int] = {}
    for bitmap, own in zip(made, pages, strict=True):
        blocks[bitmap.order] = blocks.get(bitmap.order, 0) + (len(own) >> bitmap.order)
    assert {order: count for order, count in blocks.items() if count} == found.orders
    assert (sum(map(len, pages)) > len(set().union(*pages))) == bool(found.problems)


@pytest.mark.parametrize("edges", [4096, 4098])
def test_more_ranges_than_a_first_scan_has_room_for(core: str, edges: int) -> None:
    """A scan that does not fit is counted and done again: the same ranges at the limit and above it."""
    words = memoryview(b"\x55" * (edges // 64 * 8 + 8))
    found = native.bitmaps_decode([Bitmap(words, 0, 0, edges, 0)], PAGE, "little")
    assert (edges // 2, [2 * PAGE * n for n in range(edges // 2)]) == (len(found), list(found.starts))


def test_large_results_are_the_same(core: str) -> None:
    """Beyond the size from which memory is mapped; against numpy's idea of edges."""
    data = random.Random(5).randbytes(1 << 17)
    found = native.bitmaps_decode([Bitmap(memoryview(data), 0, 0, len(data) * 8, 0)], PAGE, "little")
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little").astype(np.int8)
    expected = np.flatnonzero(np.diff(bits, prepend=0, append=0)) * PAGE
    assert np.array_equal(expected.astype(np.uint64), found.pairs().ravel())
    assert int(bits.sum()) * PAGE == found.bytes
    assert (found.pairs()[:, 1] - found.pairs()[:, 0]).tolist() == found.lengths.tolist()


def test_an_empty_list_preserves_nothing(core: str) -> None:
    """No bitmaps, and bitmaps without a bit."""
    for made in ([], [Bitmap(memoryview(bytes(64)), 0, 0, 512, 0)]):
        found = native.bitmaps_decode(made, PAGE, "little")
        assert (0, 0, {}, ()) == (len(found), found.bytes, found.orders, found.problems)


@pytest.mark.parametrize(("size", "first", "count"), [(8, 0, 65), (9, 0, 65), (15, 64, 1), (0, 0, 1)])
def test_a_bitmap_that_claims_more_than_its_bytes(core: str, size: int, first: int, count: int) -> None:
    """Refused before C sees it; C reads whole words."""
    with pytest.raises(DecodeError):
        native.bitmaps_decode([Bitmap(memoryview(bytes(size)), 0, first, count, 0)], PAGE, "little")


def test_unsorted_bitmaps_are_the_callers_mistake(core: str) -> None:
    """C says so; sort_bitmaps() is what puts them in order."""
    word = memoryview(b"\x01" * 8)
    with pytest.raises(DevstateError, match="not sorted"):
        native.bitmaps_decode([Bitmap(word, 64 * PAGE, 0, 64, 0), Bitmap(word, 0, 0, 64, 0)], PAGE, "little")


def test_sorting_leaves_out_what_no_block_can_be(core: str) -> None:
    """Misaligned, beyond the address space, and on top of another of the same order: each with a problem, the rest in order."""
    word = memoryview(b"\xff" * 8)
    low, high = Bitmap(word, 0, 0, 64, 0), Bitmap(word, 64 * PAGE, 0, 64, 0)
    large = Bitmap(word, 0, 0, 64, 1)
    twice, crooked, wide = Bitmap(word, 32 * PAGE, 0, 64, 0), Bitmap(word, 100, 0, 64, 0), Bitmap(word, 1 << 55, 0, 64, 52)
    kept, problems = sort_bitmaps([high, wide, twice, low, crooked, large], PAGE)
    assert [large, low, high] == kept
    assert {
        Problem("overlap", 32 * PAGE, 64 * PAGE),
        Problem("misaligned", 100, 100),
        Problem("address-too-wide", 1 << 55, 1 << 55),
    } == set(problems)
    assert [(0, 128 * PAGE)] == list(native.bitmaps_decode(kept, PAGE, "little").ranges())
