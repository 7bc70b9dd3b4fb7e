# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof: C against plain Python on wild tables of every format, and by hand what must be found."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from functools import cache

import pytest

from devstate.pagetable import coverage, walk
from devstate.pagetable.coverage import Coverage
from devstate.pagetable.prove import Proof, prove
from devstate.pagetable.prove_slowly import prove_slowly
from devstate.pagetable.table import PageTable

from .wild_tables import MEMORY, TABLES_AT, wild_table

SEEDS = 150


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few ranges have a bitmap, and few tables are read again: plain Python shall come to an end too."""
    monkeypatch.setattr(coverage, "FEW_RANGES", 8)
    monkeypatch.setattr(walk, "EXTRA", 1 << 14)


def some_edges(rng: random.Random, *, bits: bool) -> tuple[list[int], list[tuple[int, int]]]:
    """Most of the memory that wild tables map and are in, in enough ranges for a bitmap or in a few; and scratch areas."""
    borders = sorted({rng.randrange(MEMORY >> 12) << 12 for _ in range(40 if bits else rng.randrange(6))} | {0, MEMORY})
    edges = []
    for start, end in itertools.pairwise(borders):
        stop = end - (rng.choice((0x1000, 0x1000, end - start)) if rng.random() < 0.3 else 0x1000)
        if rng.random() < 0.95 and stop > start:
            edges += [start, stop]
    edges += [TABLES_AT, TABLES_AT + (rng.randrange(1, 60) << 12), 1 << 33, 1 << 34]
    scratch = [(rng.randrange(2 * MEMORY >> 12) << 12, rng.randrange(1 << 22) & ~0xFFF) for _ in range(rng.randrange(3))]
    return edges, scratch


@cache
def case(seed: int) -> tuple[PageTable, list[int], list[tuple[int, int]], int, Proof]:
    """A table, ranges, scratch areas, a limit, and what plain Python makes of them."""
    rng = random.Random(seed)
    table, limit = wild_table(seed), rng.choice((0, 1, 3, 1000))
    edges, scratch = some_edges(rng, bits=seed % 3 > 0) if seed % 4 else ([0, 1 << 56], [])
    return table, edges, scratch, limit, prove_slowly(table, Coverage(edges, scratch), limit)


def test_c_and_python_say_the_same(core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every format: gaps, totals, counts, problems; with tiles, lines, both, and without; whatever the limit."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        monkeypatch.setattr(coverage, "DENSE_RANGES", 0 if seed % 5 == 1 else 2)
        table, edges, scratch, limit, expected = case(seed)
        assert expected == prove(table, Coverage(edges, scratch), limit), seed
        seen["proven" if expected else "problems" if not (expected.pages or expected.tables) else "gaps"] += 1
    assert min(seen["proven"], seen["problems"], seen["gaps"]) > SEEDS / 20, seen
