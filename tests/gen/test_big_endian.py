# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What generated C finds behind links where numbers are big-endian: as on every machine, integers are native to the kernel that wrote them.

Records are proven in test_proof.py; here are the walks: chains of blocks, maps of pages, and devicetrees, whose own words are big-endian
everywhere.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from devstate.codec.encode import encode
from devstate.gen.files import generate_all
from devstate.layout.model import Layout
from devstate.layout.registry import Registry
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.pagetable.radix import build, cut, radix_shape, walk
from devstate.testing.prover import BIG_ENDIAN, FINE, Prover, layouts_of
from devstate.testing.sweep import flipped
from tests.gen.builds import missing, provers
from tests.gen.reading import Reader
from tests.gen.test_maps import RULE, ascending, drawn, runs_of
from tests.gen.test_trees import ROOT
from tests.gen.test_trees import same as same_tree
from tests.gen.test_walks import FIRST, PAGE, ask, file

ORDER = "big"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A root of KHO with its map."""
    if missing(BIG_ENDIAN):
        pytest.skip(missing(BIG_ENDIAN))
    made = Reader(tmp_path_factory.mktemp("big"), ["kho-v4"], build=BIG_ENDIAN)
    yield made
    assert made.close() == 0


@pytest.fixture(scope="module")
def prover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """A format with a chain of blocks."""
    yield from provers(tmp_path_factory.mktemp("big"), BIG_ENDIAN, ["luo-v5"])


def test_a_chain_of_blocks(prover: Prover) -> None:
    """Two blocks of files; each bit of their headers turned over: it is followed and counted, or refused where Python would be."""
    layout = layouts_of("luo-v5", byte_order=ORDER)[0]

    def block(following: int, tokens: range) -> bytes:
        entries = b"".join(encode(layout, file(token), "luo_file_ser") for token in tokens)
        return (struct.pack(">QQ", following, len(tokens)) + entries).ljust(PAGE, b"\0")

    pages = block(FIRST + PAGE, range(63)) + block(0, range(2))
    record = encode(layout, {"files": FIRST, "count": 65}, "luo_file_set_ser")
    assert FINE == ask(prover, layout, "luo_file_set_ser", 0, record, pages)
    refused = {ask(prover, layout, "luo_file_set_ser", 0, record, flipped(pages, bit))[0] for bit in range(128)}
    assert {"chain", "memory", "count"} <= refused and "fine" not in refused
    short = encode(layout, {"files": FIRST, "count": 64}, "luo_file_set_ser")
    assert ("count", 8) == ask(prover, layout, "luo_file_set_ser", 0, short, pages)


@pytest.mark.parametrize("seed", range(4))
def test_a_map_of_pages(reader: Reader, seed: int) -> None:
    """Drawn and damaged radix trees: the blocks, or the first fault at the same pointer."""
    draw, shape = random.Random(seed), radix_shape(PAGE)
    runs = cut(drawn(draw, PAGE), PAGE)
    needed, _ = build(runs, shape, [], ORDER)
    places = [0x100000 + number * PAGE for number in range(needed)]
    _, data = build(runs, shape, places, ORDER)
    whole = {pa: bytes(data[number * PAGE : (number + 1) * PAGE]) for number, pa in enumerate(places)}
    for turned in (None, *(draw.randrange(8 * PAGE) for _ in range(20))):
        pages = dict(whole)
        if turned is not None:
            pa = draw.choice(places)
            pages[pa] = flipped(pages[pa], turned)
        walked = walk(PhysMemory([MemoryRegion(pa, PAGE, memoryview(page)) for pa, page in pages.items()]), places[0], shape, ORDER)
        verdict, found = reader.map("kho-v4", places[0], pages)
        if walked.problems:
            assert (RULE[walked.problems[0].code], walked.problems[0].pa) == verdict[:2]
        else:
            expected = [run for each in walked.bitmaps for run in runs_of([each], PAGE, ORDER)]
            assert (("fine", 0, ""), ascending(expected)) == (verdict, ascending(found))


def test_a_devicetree(reader: Reader) -> None:
    """Every bit and every tenth prefix of a root; its numbers are those of this byte order."""
    for bit in range(8 * len(ROOT)):
        same_tree(reader, "kho-v4", flipped(ROOT, bit))
    for end in range(0, len(ROOT), 10):
        same_tree(reader, "kho-v4", ROOT[:end])


def test_the_c_is_the_same() -> None:
    """One text for both: the order is that of the machine that compiles it."""

    def text(layouts: list[Layout]) -> dict[str, str]:
        return {name: each for name, each in generate_all(layouts).items() if name.endswith((".c", ".h"))}

    for name in list(Registry.shipped().summaries)[::6]:
        assert text(layouts_of(name)) == text(layouts_of(name, byte_order=ORDER))
