# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Questions that a PreservedMap answers."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from devstate.pagetable.preserved import CODES, PreservedMap, Problem


@pytest.fixture
def two_ranges() -> PreservedMap:
    """0x1000-0x3000 and 0x8000-0x9000."""
    return PreservedMap(4096, memoryview(array("Q", [0x1000, 0x3000, 0x8000, 0x9000])), {0: 3}, memoryview(array("Q")))


@pytest.mark.parametrize(
    ("pa", "size", "covered"),
    [
        (0x1000, 0x2000, True),
        (0x1000, 0x2001, False),
        (0xFFF, 1, False),
        (0xFFF, 2, False),
        (0x2FFF, 1, True),
        (0x3000, 1, False),
        (0x2000, 0x6800, False),
        (0x8000, 0x1000, True),
        (0x9000, 1, False),
        (0, 0, True),
        ((1 << 64) - 1, 1, False),
    ],
)
def test_covers_is_about_every_byte(two_ranges: PreservedMap, pa: int, size: int, covered: bool) -> None:
    """At each edge; one address at a time and many at once say the same."""
    assert covered == two_ranges.covers(pa, size)
    if size:
        assert [covered] == two_ranges.covered(np.array([pa], dtype=np.uint64), size).tolist()


def test_totals(two_ranges: PreservedMap) -> None:
    """Bytes, pages, ranges, and their parts."""
    assert (2, 0x3000, 3) == (len(two_ranges), two_ranges.bytes, two_ranges.pages)
    assert ([0x1000, 0x8000], [0x3000, 0x9000], [0x2000, 0x1000]) == (
        two_ranges.starts.tolist(),
        two_ranges.ends.tolist(),
        two_ranges.lengths.tolist(),
    )
    assert [(0x1000, 0x2000), (0x8000, 0x1000)] == list(two_ranges.ranges())


def test_an_empty_map_covers_nothing() -> None:
    """And its array has no rows."""
    empty = PreservedMap(4096, memoryview(array("Q")), {}, memoryview(array("Q")))
    assert not empty.covers(0) and (0, 2) == empty.pairs().shape
    assert [False] == empty.covered(np.array([0], dtype=np.uint64), 1).tolist()


def test_every_problem_has_words() -> None:
    """For each code, with the address in it."""
    for code in CODES:
        assert "0xabc000" in Problem(code, 0x1000, 0xABC000).message
