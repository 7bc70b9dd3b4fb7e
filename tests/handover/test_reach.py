# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""reach: ranges of pages, held against sets of page numbers."""

from __future__ import annotations

import os
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from edited import edited, opened
from hypothesis import given
from hypothesis import strategies as st

from devstate.handover import reach
from devstate.handover.open import open_handover, open_memory
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.backing import FileBytes
from devstate.memory.open import open_input

PAGE = 16

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=12)


def numbers(edges: array[int]) -> set[int]:
    """The pages in the ranges, which must be sorted, disjoint and apart."""
    pairs = list(zip(edges[0::2], edges[1::2], strict=True))
    assert all(start < end for start, end in pairs)
    assert all(end < start for (_, end), (start, _) in pairwise(pairs))
    assert all(edge % PAGE == 0 for edge in edges)
    return {page for start, end in pairs for page in range(start // PAGE, end // PAGE)}


@given(spans)
def test_whole_pages(given_spans: list[tuple[int, int]]) -> None:
    """Every page that a byte of a span is in; none for a span of no bytes."""
    expected = {byte // PAGE for pa, size in given_spans for byte in range(pa, pa + size)}
    edges = reach.whole_pages([(pa, size) for pa, size in given_spans if size], PAGE)
    assert expected == numbers(edges)
    assert len(expected) * PAGE == reach.total(edges)


@pytest.mark.parametrize("few", [0, 1 << 20])
@given(parts=st.lists(spans, max_size=4))
def test_join(few: int, parts: list[list[tuple[int, int]]]) -> None:
    """The plain form and that with numpy give the union."""
    edges = [reach.whole_pages([(pa, size) for pa, size in part if size], PAGE) for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "FEW", few)
        joined = reach.join(edges)
    assert set().union(*map(numbers, edges)) == numbers(joined)


@given(wanted=spans, cuts=st.lists(st.integers(0, 120), min_size=1, max_size=8, unique=True).map(sorted))
def test_present(wanted: list[tuple[int, int]], cuts: list[int]) -> None:
    """Each byte that is wanted and there, once, from the region that holds it; regions that touch too."""
    data = bytes(range(120))
    regions = [
        MemoryRegion(start, end - start, memoryview(data)[start:end])
        for index, (start, end) in enumerate(zip([0, *cuts], [*cuts, 120], strict=True))
        if end > start and index % 3 != 2
    ]
    edges = reach.whole_pages([(pa, size) for pa, size in wanted if size], PAGE)
    found = reach.present(PhysMemory(regions), edges)
    there = {byte for region in regions for byte in range(region.start, region.end)}
    bytes_ = [byte for region in found for byte in range(region.start, region.end)]
    assert sorted(there & {byte for page in numbers(edges) for byte in range(page * PAGE, (page + 1) * PAGE)}) == bytes_
    assert all(bytes(region.data[: region.size]) == data[region.start : region.end] for region in found)


def test_present_of_a_live_file(tmp_path: Path) -> None:
    """Nothing is read until it is asked for."""
    (tmp_path / "file").write_bytes(bytes(range(200)))
    file = FileBytes(os.open(tmp_path / "file", os.O_RDONLY), 0, 1 << 40, "file")
    found = reach.present(PhysMemory([MemoryRegion(1000, 1 << 30, file)]), array("Q", [1016, 1032, 1 << 20, 1 << 21]))
    assert [(1016, 16), (1 << 20, 1 << 20)] == [(region.start, region.size) for region in found]
    assert bytes(range(16, 32)) == bytes(found[0].data[: found[0].size])


def test_the_end_of_the_address_space() -> None:
    """What lies there is counted, just below, so that it is missed as absent."""
    last = (1 << 64) - 1
    for pa, size in ((last, 1), (last, last), (reach.TOP, 4096), (0, last)):
        edges = reach.whole_pages([(pa, size)], 4096)
        assert (1, reach.TOP) == (len(edges) // 2, edges[1])


def test_folio_arrays_take_no_more_than_their_records(shipped: Path) -> None:
    """An order that makes blocks of 4 GiB does not turn all memory into metadata."""
    path = shipped / "small-7.3.core.zst"
    file = open_handover(open_input(str(path))).files[1]
    assert file.pages is not None and file.pages.block_size == 4096
    first, second = int(file.pages.blocks[0]), 0x1_0000_0000
    writes = {
        file.data_pa + 24: (512).to_bytes(8, "little"),  # nr_folios: two pages of records
        file.data_pa + 40: (2 << 20).to_bytes(4, "little"),  # total_pages: two blocks
        file.data_pa + 46: (20).to_bytes(2, "little"),  # order
        file.pages.lists[0] + 16: second.to_bytes(8, "little"),
    }
    edges = reach.metadata_edges(opened(path, writes))
    assert all(any(start <= pa < end for start, end in zip(edges[0::2], edges[1::2], strict=True)) for pa in (first, first + 4096))
    assert [second, second + 4096] == list(edges[-2:])


def test_handles_of_shared_objects(captures: Path) -> None:
    """The page behind an FLB's handle is metadata when it is preserved: no format says what is in it."""
    path = captures / "flb-7.2.core.zst"
    handover = open_handover(open_input(str(path)))
    assert handover.luo is not None and handover.preserved is not None
    flb = handover.luo.flbs[0]
    for pa, expected in ((0x22B0000, True), (0x22B2000, False)):
        assert handover.preserved.covers(pa) == expected
        edges = reach.metadata_edges(open_memory(edited(path, {flb.pa + 48: pa.to_bytes(8, "little")})))
        assert expected == any(start <= pa < end for start, end in zip(edges[0::2], edges[1::2], strict=True))
