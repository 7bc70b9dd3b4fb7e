# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Page tables as nobody should write them, of every format, from a seed: shared and cyclic tables, tables that are not there, leaves of
every kind at every level, runs that are cut, random bits. What maps memory maps it into the first MEMORY bytes, mostly.
"""

from __future__ import annotations

import random

from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable.format import NAPOT, NEXT_LEVEL, PageTableFormat
from devstate.pagetable.formats import FORMATS
from devstate.pagetable.table import PageTable

TABLES_AT = 1 << 32
MEMORY = 1 << 30
"""Bytes from address 0 on that leaves point to."""


def wild_table(seed: int) -> PageTable:
    """One tree; most tables of level 0 are plain: a few runs of leaves, and holes."""
    rng = random.Random(seed)
    format = FORMATS[seed % len(FORMATS)]
    levels = rng.randint(*format.levels)
    count = rng.randint(1, 4 + 3 * levels if format.index_bits == 9 else levels + 1)
    size = 8 << format.index_bits
    regions, pas = [], []
    for n in range(count):
        pa = TABLES_AT + n * size * rng.choice((1, 1, 2))
        pa = max(pa, pas[-1] + size if pas else 0)
        pas.append(pa)
    choices = [*pas, TABLES_AT - size] if rng.random() < 0.3 else pas
    for n, pa in enumerate(pas):
        # The levels go down with the number, so that most pointers make sense.
        level = max(0, levels - 1 - n * levels // count)
        words = _words(rng, format, level, choices[n + 1 :] or choices)
        regions.append(MemoryRegion(pa, size, memoryview(b"".join(word.to_bytes(8, "little") for word in words))))
    top_bits = min(format.index_bits, 64 - format.shift(levels - 1))
    top_entries = 1 << (top_bits if rng.random() < 0.6 else rng.randint(2, top_bits) if top_bits > 2 else top_bits)
    memory = PhysMemory(_joined(regions) if rng.random() < 0.5 else regions)
    half = rng.random()
    return PageTable(memory, format, pas[0], levels, top_entries=top_entries, sign_extended=half < 0.2, upper=half > 0.9)


def _joined(regions: list[MemoryRegion]) -> list[MemoryRegion]:
    """Regions that follow each other as one."""
    made: list[MemoryRegion] = []
    for region in regions:
        last = made[-1] if made else None
        if last and last.end == region.start:
            data = memoryview(bytes(last.data) + bytes(region.data))  # type: ignore[arg-type]  # both are memoryviews
            made[-1] = MemoryRegion(last.start, len(data), data)
        else:
            made.append(region)
    return made


def _words(rng: random.Random, format: PageTableFormat, level: int, tables: list[int]) -> list[int]:
    """The entries of one table: of level 0 mostly nothing but plain leaves, of others first pointers to tables, then anything."""
    entries = 1 << format.index_bits
    plain = level == 0 and rng.random() < 0.8
    words: list[int] = []
    if level:
        words += [0] * rng.choice((0, 0, 1))
        words += [_pointer(rng, format, level, pa) for pa in rng.sample(tables, rng.randint(1, len(tables)))]
    while len(words) < entries:
        left = entries - len(words)
        if level == 0 or rng.random() < 0.2:
            words += _run(rng, format, level, min(left, rng.choice((1, 2, 8, 63, 64, 65, 512, 700) if level == 0 else (1, 2, 8, 600))))
        elif rng.random() < 0.1:
            words.append(_pointer(rng, format, level, rng.choice(tables)))
        else:
            words += [0] * min(left, rng.choice((1, 5, 64, 200, 512)))
        if not plain and rng.random() < 0.05:
            words[-1] ^= 1 << rng.randrange(64)
        elif not plain and rng.random() < 0.01:
            words[-1] = rng.getrandbits(64) & rng.getrandbits(64)
    return words


def _run(rng: random.Random, format: PageTableFormat, level: int, count: int) -> list[int]:
    """Leaves that follow each other, or holes, or leaves anywhere; some of those that a run of entries repeats."""
    item = 1 << format.shift(level)
    pages = max(MEMORY // item, 1)
    kind = rng.choice("rrrh.s")
    if kind == "h":
        return [0 if rng.random() < 0.9 else rng.getrandbits(64) & ~format.present] * count
    first = rng.randrange(pages)
    flags = _leaf_flags(rng, format, level)
    if kind == "s" and format.flags & (NAPOT | NEXT_LEVEL):
        bits = 4 if format.flags & NAPOT else rng.choice((1, 1, 2, 5, 9))
        mark = 1 << 63 if format.flags & NAPOT else 0
        size = item << bits
        pa = first * item // size * size | (size // 2 if format.flags & NAPOT or format.flags & NEXT_LEVEL else 0)
        sized = flags | mark | pa >> format.address_shift
        if format.flags & NEXT_LEVEL:
            sized = flags | 7 << 9 | (pa - size // 2 | size // 2 - 0x1000) & format.address
        return [sized] * min(count, 1 << bits)
    step = 1 if kind == "r" else 0
    found = []
    for n in range(count):
        page = (first + n * step) % pages if step else rng.randrange(pages)
        word = flags | page * item >> format.address_shift
        found.append(word | (format.touched & rng.getrandbits(64) if rng.random() < 0.1 else 0))
    return found


def _leaf_flags(rng: random.Random, format: PageTableFormat, level: int) -> int:
    flags = format.leaf_set | format.page | format.present
    if format.leaf_flip:
        flags &= ~format.leaf_any if level else ~0
    elif level or format.name == "riscv-64":
        flags |= format.leaf_any
    return flags | (format.contiguous if rng.random() < 0.2 else 0) | (format.software & rng.getrandbits(64))


def _pointer(rng: random.Random, format: PageTableFormat, level: int, pa: int) -> int:
    word = format.table_set | pa >> format.address_shift
    if format.leaf_flip:
        word |= format.leaf_any
    if format.flags & NEXT_LEVEL:
        word |= (level if rng.random() < 0.8 else rng.randint(1, level)) << 9
    return word
