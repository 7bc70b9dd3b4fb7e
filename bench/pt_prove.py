# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof that all that page tables map is preserved: 128 GiB in pages of 4K (257 MiB of tables), all of it preserved, by the Python API.

The limit is the tree read: every leaf table is read once. The peer is a numpy programmer's proof: page numbers out of all leaf tables, and
each looked up in a bitmap of memory (128 MiB for 4 TiB), without a walk; it runs on a part, and its time is scaled. As one would write it,
over all entries at once; and, to know what is the most that numpy can do, over 512 tables at a time, which stay in the cache.

Runs of 8 are what memory allows: 4.2 million look-ups at random in 134 MB of bitmaps, four times the last cache of the machine this was
measured on, are as many lines of memory again as the tables have, and scattered ones. Of 67 ms (5.1 times the tree read) 18 are the scan of
the tables, 4 the making of runs, 18 the look-ups; the rest, 27 ms, the processor waits at the prefetch for the memory to take requests.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.row import Row, at_least, at_most
from bench.tables import ENTRIES, SPAN, Tables, tree_read
from bench.timing import interleave
from devstate.pagetable.coverage import Coverage
from devstate.pagetable.prove import prove

TABLES = 65536
PART = 16
"""numpy runs on one of so many tables."""
ROUNDS = 9

BLOCK = 512
"""Tables that numpy looks at together, so that what it makes of them stays in the cache."""

SHAPES = {
    "contiguous": (None, 10),
    "runs of 512": (None, 10),
    "mixed": (2.0, 10),
    "runs of 8": (4.5, 10),
    "random": (None, None),
    "sparse": (None, None),
}
"""What the proof must be to the tree read, and how many times faster than numpy."""


def bitmap(edges: memoryview) -> npt.NDArray[np.uint8]:
    """One bit for each page below SPAN that is in the ranges."""
    bits = np.zeros(SPAN, dtype=bool)
    for start, end in np.frombuffer(edges, dtype=np.uint64).reshape(-1, 2)[:-1].tolist():
        bits[start >> 12 : end >> 12] = True
    return np.packbits(bits, bitorder="little")


def numpy_proof(tables: Tables, bits: npt.NDArray[np.uint8], block: int) -> bool:
    """Whether the pages of one of PART leaf tables are all in the bitmap, ``block`` tables at a time."""
    good = True
    for first in range(0, tables.count // PART, block):
        entries = tables.image[tables.leaf_pages[first : first + block]].ravel()
        pages = ((entries & np.uint64(0xFFFFFFFFFF000)) >> np.uint64(12))[entries != 0]
        good &= bool((bits[pages >> np.uint64(3)] >> (pages & np.uint64(7)).astype(np.uint8) & 1).all())
    return good


def run() -> list[Row]:
    """For each shape: ratios to the tree read and to numpy, nanoseconds for each mapped page."""
    return [row for shape in SHAPES for row in _shape(shape)]


def _shape(shape: str) -> list[Row]:
    tables = Tables(shape, TABLES)
    edges = tables.edges()
    coverage, bits = Coverage(edges), bitmap(edges)
    proof = prove(tables.table, coverage)
    assert proof and numpy_proof(tables, bits, BLOCK)
    seconds = interleave(
        {
            "proof": lambda: prove(tables.table, coverage),
            "tree read": lambda: tree_read(tables),
            "numpy": lambda: numpy_proof(tables, bits, TABLES // PART),
            "numpy in blocks": lambda: numpy_proof(tables, bits, BLOCK),
        },
        ROUNDS,
        seldom=["numpy", "numpy in blocks"],
    )
    must, faster = SHAPES[shape]
    return [
        at_most(f"{shape}: proof, to the tree read", seconds["proof"] / seconds["tree read"], "x", must),
        at_least(f"{shape}: numpy, to the proof", PART * seconds["numpy"] / seconds["proof"], "x", faster),
        at_least(f"{shape}: numpy in blocks, to the proof", PART * seconds["numpy in blocks"] / seconds["proof"], "x"),
        at_most(f"{shape}: proof, per mapped page", seconds["proof"] / (proof.bytes // 4096) * 1e9, "ns"),
        at_most(f"{shape}: proof of {TABLES * ENTRIES >> 18} GiB of iovas", seconds["proof"] * 1e3, "ms"),
    ]
