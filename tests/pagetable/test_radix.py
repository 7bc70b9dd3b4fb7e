# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The radix tree of preserved pages: plain Python against the kernel's arithmetic, and the C core against plain Python."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import EncodeError, UsageError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.open import open_input
from devstate.pagetable import native, radix
from devstate.pagetable.preserved import PROBLEM_LIMIT, PreservedMap, Problem
from devstate.pagetable.radix import RadixShape, Run

from .trees import NODES_AT, build, byteorders, covered, place, run_lists, shapes

SHAPE = radix.radix_shape(4096)


def same(left: PreservedMap, right: PreservedMap) -> bool:
    """Whether two maps are equal in every field, with both shown when they are not."""
    fields = [
        (list(got.edges), got.orders, list(got.node_pages), got.problems, got.problem_count, got.page_size) for got in (left, right)
    ]
    assert fields[1] == fields[0]
    return True


# ---- geometry ----


@pytest.mark.parametrize(("page_size", "depth", "key_bits"), [(4096, 6, 53), (16384, 5, 51), (65536, 4, 49)])
def test_depth_follows_from_the_page_size(page_size: int, depth: int, key_bits: int) -> None:
    """A tree has as many levels as a key of order 0 needs."""
    shape = radix.radix_shape(page_size)
    assert (depth, key_bits) == (shape.depth, shape.key_bits)


def test_an_older_kernel_has_fewer_levels_at_16k() -> None:
    """Before d64b0372760e there were four; keys of order 0 do not fit in them."""
    old = radix.radix_shape(16384, 4)
    with pytest.raises(EncodeError):
        radix.build([Run(0x4000, 1, 0)], old, [], "little")
    assert 4 == radix.build([Run(0x8000, 1, 1)], old, [], "little")[0]


@pytest.mark.parametrize(("page_size", "depth"), [(8192, 6), (0, 6), (4096, 7), (4096, 1), (16384, 6), (65536, 5)])
def test_impossible_trees_are_refused(page_size: int, depth: int) -> None:
    """No kernel builds them."""
    with pytest.raises(UsageError):
        radix.radix_shape(page_size, depth)


@pytest.mark.parametrize(
    ("pa", "order", "path", "bit"),
    [
        (0x1_0000_0000, 0, (2, 0, 0, 0, 32), 0),
        (0x1_0000_0000, 9, (0, 2, 0, 0, 0), 2048),
        (0x1234_5000, 0, (2, 0, 0, 0, 2), 9029),
    ],
)
def test_keys_are_those_of_the_kernel(core: str, pa: int, order: int, path: tuple[int, ...], bit: int) -> None:
    """Indices and bit of a block, worked out by hand from kho_radix_encode_key()."""
    pages = native.radix_build([Run(pa, 1, order)], SHAPE, [NODES_AT + 4096 * i for i in range(6)], "little")[1]
    for level, index in enumerate(path):
        table = struct.unpack_from("<512Q", pages, 4096 * level)
        assert {index: NODES_AT + 4096 * (level + 1)} == {i: entry for i, entry in enumerate(table) if entry}
    assert 1 << bit == int.from_bytes(pages[5 * 4096 :], "little")


# ---- build and decode ----


@given(st.data(), shapes, byteorders)
@settings(max_examples=60, deadline=None)
def test_a_tree_decodes_to_what_it_was_built_from(
    core: str, data: st.DataObject, shape: RadixShape, byteorder: Literal["little", "big"]
) -> None:
    """C and plain Python build the same pages, and both read back the blocks."""
    runs = data.draw(run_lists(shape))
    pages, node_pas = build(runs, shape, byteorder)
    assert (len(node_pas), pages) == native.radix_build(runs, shape, node_pas, byteorder)
    memory = place(pages, node_pas, shape, byteorder)
    decoded = native.radix_decode(memory, node_pas[0], shape)
    assert same(radix.decode(memory, node_pas[0], shape), decoded)
    assert covered(runs, shape.page_size) == list(decoded.ranges())
    orders: dict[int, int] = {}
    for run in runs:
        orders[run.order] = orders.get(run.order, 0) + run.blocks
    assert orders == decoded.orders
    assert node_pas == list(decoded.node_pages)


@given(st.data(), shapes, byteorders)
@settings(max_examples=100, deadline=None)
def test_damage_is_described_alike(core: str, data: st.DataObject, shape: RadixShape, byteorder: Literal["little", "big"]) -> None:
    """Words of the tree are replaced by pointers to anywhere: both decoders find the same rest and the same problems."""
    pages, node_pas = build(data.draw(run_lists(shape)), shape, byteorder)
    targets = st.sampled_from([0, 1, shape.page_size, *node_pas, node_pas[0] + 8, node_pas[-1] + shape.page_size, 1 << 63])
    for _ in range(data.draw(st.integers(1, 6))):
        page = data.draw(st.integers(0, len(node_pas) - 1)) * shape.page_size
        place_at = page + 8 * data.draw(st.integers(0, shape.page_size // 8 - 1) | st.integers(0, 9))
        value = data.draw(targets | st.integers(0, 255) | st.integers(0, (1 << 64) - 1))
        pages[place_at : place_at + 8] = value.to_bytes(8, byteorder)
    memory = place(pages, node_pas, shape, byteorder)
    assert same(radix.decode(memory, node_pas[0], shape), native.radix_decode(memory, node_pas[0], shape))


def test_too_little_room_says_how_much_is_needed(core: str) -> None:
    """Nodes are counted without being written; one fewer than needed is as good as none."""
    runs = [Run(0, 1, 9), Run(0, 3 << 15, 0)]
    needed, none = native.radix_build(runs, SHAPE, [], "little")
    assert (radix.build(runs, SHAPE, [], "little")[0], b"") == (needed, none)
    node_pas = [NODES_AT + 4096 * i for i in range(needed)]
    assert (needed, b"") == native.radix_build(runs, SHAPE, node_pas[:-1], "little")
    assert needed * 4096 == len(native.radix_build(runs, SHAPE, node_pas, "little")[1])


@pytest.mark.parametrize(
    "runs",
    [
        [Run(0x2000, 1, 0), Run(0x1000, 1, 0)],
        [Run(0x1000, 2, 0), Run(0x2000, 1, 0)],
        [Run(0x1000, 1, 0), Run(0x2000, 1, 1)],
        [Run(0x1000, 1, 1)],
        [Run(0x1000, 0, 0)],
        [Run(1 << 56, 1, 0)],
        [Run((1 << 56) - 4096, 2, 0)],
        [Run(0, 1, 53)],
        [Run(0, 1, -1)],
    ],
    ids=["unsorted", "overlap", "order ascends", "misaligned", "empty", "too high", "ends too high", "order too high", "order negative"],
)
def test_runs_that_no_tree_holds_are_refused(core: str, runs: list[Run]) -> None:
    """With the same error from C and from plain Python."""
    for build_with in (native.radix_build, radix.build):
        with pytest.raises(EncodeError):
            build_with(runs, SHAPE, [], "little")


def test_a_range_is_cut_as_the_kernel_cuts_it() -> None:
    """min(alignment, what is left), from the start; kho_preserve_pages()."""
    runs = radix.cut([(0x3000, 0x6000), (0, 0x1000)], 4096)
    assert [Run(0x4000, 1, 2), Run(0, 1, 0), Run(0x3000, 1, 0), Run(0x8000, 1, 0)] == runs
    assert [(0, 0x1000), (0x3000, 0x6000)] == covered(runs, 4096)
    with pytest.raises(EncodeError):
        radix.cut([(0x800, 0x1000)], 4096)


# ---- damage, one by one ----


def damaged(*writes: tuple[int, int], runs: list[Run] | None = None) -> tuple[PreservedMap, list[int]]:
    """The map of a tree after u64 ``writes`` of (node number * 4096 + offset, value); node places."""
    pages, node_pas = build([Run(0, 1, 0)] if runs is None else runs, SHAPE)
    for offset, value in writes:
        pages[offset : offset + 8] = value.to_bytes(8, "little")
    memory = place(pages, node_pas, SHAPE, "little")
    found = native.radix_decode(memory, node_pas[0], SHAPE)
    assert same(radix.decode(memory, node_pas[0], SHAPE), found)
    return found, node_pas


def test_a_child_outside_of_memory(core: str) -> None:
    """The branch is a problem; the other branch is read."""
    found, node_pas = damaged((4096 + 5 * 8, 0x7FF0_0000_0000))
    assert (Problem("not-in-memory", node_pas[1] + 40, 0x7FF0_0000_0000, (2, 5)),) == found.problems
    assert [(0, 4096)] == list(found.ranges())


def test_the_root_outside_of_memory(core: str) -> None:
    """Nothing is preserved, as far as one can see, and the problem has no path."""
    memory = PhysMemory([MemoryRegion(0x1000, 0x1000, memoryview(bytes(4096)))])
    for pa, code in ((0, "not-in-memory"), (0x2000, "not-in-memory"), (0x1008, "misaligned"), (1 << 63, "not-in-memory")):
        for decode in (native.radix_decode, radix.decode):
            found = decode(memory, pa, SHAPE)
            assert (0, (Problem(code, 0, pa),), {}) == (len(found), found.problems, found.orders)


def test_a_key_that_is_too_wide(core: str) -> None:
    """Entry 4 of the root stands for keys of 54 bits; entry 3 for keys of 53, which only have an address that is too wide."""
    found, node_pas = damaged((4 * 8, NODES_AT))
    assert (Problem("key-too-wide", node_pas[0] + 32, NODES_AT, (4,)),) == found.problems


def test_an_address_that_is_too_wide(core: str) -> None:
    """Blocks at and above 2 to the 56 are left out, those below are not."""
    found, node_pas = damaged((5 * 4096, 1 << 63), runs=[Run((1 << 56) - (1 << 27), 1 << 15, 0)])
    assert ((), [((1 << 56) - (1 << 27) + (63 << 12), (1 << 27) - (63 << 12))]) == (found.problems, list(found.ranges()))
    pages, node_pas = build([Run(0, 1, 0)], SHAPE)
    pages[16:24], pages[24:32] = bytes(8), node_pas[1].to_bytes(8, "little")
    memory = place(pages, node_pas, SHAPE, "little")
    found = native.radix_decode(memory, node_pas[0], SHAPE)
    assert same(radix.decode(memory, node_pas[0], SHAPE), found)
    assert ([("address-too-wide", (3, 0, 0, 0, 0))], 0) == ([(problem.code, problem.path) for problem in found.problems], len(found))


def test_key_zero_and_the_highest_orders(core: str) -> None:
    """The first leaf holds the orders from 38 up: bit 0 is no key, and blocks of 2 to the 57 bytes and more are too large."""
    leaf = 5 * 4096
    found, _ = damaged((leaf, 0xFF), runs=[Run(0, 1, 38)])
    codes = [problem.code for problem in found.problems]
    assert ["key-zero", "address-too-wide", "address-too-wide", "address-too-wide"] == codes
    found, _ = damaged((leaf + 32, 1), runs=[Run(0, 1, 38)])
    assert ({38: 1, 44: 1}, [(0, 1 << 56)]) == (found.orders, list(found.ranges()))


def test_orders_that_overlap(core: str) -> None:
    """Both blocks count; the memory that both cover is named once, and is in the ranges once."""
    found, _ = damaged(runs=[Run(0x20_0000, 1, 9), Run(0x3F_F000, 2, 0)])
    assert ((Problem("overlap", 0x3F_F000, 0x40_0000),), {0: 2, 9: 1}) == (found.problems, found.orders)
    assert [(0x20_0000, 0x20_1000)] == list(found.ranges())


def test_a_tree_of_one_page_does_not_explode(core: str) -> None:
    """Every entry of every table points to the same page: 512 to the 5 ways, one visit."""
    page = NODES_AT.to_bytes(8, "little") * 512
    memory = PhysMemory([MemoryRegion(NODES_AT, 4096, memoryview(page))])
    start = time.perf_counter()
    found = native.radix_decode(memory, NODES_AT, SHAPE)
    assert 1 > time.perf_counter() - start
    assert same(radix.decode(memory, NODES_AT, SHAPE), found)
    assert ([NODES_AT], 512, {"visited-twice", "key-too-wide"}) == (
        list(found.node_pages),
        found.problem_count,
        {problem.code for problem in found.problems},
    )


@pytest.mark.parametrize("wild", [PROBLEM_LIMIT, PROBLEM_LIMIT + 1])
def test_problems_are_bounded(core: str, wild: int) -> None:
    """All are counted, PROBLEM_LIMIT are kept."""
    writes = [(4096 * (1 + i // 500) + 8 * (1 + i % 500), 1 << 60) for i in range(wild)]
    found, _ = damaged(*writes)
    assert (wild, PROBLEM_LIMIT, [(0, 4096)]) == (found.problem_count, len(found.problems), list(found.ranges()))


# ---- memory that C cannot see as a whole ----


def test_pages_over_a_seam_and_files_that_are_only_read(core: str) -> None:
    """Where a node lies in two regions, or cannot be mapped, the walk is in Python, with the same result."""
    shape = radix.radix_shape(16384)
    runs = [Run(0x10_0000, 3, 2), Run(0x4000, 70, 0)]
    pages, node_pas = build(runs, shape)
    whole = place(pages, node_pas, shape, "little")
    halves = [MemoryRegion(r.start + at, 8192, r.data[at : at + 8192]) for r in whole.regions for at in (0, 8192)]
    assert same(native.radix_decode(whole, node_pas[0], shape), native.radix_decode(PhysMemory(halves), node_pas[0], shape))

    class Reader:
        """Bytes that are read when they are sliced, as /proc/kcore."""

        def __init__(self, data: memoryview) -> None:
            self.data = data

        def __getitem__(self, part: slice) -> memoryview:
            return memoryview(bytes(self.data[part]))

    unmapped = PhysMemory([MemoryRegion(r.start, r.size, Reader(r.data)) for r in whole.regions])  # type: ignore[arg-type]  # all that is asked of it
    assert same(native.radix_decode(whole, node_pas[0], shape), native.radix_decode(unmapped, node_pas[0], shape))


def test_ranges_can_be_put_into_the_same_room(core: str) -> None:
    """A room that is large enough is used, one that is not is left alone."""
    pages, node_pas = build([Run(0x1000, 1, 0), Run(0x3000, 1, 0)], SHAPE)
    memory = place(pages, node_pas, SHAPE, "little")
    room = native.words(4)
    assert [0x1000, 0x2000, 0x3000, 0x4000] == list(native.radix_decode(memory, node_pas[0], SHAPE, room).edges) == list(room)
    small = native.words(3)
    assert [0x1000, 0x2000, 0x3000, 0x4000] == list(native.radix_decode(memory, node_pas[0], SHAPE, small).edges)


# ---- real handovers ----


def map_pa(memory: PhysMemory, fdt_pa: int) -> int:
    """preserved-memory-map of the root FDT, found without the FDT reader: a property of 8 bytes after its name's offset."""
    blob = bytes(memory.read(fdt_pa, 4096))
    strings = int.from_bytes(blob[12:16], "big")
    name = blob.index(b"preserved-memory-map\0", strings) - strings
    value = blob.index(struct.pack(">III", 3, 8, name)) + 12
    return int.from_bytes(blob[value : value + 8], "little")


def test_captures_hold_the_pages_that_they_should(core: str, any_captures: Path) -> None:
    """Blocks by order and bytes as counted in the running kernel."""
    checked = 0
    for truth_path in sorted(any_captures.glob("*.truth.json")):
        truth = json.loads(truth_path.read_text())
        memory = open_input(str(truth_path).replace(".truth.json", ".core.zst")).memory
        assert memory is not None
        found = native.radix_decode(memory, map_pa(memory, int(truth["fdt_pa"], 16)), SHAPE)
        assert {int(order): count for order, count in truth["preserved_orders"].items()} == found.orders
        assert (truth["preserved_bytes"], ()) == (found.bytes, found.problems)
        checked += 1
    assert checked >= 2
