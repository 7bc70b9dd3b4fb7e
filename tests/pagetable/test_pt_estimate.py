# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What preserving tables will cost, held against tables that are there."""

from __future__ import annotations

import io
import math

import pytest

from devstate.errors import UsageError
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.costs import COSTS
from devstate.pagetable.estimate import LARGE, estimate, radix_bytes
from devstate.pagetable.mapping import READ, WRITE, Mapping
from devstate.pagetable.pack import pack
from devstate.pagetable.radix import cut, radix_shape

GIB, TIB = 1 << 30, 1 << 40


@pytest.mark.parametrize(
    ("format", "granule", "page_size", "ram"),
    [
        ("vtd-second-stage", 4096, 4096, GIB + 4096),
        ("vtd-second-stage", 4096, 2 << 20, 40 * GIB),
        ("amd-v1", 4096, 4096, 64 << 20),
        ("arm-lpae-s2", 16384, 16384, GIB),
        ("arm-lpae-s2", 65536, 65536, 3 * GIB),
        ("riscv-64", 4096, 1 << 30, 700 * GIB),
    ],
)
def test_the_tables_are_those_that_are_built(format: str, granule: int, page_size: int, ram: int) -> None:
    """As many of each level as building makes for iovas from 0 on, and bytes as of the stream's pages."""
    made = estimate(ram, page_size, format, granule)
    levels = max(made.tables) + 1
    mapping = Mapping(0, 1 << 40, ram, READ | WRITE)
    table = build(Arena(1 << 42), format, [mapping], levels, granule=granule, largest=page_size, runs=False)
    assert {level: len(found) for level, found in table.table_pages().items()} == made.tables
    assert 4096 * pack(table, io.BytesIO()).pages == made.table_bytes


def test_a_terabyte() -> None:
    """2 GiB of leaf tables; every shape has its costs, in proportion; large pages have those of large pages only."""
    made = estimate(TIB)
    assert {3: 1, 2: 2, 1: 1024, 0: 524288} == {**made.tables, 3: 1}
    assert {*made.shapes} == {*COSTS} - {LARGE}
    twice = estimate(2 * TIB)
    for name, each in made.shapes.items():
        assert math.isclose(2, twice.shapes[name].pack / each.pack, rel_tol=0.01)
        assert 0 < each.stream < made.table_bytes
        assert each.unpack < each.fresh
    assert made.shapes["contiguous"].stream < made.shapes["runs of 8"].stream < made.shapes["random"].stream
    large = estimate(TIB, 2 << 20)
    assert [LARGE] == list(large.shapes)
    assert large.table_bytes < made.table_bytes / 500


def test_the_map_is_at_most_so_large() -> None:
    """Held against a tree in which pages are preserved one by one."""
    from devstate.pagetable.native import radix_build

    shape = radix_shape(4096)
    runs = [run for page in range(0, 1 << 16, 2) for run in cut([(page * 4096, 4096)], 4096)]
    needed, _ = radix_build(runs, shape, [], "little")
    assert needed * 4096 <= radix_bytes(4096 << 16) + 4096 * shape.depth


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((TIB, 8192), "no pages of 8192 bytes; it has 4096, 2097152"),
        ((0,), "at least one page"),
        ((1 << 58,), "map up to"),
        ((TIB, 4096, "vtd-second-stage", 4096, 7), "levels"),
        ((TIB, 1 << 30, "vtd-second-stage", 4096, 2), "levels"),
        ((TIB, 4096, "none"), "none"),
    ],
)
def test_what_there_is_not(arguments: tuple[int, ...], text: str) -> None:
    """Sizes, levels and formats that there are not."""
    with pytest.raises(UsageError, match=text):
        estimate(*arguments)  # type: ignore[arg-type]
