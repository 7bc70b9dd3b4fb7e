# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory with a radix tree of preserved pages in it, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hypothesis import strategies as st

from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import radix
from devstate.pagetable.radix import RadixShape, Run

NODES_AT = 0x4000_0000
"""Where the nodes are. Far from all that is preserved in most tests, which does not matter."""


def place(pages: bytes | bytearray, node_pas: Sequence[int], shape: RadixShape, byteorder: Literal["little", "big"]) -> PhysMemory:
    """Memory that holds node ``i`` at ``node_pas[i]``: a region for each."""
    size = shape.page_size
    regions = [MemoryRegion(pa, size, memoryview(pages)[size * i : size * (i + 1)]) for i, pa in enumerate(node_pas)]
    return PhysMemory(regions, byteorder=byteorder)


def build(runs: Sequence[Run], shape: RadixShape, byteorder: Literal["little", "big"] = "little") -> tuple[bytearray, list[int]]:
    """The nodes of a tree and their places, two pages apart and descending, so that no order is kept by chance."""
    needed, _ = radix.build(runs, shape, [], byteorder)
    node_pas = [NODES_AT + 2 * shape.page_size * (needed - i) for i in range(needed)]
    return radix.build(runs, shape, node_pas, byteorder)[1], node_pas


def covered(runs: Sequence[Run], page_size: int) -> list[tuple[int, int]]:
    """The (address, bytes) ranges that runs cover, worked out page by page."""
    shift = page_size.bit_length() - 1
    ranges: list[list[int]] = []
    for start, end in sorted((run.pa, run.pa + (run.blocks << shift + run.order)) for run in runs):
        if ranges and start <= ranges[-1][1]:
            ranges[-1][1] = max(end, ranges[-1][1])
        else:
            ranges.append([start, end])
    return [(start, end - start) for start, end in ranges]


shapes = st.sampled_from([radix.radix_shape(4096), radix.radix_shape(16384), radix.radix_shape(65536), radix.radix_shape(4096, 5)])
byteorders: st.SearchStrategy[Literal["little", "big"]] = st.sampled_from(["little", "big"])


@st.composite
def run_lists(draw: st.DrawFn, shape: RadixShape, max_runs: int = 12) -> list[Run]:
    """Runs that a tree of this shape can hold: sorted, disjoint within an order, overlapping between orders now and then."""
    runs: list[Run] = []
    top = shape.leaf_bits + (shape.depth - 1) * shape.table_bits
    lowest = max(0, shape.key_bits - top)
    for order in sorted(draw(st.sets(st.sampled_from([lowest, lowest + 1, lowest + 3, 9, 18, 30, 38]), max_size=4)), reverse=True):
        shift = shape.page_shift + order
        block = draw(st.sampled_from([0, 1, (1 << shape.leaf_bits) - 2, max(0, (1 << 56 - shift) - 40)]))
        for _ in range(draw(st.integers(1, max_runs // 4))):
            block += draw(st.integers(0, 70))
            blocks = draw(st.sampled_from([1, 2, 3, 63, 64, 65, 200]))
            if block + blocks > 1 << 56 - shift:
                break
            runs.append(Run(block << shift, blocks, order))
            block += blocks
    return runs
