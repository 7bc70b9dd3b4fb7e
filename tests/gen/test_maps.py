# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated walks over maps of pages: the same blocks and the same first fault as Python, on real, made-up and damaged maps."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from devstate.codec.encode import encode
from devstate.handover.open import open_handover
from devstate.layout.registry import Registry
from devstate.memory.open import open_input
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.pagetable.bitmaps import Bitmap
from devstate.pagetable.radix import RadixShape, Run, build, cut, radix_shape, walk
from devstate.testing.prover import GO, Prover, layouts_of
from tests.gen.reading import Reader
from tests.gen.test_walks import FIRST, PAGE

RULE = {
    "not-in-memory": "memory", "misaligned": "chain", "visited-twice": "cycle", "key-too-wide": "key", "key-zero": "key",
    "address-too-wide": "address",
}  # fmt: skip
"""The words of devstate.pagetable as those of the C."""

FORMATS = ["kho-v1@6.16", "kho-v1", "kho-v3", "kho-v4"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Roots of KHO with all forms of a memory map, for 4K pages."""
    made = Reader(tmp_path_factory.mktemp("maps"), FORMATS)
    yield made
    assert made.close() == 0


@pytest.fixture(scope="module")
def reader16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The same for 16K pages, where kho-v3 has had trees of two depths."""
    made = Reader(tmp_path_factory.mktemp("maps16"), ["kho-v3@7.1-rc1", "kho-v3"], 16384)
    yield made
    assert made.close() == 0


def merged(runs: list[tuple[int, int, int]], page_size: int) -> list[tuple[int, int, int]]:
    """Runs that touch, as one: what the C gives."""
    made: list[tuple[int, int, int]] = []
    for pa, order, blocks in runs:
        if made and made[-1][1] == order and made[-1][0] + made[-1][2] * (page_size << order) == pa:
            pa, order, blocks = made[-1][0], order, made.pop()[2] + blocks
        made.append((pa, order, blocks))
    return made


def runs_of(
    bitmaps: tuple[Bitmap, ...] | list[Bitmap], page_size: int, order: Literal["little", "big"] = "little"
) -> list[tuple[int, int, int]]:
    """(address, order, blocks) of everything that is set."""
    found = []
    for each in bitmaps:
        found += [(each.pa + first * (page_size << each.order), each.order, end - first) for first, end in each.runs(order)]
    return merged(found, page_size)


def ascending(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """In one order for both: Python goes through the first leaf from the highest order down, C by key."""
    return sorted(runs, key=lambda run: (-run[1], run[0]))


def same(reader: Reader, name: str, root: int, pages: dict[int, bytes], shape: RadixShape) -> str:
    """The rule of the first fault, which Python finds at the same pointer; without one, the blocks are the same too."""
    memory = PhysMemory([MemoryRegion(pa, len(data), memoryview(data)) for pa, data in pages.items()])
    walked = walk(memory, root, shape, "little")
    verdict, runs = reader.map(name, root, pages)
    if not walked.problems:
        assert ("fine", 0, "") == verdict
        assert ascending(runs_of(walked.bitmaps, shape.page_size)) == ascending(runs)
        return "fine"
    first = walked.problems[0]
    assert (RULE[first.code], first.pa) == verdict[:2]
    ended, _ = reader.map(name, root, pages, seen=False)
    assert ended == verdict or first.code == "visited-twice"
    return verdict[0]


def tree(ranges: list[tuple[int, int]], shape: RadixShape, at: int, draw: random.Random) -> tuple[int, dict[int, bytes]]:
    """The pages of a radix tree, shuffled over memory from ``at`` on."""
    runs = cut(ranges, shape.page_size)
    needed, _ = build(runs, shape, [], "little")
    places = [at + n * shape.page_size for n in range(needed)]
    draw.shuffle(places)
    _, data = build(runs, shape, places, "little")
    return places[0], {pa: bytes(data[n * shape.page_size : (n + 1) * shape.page_size]) for n, pa in enumerate(places)}


def drawn(draw: random.Random, page: int) -> list[tuple[int, int]]:
    """Ranges of all sizes, here and there."""
    ranges, at = [], draw.randrange(4) * page
    for _ in range(draw.randrange(1, 12)):
        size = page * draw.choice([1, 2, 3, 63, 64, 65, 512, 1 << draw.randrange(20)])
        ranges.append((at, size))
        at += size + page * draw.choice([1, 1, 5, 511, 4096, 1 << draw.randrange(24)])
    return ranges


@pytest.mark.parametrize("seed", range(40))
def test_radix_trees(reader: Reader, seed: int) -> None:
    """Whole; then with words of tables and leaves turned into others: links to nowhere, to each other, to themselves, wide keys."""
    draw = random.Random(seed)
    shape = radix_shape(PAGE)
    root, pages = tree(drawn(draw, PAGE), shape, 0x100000, draw)
    assert "fine" == same(reader, "kho-v4", root, pages, shape)
    for _ in range(12):
        damaged = dict(pages)
        pa = draw.choice(sorted(pages))
        page = bytearray(pages[pa])
        at = 8 * draw.choice([0, draw.randrange(16), draw.randrange(512)])
        page[at : at + 8] = struct.pack("<Q", draw.choice([draw.choice(sorted(pages)), pa, pa + 8, 1 << 60, draw.getrandbits(64), 0]))
        damaged[pa] = bytes(page)
        if draw.randrange(8) == 0:
            del damaged[draw.choice(sorted(pages))]
        same(reader, "kho-v4", root, damaged, shape)


def test_orders_that_follow_each_other(reader: Reader) -> None:
    """A range of 4, 2 and 1 pages is three runs, though it has no gap; of 3 pages and 4 it is what it was cut to."""
    shape = radix_shape(PAGE)
    for size in (3, 7, 11):
        root, pages = tree([(0x40000000, size * PAGE)], shape, 0x100000, random.Random(1))
        assert "fine" == same(reader, "kho-v4", root, pages, shape)
        expected = [(run.pa, run.order, run.blocks) for run in cut([(0x40000000, size * PAGE)], PAGE)]
        assert expected == reader.map("kho-v4", root, pages)[1]
    needed, _ = build(inside := [Run(0x40000000, 1, 1), Run(0x40001000, 1, 0)], shape, [], "little")
    _, data = build(inside, shape, [0x100000 + n * PAGE for n in range(needed)], "little")
    pages = {0x100000 + n * PAGE: bytes(data[n * PAGE : (n + 1) * PAGE]) for n in range(needed)}
    assert [(0x40000000, 1, 1), (0x40001000, 0, 1)] == reader.map("kho-v4", 0x100000, pages)[1]


def test_every_bit_of_the_way_to_a_leaf(reader: Reader) -> None:
    """One block: each bit of each pointer, and each bit of the first and last words of the leaf."""
    shape = radix_shape(PAGE)
    root, pages = tree([(0x40000000, PAGE)], shape, 0x100000, random.Random(1))
    met = set()
    for pa, page in pages.items():
        words = {at for at in range(0, PAGE, 8) if page[at : at + 8] != bytes(8)} | {0, PAGE - 8}
        for at in sorted(words):
            for bit in range(0, 64, 3):
                turned = bytearray(page)
                turned[at + bit // 8] ^= 1 << bit % 8
                met.add(same(reader, "kho-v4", root, {**pages, pa: bytes(turned)}, shape))
    assert {"fine", "chain", "memory", "key"} <= met


def test_the_first_leaf_and_the_last_address(reader: Reader) -> None:
    """The orders that share the first leaf; key 0, which has none; blocks beyond the address space; a root that is none."""
    shape = radix_shape(PAGE)
    path = {0x1000 * n: struct.pack("<Q", 0x1000 * (n + 1)).ljust(PAGE, b"\0") for n in range(1, 6)}
    for words, expected in (((1,), "key"), ((2,), "address"), ((1 << 63,), "address"), ((0, 1 << 8), "address"), ((0, 0, 1), "address")):
        leaf = struct.pack(f"<{len(words)}Q", *words).ljust(PAGE, b"\0")
        assert expected == same(reader, "kho-v4", 0x1000, {**path, 0x6000: leaf}, shape)
    leaf = bytearray(PAGE)
    for bit in range(9, 15):
        leaf[1 << bit >> 3] |= 1
    assert "fine" == same(reader, "kho-v4", 0x1000, {**path, 0x6000: bytes(leaf)}, shape)
    assert (("fine", 0, ""), []) == reader.map("kho-v4", 0, {})
    assert ("memory", 0, "preserved_memory_map") == reader.map("kho-v4", 0x9000, path)[0]
    assert ("chain", 0, "preserved_memory_map") == reader.map("kho-v4", 0x1008, path)[0]


def test_a_map_that_is_its_own_ancestor(reader: Reader) -> None:
    """It ends without anybody to ask what was seen: all tables lead to the root, or to the one above."""
    for back in range(1, 5):
        pages = {0x1000 * n: struct.pack("<512Q", *([0x1000 * (n + 1)] * 512)) for n in range(1, 6)}
        pages[0x5000] = struct.pack("<512Q", *([0x1000 * back] * 512))
        assert ("cycle", 0x5000) == reader.map("kho-v4", 0x1000, pages, seen=False)[0][:2]


def test_two_depths(reader16: Reader) -> None:
    """16K pages: the tree of 7.1-rc1 is one level shorter than that of 7.1."""
    draw = random.Random(3)
    depths = set()
    for name in ("kho-v3@7.1-rc1", "kho-v3"):
        root_layout = reader16.layouts[name].root
        assert not isinstance(root_layout, str)
        target = root_layout.properties[0].target
        assert target is not None
        shape = radix_shape(16384, target.depth)
        depths.add(shape.depth)
        for _ in range(5):
            runs = [(pa, size) for pa, size in drawn(draw, 16384) if size >= 32768 and pa % 32768 == 0]
            root, pages = tree([(pa, size & -32768) for pa, size in runs], shape, 0x1000000, draw)
            assert "fine" == same(reader16, name, root, pages, shape)
    assert len(depths) == 2


def chunks(reader: Reader, name: str, draw: random.Random) -> tuple[dict[int, bytes], list[tuple[int, int, int]]]:
    """A chain of bitmaps: its pages, and what it says."""
    root = reader.layouts[name].root
    assert not isinstance(root, str)
    target = root.properties[0].target
    assert target is not None and target.size is not None
    pages, expected = {}, []
    at, count = 0x200000, draw.randrange(1, 4)
    for number in range(count):
        order, entries = draw.randrange(10), []
        for slot in range(draw.randrange(0, 4)):
            start = draw.randrange(1 << 20) * target.size * 8 * (PAGE << order) % (1 << 52)
            words = draw.getrandbits(target.size * 8) & draw.getrandbits(target.size * 8) if slot else (1 << target.size * 8) - 1
            data = words.to_bytes(target.size, "little")
            pages[at] = data.ljust(PAGE, b"\xff")
            entries += [start, at]
            expected += runs_of([Bitmap(memoryview(data), start, 0, target.size * 8, order)], PAGE)
            at += PAGE
        following = 0x100000 + (number + 1) * PAGE if number + 1 < count else 0
        head = struct.pack("<QII", following, order, len(entries) // 2) + struct.pack(f"<{len(entries)}Q", *entries)
        pages[0x100000 + number * PAGE] = head.ljust(PAGE, b"\0")
    return pages, merged(expected, PAGE)


@pytest.mark.parametrize("name", ["kho-v1@6.16", "kho-v1"])
def test_chunks(reader: Reader, name: str) -> None:
    """Bitmaps of 512 bytes and of a page; and each thing that may be wrong with them, at its place."""
    for seed in range(30):
        pages, expected = chunks(reader, name, random.Random(seed))
        assert (("fine", 0, ""), expected) == reader.map(name, 0x100000, pages)
        assert (("fine", 0, ""), expected) == reader.map(name, 0x100000, pages, seen=False)
    bitmap = bytes(PAGE)

    def verdict(head: bytes, *, seen: bool = True, root: int = 0x1000) -> tuple[str, int]:
        return reader.map(name, root, {0x1000: head.ljust(PAGE, b"\0"), 0x2000: bitmap}, seen=seen)[0][:2]

    entry = struct.pack("<QQ", 0, 0x2000)
    assert ("fine", 0) == verdict(struct.pack("<QII", 0, 0, 1) + entry) == verdict(struct.pack("<QII", 0, 9, 0))
    assert ("fine", 0) == verdict(struct.pack("<QII", 0, 0, 255) + entry * 255)
    assert ("chain", 0x1008) == verdict(struct.pack("<QII", 0, 0, 256) + entry * 255) == verdict(struct.pack("<QII", 0, 53, 0))
    assert ("address", 0x1010) == verdict(struct.pack("<QIIQQ", 0, 0, 1, 8, 0x2000)) == verdict(struct.pack("<QII", 0, 52, 1) + entry)
    assert ("address", 0x1010) == verdict(struct.pack("<QIIQQ", 0, 0, 1, (1 << 56) - PAGE, 0x2000))
    assert ("memory", 0x1018) == verdict(struct.pack("<QIIQQ", 0, 0, 1, 0, 0)) == verdict(struct.pack("<QIIQQ", 0, 0, 1, 0, 0x9000))
    assert ("address", 0x1010) == verdict(struct.pack("<QIIQQ", 0, 0, 1, 1 << 57, 0x2000))
    nothing = {0: bitmap, 0x1000: struct.pack("<QIIQQ", 0, 0, 1, 0, 0).ljust(PAGE, b"\0")}
    assert ("memory", 0x1018) == reader.map(name, 0x1000, nothing)[0][:2]
    assert ("memory", 0x1000) == verdict(struct.pack("<QII", 0x9000, 0, 0))
    assert ("chain", 0x1000) == verdict(struct.pack("<QII", 0x1008, 0, 0))
    assert ("cycle", 0x1000) == verdict(struct.pack("<QII", 0x1000, 0, 0)) == verdict(struct.pack("<QII", 0x1000, 0, 0), seen=False)
    assert ("chain", 0) == verdict(b"", root=0x1008)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 20])
def test_chunks_that_come_back(reader: Reader, length: int) -> None:
    """To each of their pages, whoever is asked what was seen."""
    for back in range(length):
        pages = {0x1000 * (n + 1): struct.pack("<QII", 0x1000 * (n + 2), 0, 0).ljust(PAGE, b"\0") for n in range(length)}
        pages[0x1000 * length] = struct.pack("<QII", 0x1000 * (back + 1), 0, 0).ljust(PAGE, b"\0")
        for seen in (True, False):
            assert "cycle" == reader.map("kho-v1", 0x1000, pages, seen=seen)[0][0]


def test_the_limits_of_a_map(tmp_path: Path) -> None:
    """As many pages of a tree, and of a chain, as are allowed; one more. The limits are those of a build that says so."""
    few = Reader(tmp_path, ["kho-v1", "kho-v4"], flags=("-DDEVSTATE_NODES_MAX=7U", "-DDEVSTATE_CHUNKS_MAX=3U"))
    shape = radix_shape(PAGE)
    way = {0x1000 * n: struct.pack("<Q", 0x1000 * (n + 1)).ljust(PAGE, b"\0") for n in range(1, 6)}
    leaf = struct.pack("<Q", 0).ljust(PAGE, b"\0")
    for leaves, expected in ((1, "fine"), (2, "fine"), (3, "limit")):
        table = struct.pack(f"<{leaves}Q", *(0x6000 + 0x1000 * n for n in range(leaves))).ljust(PAGE, b"\0")
        pages = {**way, 0x5000: table, **{0x6000 + 0x1000 * n: leaf for n in range(leaves)}}
        verdict, _ = few.map("kho-v4", 0x1000, pages, seen=False)
        assert (expected, 0x5010 if expected == "limit" else 0) == verdict[:2]
    for length, expected in ((3, "fine"), (4, "limit")):
        pages = {0x1000 * (n + 1): struct.pack("<QII", 0x1000 * (n + 2) * (n + 1 < length), 0, 0).ljust(PAGE, b"\0") for n in range(length)}
        assert expected == few.map("kho-v1", 0x1000, pages, seen=False)[0][0]
    assert shape.depth == 6
    assert few.close() == 0


def test_real_maps(reader: Reader, any_captures: Path) -> None:
    """Every capture: the pages of the map as Python names them are all that C asks for, and the ranges are the same."""
    met = []
    for path in sorted(any_captures.glob("*.core.zst")) + sorted((any_captures / "tampered").glob("*.core.zst")):
        handover = open_handover(open_input(str(path)))
        memory = handover.memory
        if handover.preserved is None or memory is None or handover.memory_map_pa is None:
            continue
        found = handover.preserved.map
        pages = {pa: bytes(memory.read(pa, PAGE)) for pa in found.node_pages.tolist()}
        met.append(same(reader, "kho-v4", handover.memory_map_pa, pages, radix_shape(PAGE)))
        if met[-1] == "fine":
            _, runs = reader.map("kho-v4", handover.memory_map_pa, pages)
            assert found.orders == {order: sum(run[2] for run in runs if run[1] == order) for order in {run[1] for run in runs}}
    assert "fine" in met


def test_a_tree_of_values(prover: Prover) -> None:
    """kho-xarray: six levels down and back; a link to nowhere, to no page, to itself; no value anywhere."""
    layout = layouts_of("kho-xarray")[0]
    names = [struct.name for struct in layout.structs]
    assert "kho_xarray" in names

    def verdict(root: int, words: list[int]) -> tuple[str, int]:
        pages = b"".join(struct.pack("<Q", word).rjust(8 * (n + 1), b"\0").ljust(PAGE, b"\0") for n, word in enumerate(words))
        record = encode(layout, {"root": root}, "kho_xarray")
        return prover.verdict((layout.name, "kho_xarray"), GO, struct.pack("<Q", len(record)) + record + pages, 0)[0]

    way = [FIRST + PAGE * n for n in range(1, 6)]
    assert ("fine", 0) == verdict(FIRST, [*way, 7]) == verdict(0, [])
    assert ("memory", FIRST + 3 * PAGE + 24) == verdict(FIRST, [*way[:3], 1 << 40, 0, 0])
    assert ("chain", FIRST + 3 * PAGE + 24) == verdict(FIRST, [*way[:3], FIRST + 8, 0, 0])
    assert ("cycle", FIRST + 3 * PAGE + 24) == verdict(FIRST, [*way[:3], FIRST, 0, 0])
    assert ("memory", 0) == verdict(1 << 40, [*way, 7])


def test_runs_are_of_the_registry() -> None:
    """The depth of each tree in C is that of the layout."""
    for name in FORMATS[2:]:
        for layout in layouts_of(name, Registry.shipped()):
            assert not isinstance(layout.root, str)
            target = layout.root.properties[0].target
            assert target is not None
            assert radix_shape(layout.environment.page_size).depth == target.depth
    assert cut([(0, PAGE)], PAGE) == [Run(0, 1, 0)]
