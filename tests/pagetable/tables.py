# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory with page tables in it, for tests: of real kernels, built ones, and trees of arbitrary entries that point to each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.open import open_input
from devstate.pagetable.format import LEVELS, NAPOT, NEXT_LEVEL, PageTableFormat
from devstate.pagetable.formats import FORMATS
from devstate.pagetable.table import PageTable

BASE = 0x8000_0000
"""Where tables stand in the memory of arbitrary trees."""

ROOM = 0x10000
"""Bytes from one table to the next there: the largest granule."""

CAPTURES = ("intel48", "intel-fs", "amd", "arm", "mod-formats")


def real_table(memory: PhysMemory, domain: dict[str, Any]) -> PageTable:
    """The tables of one domain of a truth file."""
    return PageTable(
        memory,
        domain["format"],
        int(domain["top_table_pa"], 16),
        domain["levels"],
        granule=domain.get("granule", 4096),
        top_entries=domain["top_table_entries"],
        sign_extended=domain.get("sign_extended", False),
    )


def real_domains(captures: Path, name: str) -> Iterator[tuple[PageTable, dict[str, Any]]]:
    """Every domain of a capture, with its truth."""
    memory = open_input(str(captures / "iommu" / f"{name}.core.zst")).memory
    assert memory is not None
    for domain in json.loads((captures / "iommu" / f"{name}.truth.json").read_text())["domains"]:
        yield real_table(memory, domain), domain


def encode_pointer(format: PageTableFormat, pa: int, level: int) -> int:
    """An entry that points to a table of ``level`` at ``pa``."""
    entry = format.table_set | (pa >> format.address_shift & format.table) | (pa >> format.high_shift & format.high)
    return entry | (level + 1) << 9 if format.flags & NEXT_LEVEL else entry


def encode_leaf(format: PageTableFormat, pa: int, level: int, run: int = 0) -> int:
    """A leaf of ``1 << run`` entries at ``pa``, readable and writable, with nothing said that need not be."""
    entry = format.leaf_set | (pa >> format.address_shift & format.address) | (pa >> format.high_shift & format.high)
    for test in format.attributes:
        if test.attribute in (1, 2) and test.all.bit_count() == 1:
            entry |= 0 if test.flip else test.all if test.all != 1 << 51 else 0
    if level and not format.leaf_flip and format.leaf_any.bit_count() == 1:
        entry |= format.leaf_any
    if not level:
        entry |= format.page
    if run and format.flags & NEXT_LEVEL:
        entry |= 7 << 9 | ((1 << format.shift(level) + run - 13) - 1) << 12
    if run and format.flags & NAPOT:
        entry |= 1 << 63 | 1 << 13
    if run and format.contiguous:
        entry |= format.contiguous
    return entry


class Tree:
    """Tables of arbitrary entries: ``pages`` of them, ROOM apart, each with room for the largest top table; entries are set by number."""

    def __init__(
        self,
        format: PageTableFormat,
        levels: int,
        pages: int,
        *,
        top_entries: int | None = None,
        sign_extended: bool = False,
        upper: bool = False,
    ) -> None:
        self.format = format
        self.size = max(format.granule, 8 * (top_entries or 0))
        self.room = max(ROOM, self.size)
        self.words = [np.zeros(self.size // 8, dtype="<u8") for _ in range(pages)]
        self.levels = levels
        self.top_entries = top_entries
        self.sign_extended = sign_extended
        self.upper = upper
        self.encryption_bit: int | None = None
        self.pa_bits: int | None = None

    def pa(self, page: int) -> int:
        """Where a table stands; those beyond the last are nowhere."""
        return BASE + page * self.room

    def memory(self) -> PhysMemory:
        """A region for each table."""
        regions = [MemoryRegion(self.pa(page), self.size, memoryview(words.tobytes())) for page, words in enumerate(self.words)]
        return PhysMemory(regions, source="tree")

    def table(self) -> PageTable:
        """The tree whose top is table 0."""
        return PageTable(
            self.memory(), self.format, BASE, self.levels,
            top_entries=self.top_entries, sign_extended=self.sign_extended, upper=self.upper, pa_bits=self.pa_bits,
            encryption_bit=self.encryption_bit,
        )  # fmt: skip


@st.composite
def _entries(draw: st.DrawFn, format: PageTableFormat, pages: int, level: int) -> list[int]:
    """Some entries that follow each other, most of them good at this level: one, a row of leaves, a run, pointers, or any bits at all."""
    kind = draw(st.sampled_from(["pointer", "leaves", "leaves", "run", "run", "raw"]))
    if not draw(st.integers(0, 5)):
        level = draw(st.integers(0, LEVELS - 1))
    flips = draw(st.sampled_from([0, 0, 0, 1 << draw(st.integers(0, 63))]))
    many = draw(st.sampled_from([1, 2, 3, 16, 32]))
    if kind == "raw":
        return [draw(st.integers(0, (1 << 64) - 1))] * many
    if kind == "pointer":
        first, step = draw(st.integers(0, pages)), draw(st.sampled_from([0, 1]))
        below = max(level - 1, 0) if draw(st.booleans()) else draw(st.integers(0, LEVELS - 1))
        return [encode_pointer(format, BASE + (first + n * step) * ROOM, below) ^ flips for n in range(min(many, 4))]
    size = 1 << format.shift(min(level, 3))
    pa = draw(st.integers(0, 40)) * size
    if kind == "leaves":
        step = draw(st.sampled_from([size, size, size // 2, 0]))
        return [(encode_leaf(format, pa + n * step, min(level, 3)) & ~flips) | (flips * (n % 2)) for n in range(many)]
    run = 4
    if format.flags & NEXT_LEVEL:
        run = draw(st.integers(0, 9))
    elif format.contiguous:
        run = max(format.contiguous_bits[min(level, 2)], 1)
    pa -= pa % (size << run)
    step = size if format.contiguous else 0
    made = [encode_leaf(format, pa + n * step, min(level, 3), run) for n in range(1 << run)]
    if flips:  # the run is broken somewhere
        made[draw(st.integers(0, len(made) - 1))] ^= flips
    return made


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees of all formats and levels: holes, large leaves, runs, tables that are shared, cyclic, missing; any bit may be set."""
    format = draw(st.sampled_from(FORMATS))
    levels = draw(st.integers(*format.levels))
    widest = min(format.index_bits + format.concatenated, 64 - format.shift(levels - 1))
    bits = draw(st.one_of(st.none(), st.integers(0, min(widest, 14))))
    pages = draw(st.integers(1, 6))
    half = draw(st.sampled_from(["lower", "both", "upper"]))
    tops_asked = None if bits is None else 1 << bits
    tree = Tree(format, levels, pages, top_entries=tops_asked, sign_extended=half == "both" and bits != 0, upper=half == "upper")
    tree.pa_bits = draw(st.sampled_from([None, None, 30, 44]))
    if format.name.startswith("amd"):
        tree.encryption_bit = draw(st.sampled_from([None, 32, 47, 51]))
    tops = tree.table().top_entries
    for page in range(min(pages, levels) - 1):  # a way down, most of the time
        index = draw(st.integers(0, (len(tree.words[page]) if page else min(tops, len(tree.words[0]))) - 1))
        tree.words[page][index] = encode_pointer(format, tree.pa(page + 1), levels - 2 - page)
    for _ in range(draw(st.integers(1, 8))):
        page = draw(st.integers(0, pages - 1))
        words = tree.words[page]
        made = draw(_entries(format, pages, max(levels - 1 - page, 0)))
        first = draw(st.one_of(st.integers(0, 40), st.integers(0, len(words) - 1)))
        if draw(st.integers(0, 3)):
            first -= first % len(made)
        words[first : first + len(made)] = np.array(made, dtype="<u8")[: len(words) - first]
    if draw(st.booleans()):  # what the hardware notes
        words = tree.words[draw(st.integers(0, pages - 1))]
        words[draw(st.integers(0, min(40, len(words) - 1)))] ^= np.uint64(format.touched)
    return tree
