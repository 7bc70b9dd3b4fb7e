# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Radix trees from lists of pages: what the tree of the same runs is, whatever the order of the list."""

from __future__ import annotations

import random
from array import array
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import EncodeError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native, radix
from devstate.pagetable.page_list import build_from_pages
from devstate.pagetable.radix import RadixShape, Run

NODES_AT = 1 << 40
SHAPE = radix.radix_shape(4096)

shapes = st.sampled_from([radix.radix_shape(size) for size in (4096, 16384, 65536)])


@st.composite
def block_lists(draw: st.DrawFn, shape: RadixShape, order: int) -> list[int]:
    """A few stretches of blocks, whole words and parts, anywhere; sorted, or shuffled with some of them twice."""
    limit = 1 << 56 - shape.page_shift - order
    blocks: list[int] = []
    for _ in range(draw(st.integers(0, 5))):
        first = draw(st.one_of(st.integers(0, limit - 1), st.integers(0, 200), st.integers(max(limit - 200, 0), limit - 1)))
        blocks += range(first, min(first + draw(st.sampled_from([1, 2, 63, 64, 65, 128, 300, 40_000])), limit))
    blocks = sorted(set(blocks))
    if draw(st.booleans()):
        blocks += blocks[::3]
        random.Random(draw(st.integers(0, 9))).shuffle(blocks)
    return blocks


def view(blocks: list[int]) -> memoryview:
    """As build_from_pages() takes them."""
    return memoryview(array("Q", blocks))


def runs_of(blocks: list[int], shape: RadixShape, order: int) -> list[Run]:
    """The same blocks as sorted runs."""
    ordered = sorted(set(blocks))
    cuts = [0, *(n + 1 for n, (left, right) in enumerate(pairwise(ordered)) if right != left + 1), len(ordered)]
    return [Run(ordered[a] << shape.page_shift + order, b - a, order) for a, b in pairwise(cuts) if b > a]


@given(st.data(), shapes, st.sampled_from(["little", "big"]), st.sampled_from([0, 0, 0, 1, 9, 39]))
@settings(max_examples=60, deadline=None)
def test_it_is_the_tree_of_the_runs(
    core: str, data: st.DataObject, shape: RadixShape, byteorder: Literal["little", "big"], order: int
) -> None:
    """Decoded, they are the same; of a sorted list, the pages are the same bytes. The count of nodes comes first."""
    blocks = data.draw(block_lists(shape, order))
    runs = runs_of(blocks, shape, order)
    needed, nothing = build_from_pages(view(blocks), shape, [], byteorder, order=order)
    assert (native.radix_build(runs, shape, [], byteorder)[0], b"") == (needed, nothing)
    node_pas = [NODES_AT + n * shape.page_size for n in range(needed)]
    assert (needed, b"") == build_from_pages(view(blocks), shape, node_pas[:-1], byteorder, order=order)
    count, pages = build_from_pages(view(blocks), shape, node_pas, byteorder, order=order)
    expected = native.radix_build(runs, shape, node_pas, byteorder)[1]
    assert (needed, len(expected)) == (count, len(pages))
    if blocks == sorted(blocks):
        assert expected == pages
    decoded = []
    for each in (expected, pages):
        memory = PhysMemory([MemoryRegion(NODES_AT, len(each), memoryview(each))], byteorder=byteorder)
        found = native.radix_decode(memory, NODES_AT, shape)
        assert () == found.problems
        decoded.append((list(found.ranges()), found.orders))
    assert decoded[0] == decoded[1]


def test_more_leaves_than_the_cache_has(core: str) -> None:
    """Leaves that push each other out of it are found through the tables."""
    rng = random.Random(1)
    blocks = [leaf << 15 | rng.randrange(1 << 15) for leaf in range(0, 3 << 10, 1 << 9) for _ in range(3)] * 2
    rng.shuffle(blocks)
    needed, _ = build_from_pages(view(blocks), SHAPE, [], "little")
    node_pas = [NODES_AT + n * 4096 for n in range(needed)]
    _, pages = build_from_pages(view(blocks), SHAPE, node_pas, "little")
    memory = PhysMemory([MemoryRegion(NODES_AT, len(pages), memoryview(pages))])
    assert {0: len(set(blocks))} == native.radix_decode(memory, NODES_AT, SHAPE).orders


def test_room_that_is_used_again(core: str) -> None:
    """What was in it does not matter; what is behind the nodes stays. Too little of it is an error."""
    node_pas = [NODES_AT + n * 4096 for n in range(7)]
    room = bytearray(b"\xff" * (8 * 4096))
    count, pages = build_from_pages(view([5, 6]), SHAPE, node_pas, "little", into=room)
    fresh = build_from_pages(view([5, 6]), SHAPE, node_pas, "little")
    if native.BUILT:
        assert pages is room
    assert (count, bytes(pages[: count * 4096])) == fresh
    assert {0xFF} == set(room[count * 4096 :])
    with pytest.raises(EncodeError, match="room for too few nodes"):
        build_from_pages(view([5]), SHAPE, node_pas, "little", into=bytearray(4096))


@pytest.mark.parametrize(
    ("blocks", "order"), [([3, 1 << 44], 0), ([1 << 63], 0), ([(1 << 64) - 1], 0), ([5], 42), ([1], 53), ([0], 64), ([0], -1)]
)
def test_blocks_that_no_key_holds(core: str, blocks: list[int], order: int) -> None:
    """Beyond the addresses that there are, or of an order that no key has."""
    with pytest.raises(EncodeError):
        build_from_pages(view(blocks), SHAPE, [NODES_AT + n * 4096 for n in range(8)], "little", order=order)


def test_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain Python makes the same of it."""
    blocks = view([7, 5, 5, 1 << 30, 6])
    node_pas = [NODES_AT + n * 4096 for n in range(12)]
    expected = build_from_pages(view(sorted(blocks)), SHAPE, node_pas, "little")
    monkeypatch.setattr(native, "BUILT", False)
    assert expected == build_from_pages(blocks, SHAPE, node_pas, "little")
    with pytest.raises(EncodeError):
        build_from_pages(view([1 << 44]), SHAPE, node_pas, "little")
