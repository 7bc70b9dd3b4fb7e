# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""48 GiB of preserved 4K pages: radix tree to sorted ranges, as the Python API gives them.

Contiguous: one range. Random: each page of 96 GiB is preserved or not by chance, half of them are; 6.3 million ranges. The nodes of the
trees are scattered over their memory. "Reused" ranges are put where the last ones were; fresh ones are in memory that the call gets from
the kernel, which costs more than the decoding. The peer is memcpy of the list of page addresses (8 bytes a page) into reused memory.
"""

from __future__ import annotations

import random

import numpy as np

from bench.row import Row, at_most
from bench.timing import interleave
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native, radix
from devstate.pagetable.radix import RadixShape, Run

PAGE = 4096
PAGES = 48 << 30 >> 12
NODES_AT = 1 << 40


def tree(pages: int, shape: RadixShape, *, scramble: bool) -> tuple[PhysMemory, int]:
    """Memory with the tree of the first ``pages`` pages, and its root; ``scramble`` fills all leaves by chance instead."""
    runs = [Run(0, pages, 0)]
    needed, _ = native.radix_build(runs, shape, [], "little")
    node_pas = [NODES_AT + PAGE * i for i in range(needed)]
    chance = random.Random(48)
    chance.shuffle(node_pas)
    _, built = native.radix_build(runs, shape, node_pas, "little")
    nodes = np.frombuffer(built, dtype=np.uint8).reshape(needed, PAGE)
    if scramble:
        leaves = np.flatnonzero((nodes == 0xFF).all(axis=1))
        nodes[leaves] = np.frombuffer(chance.randbytes(len(leaves) * PAGE), dtype=np.uint8).reshape(-1, PAGE)
    placed = np.empty_like(nodes)
    placed[[(pa - NODES_AT) // PAGE for pa in node_pas]] = nodes
    memory = PhysMemory([MemoryRegion(NODES_AT, needed * PAGE, memoryview(placed).cast("B"))])
    return memory, node_pas[0]


def run() -> list[Row]:
    """Nanoseconds for each preserved page, and ratios to memcpy of the page list."""
    shape = radix.radix_shape(PAGE)
    contiguous, contiguous_root = tree(PAGES, shape, scramble=False)
    scattered, scattered_root = tree(2 * PAGES, shape, scramble=True)
    source, target = np.zeros(PAGES, dtype=np.uint64), np.ones(PAGES, dtype=np.uint64)
    room = native.words(len(native.radix_decode(scattered, scattered_root, shape).edges))
    seconds = interleave(
        {
            "contiguous": lambda: native.radix_decode(contiguous, contiguous_root, shape),
            "random": lambda: native.radix_decode(scattered, scattered_root, shape, room),
            "fresh": lambda: native.radix_decode(scattered, scattered_root, shape),
            "memcpy": lambda: np.copyto(target, source),
        }
    )
    pages = native.radix_decode(scattered, scattered_root, shape).pages
    return [
        at_most("radix decode, random, per page, reused", seconds["random"] / pages * 1e9, "ns", must=2, aim=0.5),
        at_most("radix decode, random, per page, fresh", seconds["fresh"] / pages * 1e9, "ns"),
        at_most("radix decode, contiguous, per page", seconds["contiguous"] / PAGES * 1e9, "ns", must=0.05, aim=0.014),
        at_most("radix decode, random, reused, to memcpy of the page list", seconds["random"] / seconds["memcpy"], "x"),
        at_most("radix decode, contiguous, to memcpy of the page list", seconds["contiguous"] / seconds["memcpy"], "x"),
    ]
