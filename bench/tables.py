# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Page tables to measure with: VT-d second stage, four levels, leaves of 4K (or 2M) from iova 0 on; table pages are scattered.

Shapes: where the mapped pages are. ``contiguous``: one after the other; ``runs of 512``, ``runs of 8``: such runs anywhere; ``mixed``: runs
of 1 to 512, short ones as likely as long ones (their logarithm is uniform); ``random``: each page anywhere; ``sparse``: one entry of 64,
anywhere; ``2M pages``: contiguous. "Anywhere" is in 4 TiB (2^30 pages).
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable.table import PageTable

SHAPES = ("contiguous", "runs of 512", "runs of 8", "mixed", "random", "sparse", "2M pages")
BASE = 1 << 46
"""Where the tables are: beyond all that they map."""
ENTRIES = 512
SPAN = 1 << 30
"""Pages among which mapped pages are."""
READ_WRITE = 3
LARGE = 1 << 7

Words = npt.NDArray[np.uint64]


class Tables:
    """``image`` (array of pages of 512 entries) holds the tables, of which the leaf tables are ``leaf_pages`` (in the order of iovas).

    ``above``: levels above those.
    """

    def __init__(self, shape: str, count: int, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.count = count
        counts = [count]
        while len(counts) < 4 - (shape == "2M pages"):
            counts.append(-(-counts[-1] // ENTRIES))
        self.image = room(sum(counts))
        place = self.rng.permutation(sum(counts)).astype(np.uint64)
        levels = np.split(place, np.cumsum(counts)[:-1])
        self.leaf_pages = levels[0]
        for start in range(0, count, 4096):
            self.image[self.leaf_pages[start : start + 4096]] = self._leaves(start, min(4096, count - start))
        for below, level in pairwise(levels):
            entries = np.zeros(len(level) * ENTRIES, dtype=np.uint64)
            entries[: len(below)] = np.uint64(BASE | READ_WRITE) + (below << np.uint64(12))
            self.image[level] = entries.reshape(-1, ENTRIES)
        self.top = BASE + (int(levels[-1][0]) << 12)
        self.above = len(levels) - 1
        self.table = PageTable(self.memory(), "vtd-second-stage", self.top, 4)

    def memory(self) -> PhysMemory:
        """The memory that the tables are in."""
        return memory_of(self.image)

    def _leaves(self, start: int, count: int) -> Words:
        """The entries of some leaf tables."""
        total = count * ENTRIES
        if self.shape == "2M pages":
            pages = (np.arange(total, dtype=np.uint64) + np.uint64(start * ENTRIES)) << np.uint64(9)
            return ((pages << np.uint64(12)) | np.uint64(READ_WRITE | LARGE)).reshape(count, ENTRIES)
        entries = (self._pages(start, total) << np.uint64(12)) | np.uint64(READ_WRITE)
        if self.shape == "sparse":
            entries[self.rng.random(total) >= 1 / 64] = 0
        return entries.reshape(count, ENTRIES)

    def _pages(self, start: int, total: int) -> Words:
        """Page frame numbers for so many entries in a row."""
        if self.shape == "contiguous":
            return np.arange(total, dtype=np.uint64) + np.uint64(4096 + start * ENTRIES)
        if self.shape in ("random", "sparse"):
            return self.rng.integers(1, SPAN, total, dtype=np.uint64)
        if self.shape == "mixed":
            lengths = np.exp(self.rng.random(total // 40 + 64) * np.log(513)).astype(np.int64)
        else:
            length = int(self.shape.split()[-1])
            lengths = np.full(total // length + 1, length)
        starts = self.rng.integers(1, SPAN - ENTRIES, len(lengths), dtype=np.uint64)
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        pages: Words = np.repeat(starts, lengths) + within.astype(np.uint64)
        return pages[:total]

    def edges(self) -> memoryview:
        """The ranges that the tables map and are in, as edges: what has to be preserved."""
        bits = np.zeros(SPAN + 4096, dtype=bool)
        step = 512 if self.shape == "2M pages" else 1
        for start in range(0, self.count, 4096):
            entries = self.image[self.leaf_pages[start : start + 4096]].ravel()
            pages = ((entries & np.uint64(0xFFFFFFFFFF000)) >> np.uint64(12))[entries != 0]
            if step == 1:
                bits[pages] = True
            else:
                bits[int(pages[0]) : int(pages[-1]) + step] = True
        borders = np.flatnonzero(np.diff(bits.view(np.int8), prepend=np.int8(0), append=np.int8(0))).astype(np.uint64) << np.uint64(12)
        own = np.array([BASE, BASE + self.image.nbytes], dtype=np.uint64)
        return memoryview(np.concatenate([borders, own]))  # type: ignore[arg-type]  # an array is a buffer


def fresh(pages: int) -> Words:
    """Memory that nobody has touched, as so many pages of 512 words. It stays in pages of 4K, as a mapped file is."""
    mapped = mmap.mmap(-1, pages * 8 * ENTRIES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(mapped, dtype=np.uint64).reshape(-1, ENTRIES)


def room(pages: int) -> Words:
    """The same, touched."""
    made = fresh(pages)
    made[:, 0] = 1
    return made


def memory_of(image: Words) -> PhysMemory:
    """Pages as the memory from BASE on."""
    return PhysMemory([MemoryRegion(BASE, image.nbytes, memoryview(image).cast("B"))])  # type: ignore[arg-type]  # an array is a buffer


@functools.cache
def peers() -> ctypes.CDLL:
    """bench/peers.c, compiled for this machine."""
    source = Path(__file__).with_name("peers.c")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "peers.so"
        subprocess.run(["gcc", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(made)], check=True)
        library = ctypes.CDLL(str(made))
    word, where = ctypes.c_uint64, ctypes.c_void_p
    for name, arguments in {
        "tree_read": [where, word, word, word, word, word],
        "pages_read": [where, word],
        "pages_written": [where, word],
        "compute": [word],
        "naive_walk": [where, word, word, ctypes.c_int, where, word],
    }.items():
        function = getattr(library, name)
        function.restype, function.argtypes = word, arguments
    return library


def tree_read(tables: Tables, first: int = 0, end: int = ENTRIES * ENTRIES) -> int:
    """Read every leaf table, four at a time: the limit (see bench/peers.c).

    ``first``, ``end``: which of the tables that point to leaf tables, in the order of iovas.
    """
    found: int = peers().tree_read(tables.image.ctypes.data, BASE, tables.top, tables.above, first, end)
    return found


def pages_read(image: Words) -> int:
    """Read pages one after the other: the limit for what takes tables in the order of their addresses."""
    found: int = peers().pages_read(image.ctypes.data, image.nbytes // 8)
    return found


def pages_written(image: Words) -> None:
    """Write pages one after the other, around the caches: the limit for what makes tables."""
    peers().pages_written(image.ctypes.data, image.nbytes // 8)


def naive_walk(tables: Tables, extents: Words) -> int:
    """How many extents a plain walk in C finds, entry by entry, in the order of iovas."""
    found: int = peers().naive_walk(tables.image.ctypes.data, BASE, tables.top, 3, extents.ctypes.data, extents.size // 3)
    return found
