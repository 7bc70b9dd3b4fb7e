# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the generated C finds behind links: chains, arrays, areas, page lists and single structs in a few pages, whole and damaged.

The oracle here is written from the conventions alone, slowly, with a set of the pages that were visited.
"""

from __future__ import annotations

import random
import struct

import pytest

from devstate.codec.encode import encode
from devstate.codec.validate import first_fault
from devstate.layout.model import Layout
from devstate.testing.prover import FINE, GO, Prover, Verdict, layouts_of
from devstate.testing.sweep import flipped

PAGE = 4096
FIRST = PAGE
"""Where the pages of a request begin."""


class Memory:
    """A few pages from FIRST on."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def at(self, pa: int, size: int) -> bytes | None:
        """The bytes there, if all of them are."""
        start = pa - FIRST
        return self.data[start : start + size] if 0 <= start <= len(self.data) - size else None


def entry_fault(layout: Layout, entry: str, data: bytes) -> Verdict:
    """The verdict on the first bad entry of an array; its offset is from the start of the array."""
    size = layout.struct(entry).size
    for index in range(len(data) // size):
        fault = first_fault(layout, data[index * size : (index + 1) * size], entry)
        if fault is not None:
            return fault.rule, fault.offset + index * size
    return FINE


def chain(layout: Layout, memory: Memory, pa: int, entry: str, total: int | None, counted_at: int) -> Verdict:
    """kho_block: what a reader may take."""
    size, seen, found = layout.struct(entry).size, set(), 0
    while pa:
        if pa % PAGE:
            return "chain", 0
        page = memory.at(pa, PAGE)
        if page is None and pa not in seen:
            return "memory", 0
        if pa in seen:
            return "cycle", 0
        seen.add(pa)
        assert page is not None
        following, count = struct.unpack_from("<QQ", page)
        if not 1 <= count <= (PAGE - 16) // size:
            return "chain", 8
        verdict = entry_fault(layout, entry, page[16 : 16 + count * size])
        if verdict != FINE:
            return verdict
        found, pa = found + count, following
    return FINE if total is None or total == found else ("count", counted_at)


def ask(prover: Prover, layout: Layout, shape: str, which: int, record: bytes, memory: bytes) -> Verdict:
    """What the generated C says about a link."""
    return prover.verdict((layout.name, shape), GO, struct.pack("<Q", len(record)) + record + memory, which)[0]


def file(token: int) -> dict[str, object]:
    """A luo_file_ser."""
    return {"compatible": b"memfd-v2".ljust(48, b"\0"), "data": 0x1000, "token": token}


def files_chain(layout: Layout, counts: list[int]) -> bytes:
    """Pages of files, each leading to the next."""
    pages = []
    for number, count in enumerate(counts):
        following = FIRST + (number + 1) * PAGE if number + 1 < len(counts) else 0
        entries = b"".join(encode(layout, file(token), "luo_file_ser") for token in range(count))
        pages.append((struct.pack("<QQ", following, count) + entries).ljust(PAGE, b"\0"))
    return b"".join(pages)


def test_a_chain_of_blocks(prover: Prover) -> None:
    """Every bit of the headers and of a text's end, of the first bytes of entries, and the total: C and the oracle say the same."""
    layout = layouts_of("luo-v5")[0]
    shape = layout.struct("luo_file_set_ser")
    pages = files_chain(layout, [63, 1, 5])
    record = encode(layout, {"files": FIRST, "count": 69}, "luo_file_set_ser")
    counted = shape.field("count").offset
    assert FINE == ask(prover, layout, "luo_file_set_ser", 0, record, pages)
    assert FINE == chain(layout, Memory(pages), FIRST, "luo_file_ser", 69, counted)
    bits = [page * PAGE * 8 + bit for page in range(3) for bit in range(128)]
    bits += [8 * (16 + 64 * entry + byte) for entry in range(3) for byte in range(64)]
    for bit in bits:
        damaged = flipped(pages, bit)
        expected = chain(layout, Memory(damaged), FIRST, "luo_file_ser", 69, counted)
        assert expected == ask(prover, layout, "luo_file_set_ser", 0, record, damaged)
    unended = pages[:16] + b"x" * 48 + pages[64:]
    assert ("text", 0) == ask(prover, layout, "luo_file_set_ser", 0, record, unended)
    for start, count in ((0, 0), (0, 69), (FIRST, 68), (FIRST + 8, 69), (FIRST + PAGE, 6), (FIRST + 3 * PAGE, 69), (1 << 63, 69)):
        record = encode(layout, {"files": start, "count": count}, "luo_file_set_ser")
        expected = chain(layout, Memory(pages), start, "luo_file_ser", count, counted)
        assert expected == ask(prover, layout, "luo_file_set_ser", 0, record, pages)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9, 40])
def test_chains_that_come_back(prover: Prover, length: int) -> None:
    """To each of their blocks: it ends as a cycle, wherever the mark stands at that time."""
    layout = layouts_of("luo-v5")[0]
    record = encode(layout, {"files": FIRST, "count": length}, "luo_file_set_ser")
    pages = files_chain(layout, [1] * length)
    for back in range(length):
        last = (length - 1) * PAGE
        looped = pages[:last] + struct.pack("<Q", FIRST + back * PAGE) + pages[last + 8 :]
        assert ("cycle", 0) == ask(prover, layout, "luo_file_set_ser", 0, record, looped)


def test_the_limit_of_a_chain(prover: Prover) -> None:
    """10000 blocks are taken, one more is not."""
    layout = layouts_of("luo-v5")[0]
    for length, expected in ((10000, FINE), (10001, ("limit", 0))):
        record = encode(layout, {"files": FIRST, "count": length}, "luo_file_set_ser")
        assert expected == ask(prover, layout, "luo_file_set_ser", 0, record, files_chain(layout, [1] * length))


def test_an_array_and_a_counted_area(prover: Prover) -> None:
    """luo-v1's files: as many as its area holds, and not one more. luo-v5's FLBs: a header that counts itself."""
    layout = layouts_of("luo-v1")[0]
    pages = b"".join(encode(layout, file(token), "luo_file_ser") for token in range(128))
    for count, size, expected in ((128, 8192, FINE), (129, 8256, ("limit", 8)), (128, 8191, ("memory", 0)), (0, 0, FINE)):
        record = encode(layout, {"files": FIRST, "count": count}, "luo_file_set_ser")
        assert expected == ask(prover, layout, "luo_file_set_ser", 0, record, (pages + pages)[:size])
    record = encode(layout, {"files": 0, "count": 1}, "luo_file_set_ser")
    assert ("memory", 0) == ask(prover, layout, "luo_file_set_ser", 0, record, pages)
    layout = layouts_of("luo-v5")[0]
    record = encode(layout, {"compatible": b"luo-v5\0\0", "liveupdate_num": 1, "sessions_pa": 0, "flbs_pa": FIRST}, "luo_ser")
    for count, expected in ((0, FINE), (63, FINE), (64, ("truncated", 16)), (1 << 63, ("truncated", 16))):
        flb = encode(layout, {"name": b"a".ljust(48, b"\0"), "data": 0, "count": 1}, "luo_flb_ser")
        page = (struct.pack("<QQ", 1, count) + flb * 63).ljust(PAGE, b"\0")
        assert expected == ask(prover, layout, "luo_ser", 1, record, page)
    flb = encode(layout, {"name": b"a".ljust(48, b"\0"), "data": 0, "count": 0}, "luo_flb_ser")
    page = (struct.pack("<QQ", 1, 2) + (flb[:-8] + b"\1" + flb[-7:]) + flb).ljust(PAGE, b"\0")
    assert ("range", 16 + 64 + 56) == ask(prover, layout, "luo_ser", 1, record, page)


def folio_area(counts: list[int], order: int, shuffled: random.Random) -> tuple[bytes, int, int]:
    """Pages with a page list of len(counts) list pages and its blocks, filled with folios: (memory, first, blocks)."""
    size, blocks = PAGE << order, sum(counts)
    places = list(range(blocks))
    shuffled.shuffle(places)
    base = -(-len(counts) * PAGE // size) * size
    memory = bytearray(base + blocks * size)
    used = 0
    for number, count in enumerate(counts):
        words = [FIRST + (number + 1) * PAGE if number + 1 < len(counts) else 0]
        words += [FIRST + base + place * size for place in places[used : used + count]]
        memory[number * PAGE : number * PAGE + 8 * len(words)] = struct.pack(f"<{len(words)}Q", *words)
        used += count
    for index in range(blocks * size // 16):
        place = base + places[index * 16 // size] * size + index * 16 % size
        memory[place : place + 16] = struct.pack("<QQ", (3 << 52) | index, index)
    return bytes(memory), FIRST, blocks


@pytest.mark.parametrize("order", [0, 1])
def test_a_page_list(prover: Prover, order: int) -> None:
    """memfd's folios: in order over blocks and list pages; too few blocks, a list that comes back, an unknown flag in a late folio."""
    layout = layouts_of("memfd-v2")[0]
    memory, first, blocks = folio_area([2, 1, 3], order, random.Random(order))
    most = blocks * (PAGE << order) // 16

    def verdict(memory: bytes, count: int, pages: int = blocks << order) -> Verdict:
        folios = {"first": first, "total_pages": pages, "flags": 0, "order": order}
        values = {"pos": 0, "size": 0, "seals": 0, "flags": 0, "nr_folios": count, "folios": folios}
        return ask(prover, layout, "memfd_luo_ser", 0, encode(layout, values, "memfd_luo_ser"), memory)

    assert [FINE, FINE, FINE] == [verdict(memory, count) for count in (0, 1, most)]
    assert ("count", 0) == verdict(memory, most + 1) == verdict(memory, 1 << 63) == verdict(memory, most, pages=(blocks - 1) << order)
    assert ("memory", 16) == verdict(memory[:16] + struct.pack("<Q", 1 << 40) + memory[24:], most)
    assert ("chain", 8) == verdict(memory[:8] + struct.pack("<Q", FIRST + 8) + memory[16:], most)
    empty = bytearray(memory)
    for number in range(3):
        empty[number * PAGE + 8 : (number + 1) * PAGE] = bytes(PAGE - 8)
    empty[2 * PAGE : 2 * PAGE + 8] = struct.pack("<Q", FIRST)
    assert ("cycle", 0) == verdict(bytes(empty), most)
    at = memory.index(struct.pack("<QQ", (3 << 52) | (most - 1), most - 1))
    assert ("flags", 0) == verdict(flipped(memory, 8 * at + 63), most)
    assert FINE == verdict(flipped(memory, 8 * at + 63), most - 1)
