# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""48 GiB of preserved 4K pages: a list of pages to a radix tree, and a radix tree to sorted ranges, as the Python API gives them.

Contiguous: one range. Random: each page of 96 GiB is preserved or not by chance, half of them are; 6.3 million ranges. The nodes of the
trees are scattered over their memory. "Reused" memory is that of the last time; fresh ranges are in memory that the call gets from
the kernel, which costs more than the decoding. The peer is memcpy of the list of pages (a u64 each) into reused memory.
"""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

from bench.row import Row, at_most
from bench.timing import interleave
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native, radix
from devstate.pagetable.page_list import build_from_pages
from devstate.pagetable.radix import RadixShape

PAGE = 4096
PAGES = 48 << 30 >> 12
NODES_AT = 1 << 40

Words = npt.NDArray[np.uint64]


def words_of(pages: Words) -> memoryview:
    """The list, in memory of the kind that ranges are put into."""
    room = native.words(len(pages))
    np.frombuffer(room, dtype=np.uint64)[:] = pages
    return room


def tree(pages: memoryview, shape: RadixShape) -> tuple[PhysMemory, int, int]:
    """Memory with the tree of these pages, at scattered nodes, its root, and the count of nodes."""
    needed, _ = build_from_pages(pages, shape, [], "little")
    node_pas = [NODES_AT + PAGE * n for n in range(needed)]
    random.Random(48).shuffle(node_pas)
    _, built = build_from_pages(pages, shape, node_pas, "little")
    nodes = np.frombuffer(built, dtype=np.uint8).reshape(needed, PAGE)
    placed = np.empty_like(nodes)
    placed[[(pa - NODES_AT) // PAGE for pa in node_pas]] = nodes
    memory = PhysMemory([MemoryRegion(NODES_AT, needed * PAGE, memoryview(placed).cast("B"))])
    return memory, node_pas[0], needed


def run() -> list[Row]:
    """Ratios to memcpy of the page list, and nanoseconds for each preserved page."""
    shape = radix.radix_shape(PAGE)
    rng = np.random.default_rng(48)
    half = np.flatnonzero(rng.integers(0, 2, 2 * PAGES, dtype=np.uint8)).astype(np.uint64)
    ordered, scattered = words_of(np.arange(PAGES, dtype=np.uint64)), words_of(half)
    shuffled = words_of(rng.permutation(half))
    ordered_tree, scattered_tree = tree(ordered, shape), tree(scattered, shape)
    room = native.words(len(native.radix_decode(*scattered_tree[:2], shape).edges))
    node_pas = [NODES_AT + PAGE * n for n in range(scattered_tree[2])]
    into = bytearray(len(node_pas) * PAGE)
    source, target = np.frombuffer(scattered, dtype=np.uint64), np.frombuffer(native.words(len(half)), dtype=np.uint64)
    seconds = interleave(
        {
            "build, contiguous": lambda: build_from_pages(ordered, shape, node_pas, "little", into=into),
            "build, random": lambda: build_from_pages(scattered, shape, node_pas, "little", into=into),
            "build, shuffled": lambda: build_from_pages(shuffled, shape, node_pas, "little", into=into),
            "decode, contiguous": lambda: native.radix_decode(*ordered_tree[:2], shape),
            "decode, random": lambda: native.radix_decode(*scattered_tree[:2], shape, room),
            "decode, random, fresh": lambda: native.radix_decode(*scattered_tree[:2], shape),
            "memcpy": lambda: np.copyto(target, source),
        },
        rounds=11,
    )
    bounds = {"build, contiguous": (1.5, None), "build, random": (1.5, None), "build, shuffled": (None, 4),
              "decode, contiguous": (0.6, 0.02), "decode, random": (0.6, None)}  # fmt: skip
    rows = [
        at_most(f"radix {name}, to memcpy of the page list", seconds[name] / seconds["memcpy"], "x", must=must, aim=aim)
        for name, (must, aim) in bounds.items()
    ]
    fresh = seconds["decode, random, fresh"] / seconds["memcpy"]
    rows.append(at_most("radix decode, random, fresh memory, to memcpy of the page list", fresh, "x"))
    return rows + [at_most(f"radix {name}, per page", seconds[name] / len(half) * 1e9, "ns") for name in bounds]
