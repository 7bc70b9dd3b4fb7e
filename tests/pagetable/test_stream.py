# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Trees of tables as a stream, and back: of real kernels, built ones, wild ones; damage of every kind; other places; threads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import DecodeError, EncodeError, LimitError, NotInMemoryError, TruncatedError, UsageError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.arena import Arena
from devstate.pagetable import native
from devstate.pagetable.build import build
from devstate.pagetable.example import guest
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.pack import Pages, pack
from devstate.pagetable.stream import HEADER_SIZE, NO_LEVEL, PAGE, TRAILER_SIZE, Header, Totals
from devstate.pagetable.table import PageTable
from devstate.pagetable.unpack import unpack

from .tables import CAPTURES, real_domains
from .wild_tables import wild_table

FAR = 0x40_0000_0000
"""Where a second arena is."""


def packed(what: PageTable | Pages, *, jobs: int = 1, partial: bool = False) -> bytes:
    """The stream of a tree, or of pages."""
    out = io.BytesIO()
    totals = pack(what, out, jobs=jobs, partial=partial)
    assert len(out.getvalue()) == totals.size
    return out.getvalue()


def table_bytes(table: PageTable) -> dict[int, bytes]:
    """The bytes of every table, by address."""
    return {
        pa: bytes(table.memory.read(pa, 8 * table.entries(level))) for level, pas in table.table_pages().items() for pa in pas
    }


def small_table(arena: Arena | None = None) -> PageTable:
    """A tree of few tables with leaves of two sizes."""
    mappings = [Mapping(0, 0x100_0000, 0x9000, 3), Mapping(0x20_0000, 0x8000_0000, 0x20_0000, 3), Mapping(0x4000_0000, 0x7000, 0x3000, 1)]
    return build(arena or Arena(), "vtd-second-stage", mappings, 3)


def plain_pages(count: int) -> Pages:
    """Pages of runs, every other address."""
    pas = [n * 2 * PAGE for n in range(1, count + 1)]
    words = [[(pa << 16) + (n << 12) + 3 for n in range(512)] for pa in pas]
    data = [b"".join(word.to_bytes(8, "little") for word in each) for each in words]
    return Pages(PhysMemory([MemoryRegion(pa, PAGE, memoryview(each)) for pa, each in zip(pas, data, strict=True)]), pas)


def room_for(pages: Pages) -> PhysMemory:
    """Memory of zeros at the addresses of pages."""
    return PhysMemory([MemoryRegion(pa, PAGE, memoryview(bytearray(PAGE))) for pa in pages.addresses])


def chunks_of(stream: bytes) -> list[tuple[int, int]]:
    """(start, end) of every chunk."""
    found, at = [], HEADER_SIZE
    while at < len(stream) - TRAILER_SIZE:
        found.append((at, at + 32 + int.from_bytes(stream[at + 16 : at + 20], "little")))
        at = found[-1][1]
    return found


@pytest.mark.parametrize("name", CAPTURES)
def test_real_tables_come_back(core: str, shipped: Path, name: str) -> None:
    """Bit-identical at the same addresses, and as the same stream again; moved, they map the same."""
    for table, _ in real_domains(shipped, name):
        stream = packed(table)
        arena = Arena()
        result = unpack(stream, arena)
        again = result.header.table(arena.view())
        assert table_bytes(table) == table_bytes(again)
        assert stream == packed(again)
        assert result.levels == tuple(
            len(table.table_pages().get(level, ())) * max(8 * table.entries(level) // PAGE, 1) if level < table.levels else 0
            for level in range(8)
        )
        elsewhere = Arena(FAR, 1 << 30)
        moved = unpack(stream, elsewhere, relocate=FAR)
        walk = moved.header.table(elsewhere.view(), moved.top_table).walk()
        assert (0, table.walk().mappings, table.walk().leaves) == (walk.problem_count, walk.mappings, walk.leaves)


@given(st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_wild_tables_come_back(core: str, seed: int) -> None:
    """What can be packed comes back, whatever is in the tables; the rest is refused with a reason."""
    table = wild_table(seed)
    try:
        stream = packed(table, partial=True)
    except EncodeError:
        return
    target = PhysMemory([MemoryRegion(each.start, each.size, memoryview(bytearray(each.size))) for each in table.memory.regions])
    result = unpack(stream, target)
    again = PageTable(target, table.format, table.top_table, table.levels, top_entries=table.top_entries)
    assert table_bytes(table) == table_bytes(again)
    assert stream == packed(result.header.table(target), partial=True)


def test_the_core_and_plain_python_write_the_same(core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole guest, dirty bits and all; and read the same."""
    table = build(Arena(1 << 36), "vtd-first-stage", list(guest(4096, 0))[::7], 4)
    stream = packed(table)
    assert stream == packed(table, jobs=3)
    monkeypatch.setattr(native, "BUILT", False)
    assert stream == packed(table)
    arena, elsewhere = Arena(1 << 36), Arena(FAR, 1 << 30)
    assert table_bytes(table) == table_bytes(unpack(stream, arena).header.table(arena.view()))
    moved = unpack(stream, elsewhere, relocate=FAR)
    assert table.walk().mappings == moved.header.table(elsewhere.view(), moved.top_table).walk().mappings


def test_the_size_of_a_guest() -> None:
    """A realistic guest's tables are a small part of what they were."""
    table = build(Arena(1 << 36), "vtd-second-stage", guest(4096, 0), 4)
    assert len(packed(table)) < 0.2 * sum(map(len, table_bytes(table).values()))


# ---- the frame ----


def test_header_and_trailer(core: str) -> None:
    """As the document says, byte by byte."""
    table = small_table(Arena(0x1000_0000))
    stream = packed(table)
    crc = native.crc32c(stream[:60]).to_bytes(4, "little")
    top = table.top_table.to_bytes(8, "little")
    head = [b"ds-pages", b"\1\0", b"\x40\0", b"\3", b"\x0c", b"\x0c", b"\0", b"vtd-second-stage".ljust(24, b"\0"), top, b"\0\2\0\0"]
    assert b"".join(head) + bytes(8) + crc == stream[:64]
    assert Header(3, 12, False, "vtd-second-stage", table.top_table, 512) == Header.decode(stream, "x")
    (start, end), *more = chunks_of(stream)
    assert [] == more
    count = sum(map(len, table.table_pages().values()))
    chunk = stream[start:end]
    assert (b"chnk", bytes(4), count) == (chunk[:4], chunk[4:8], int.from_bytes(chunk[20:22], "little"))
    assert native.crc32c(chunk[32:]) == int.from_bytes(chunk[24:28], "little")
    assert native.crc32c(chunk[:28]) == int.from_bytes(chunk[28:32], "little")
    totals = Totals.decode(stream[end:], "x", end)
    by_level = table.table_pages()
    chain = native.crc32c(stream[60:64] + chunk[28:32])
    assert Totals(1, count, len(stream), (*(len(by_level.get(n, ())) for n in range(8)),), chain) == totals


def test_no_pages_at_all(core: str) -> None:
    """A stream without chunks is one."""
    nothing = Pages(PhysMemory([]), [])
    stream = packed(nothing)
    assert HEADER_SIZE + TRAILER_SIZE == len(stream)
    result = unpack(stream, PhysMemory([]))
    assert (0, Header()) == (result.pages, result.header)
    with pytest.raises(UsageError, match="no known tree"):
        result.header.table(PhysMemory([]))


def test_a_top_table_inside_a_page(core: str) -> None:
    """Only the table is packed and written: what else is in its page stays as it is."""
    data = bytearray(b"\xff" * PAGE)
    data[0x400:0x800] = bytes(0x400)
    data[0x408:0x410] = (0x5000_0003).to_bytes(8, "little")
    memory = PhysMemory([MemoryRegion(0x2000_0000, PAGE, memoryview(data))])
    table = PageTable(memory, "arm-lpae-s1", 0x2000_0400, 3, top_entries=128)
    stream = packed(table, partial=True)
    target = PhysMemory([MemoryRegion(0x2000_0400, 0x400, memoryview(bytearray(0x400)))])
    unpack(stream, target)
    assert bytes(data[0x400:0x800]) == bytes(target.read(0x2000_0400, 0x400))
    around = PhysMemory([MemoryRegion(0x2000_0000, PAGE, memoryview(bytearray(b"\xee" * PAGE)))])
    unpack(stream, around)
    assert b"\xee" * 0x400 + bytes(data[0x400:0x800]) + b"\xee" * 0x800 == bytes(around.read(0x2000_0000, PAGE))


# ---- what pack refuses ----


def test_a_table_that_is_not_there(core: str) -> None:
    """An error with the entry that leads to it; with partial the rest is packed."""
    table = small_table()
    leaf = table.table_pages()[0][0]
    regions = [
        MemoryRegion(pa, PAGE, table.memory.read(pa, PAGE)) for pas in table.table_pages().values() for pa in pas if pa != leaf
    ]
    reduced = PageTable(PhysMemory(regions), table.format, table.top_table, table.levels)
    with pytest.raises(NotInMemoryError, match="a table is not in the capture") as caught:
        packed(reduced)
    assert caught.value.pa is not None
    assert leaf == int.from_bytes(table.memory.read(caught.value.pa, 8), "little") & ~0xFFF
    arena = Arena()
    assert len(regions) == unpack(packed(reduced, partial=True), arena).pages
    with pytest.raises(NotInMemoryError, match="the top table"):
        packed(PageTable(PhysMemory([]), table.format, table.top_table, table.levels))
    with pytest.raises(NotInMemoryError, match="a page is not in the memory"):
        packed(Pages(PhysMemory([]), [PAGE]))


@pytest.mark.parametrize(
    ("addresses", "message"),
    [([PAGE, PAGE], "a page is of two tables"), ([1 << 56], "beyond 56 bits"), ([8], "multiples of 4096")],
    ids=["twice", "beyond", "crooked"],
)
def test_pages_that_are_none(core: str, addresses: list[int], message: str) -> None:
    """Each with its reason; the last address that there is, is fine."""
    memory = PhysMemory([MemoryRegion(0, 4 * PAGE, memoryview(bytearray(4 * PAGE)))])
    with pytest.raises(EncodeError, match=message):
        packed(Pages(memory, addresses))
    last = PhysMemory([MemoryRegion((1 << 56) - PAGE, PAGE, memoryview(bytearray(PAGE)))])
    assert packed(Pages(last, [(1 << 56) - PAGE]))


# ---- damage ----


def edited(stream: bytes, at: int, mask: int) -> bytes:
    """One byte changed."""
    data = bytearray(stream)
    data[at] ^= mask
    return bytes(data)


def prefixes(stream: bytes) -> Iterator[bytes]:
    """All of them but the whole."""
    return (stream[:size] for size in range(len(stream)))


def test_every_prefix_is_refused(core: str) -> None:
    """Of a small tree: with an error that has a place, and as a file too."""
    stream = packed(small_table())
    for prefix in prefixes(stream):
        with pytest.raises(DecodeError) as caught:
            unpack(prefix, Arena())
        assert caught.value.offset is not None
    with pytest.raises(TruncatedError):
        unpack(io.BytesIO(stream[:-1]), Arena())
    with pytest.raises(DecodeError, match="more after the trailer"):
        unpack(stream + b"\0", Arena())


def test_every_bit_flip_is_refused(core: str) -> None:
    """Nothing is taken for something else: all of it is under a sum."""
    stream = packed(small_table())
    for bit in range(8 * len(stream)):
        with pytest.raises(DecodeError):
            unpack(edited(stream, bit // 8, 1 << bit % 8), Arena())


@pytest.mark.parametrize("built", [True, False], ids=["core", "plain"])
def test_a_damaged_chunk_is_named_and_the_others_are_used(monkeypatch: pytest.MonkeyPatch, built: bool) -> None:
    """Its body, its header, its end: what is lost is one chunk."""
    pages = plain_pages(600)
    stream = packed(pages)
    chunks = chunks_of(stream)
    monkeypatch.setattr(native, "BUILT", native.BUILT and built)
    assert 3 == len(chunks)
    body = "chunk 1, of 256 pages from 0x202000 on, is damaged"
    for at, what in ((chunks[1][0] + 40, body), (chunks[1][0] + 17, "the header of chunk 1")):
        broken = edited(stream, at, 0x10)
        with pytest.raises(DecodeError, match=what):
            unpack(broken, room_for(pages))
        for jobs, taken in ((1, broken), (2, broken), (1, io.BytesIO(broken))):
            target = room_for(pages)
            result = unpack(taken, target, partial=True, jobs=jobs)
            assert 600 - 256 == result.pages
            assert what in str(result.damaged[0])
            assert "256 of 600 pages are not there" in str(result.damaged[-1])
            for n, pa in enumerate(pages.addresses):
                expected = bytes(PAGE) if 256 <= n < 512 else bytes(pages.memory.read(pa, PAGE))
                assert expected == bytes(target.read(pa, PAGE))
    lost = stream[: chunks[0][1]] + stream[chunks[1][1] :]
    with pytest.raises(DecodeError, match="expected chunk 1; found chunk 2"):
        unpack(lost, room_for(pages))
    assert 600 - 256 == unpack(lost, room_for(pages), partial=True).pages
    assert 256 == unpack(stream[: chunks[1][0] + 100], room_for(pages), partial=True).pages


def test_chunks_of_another_stream(core: str) -> None:
    """Whole chunks in another order, or of another stream, are not taken."""
    pages = plain_pages(600)
    stream = packed(pages)
    first, second, third = chunks_of(stream)
    swapped = stream[:64] + stream[second[0] : second[1]] + stream[first[0] : first[1]] + stream[third[0] :]
    with pytest.raises(DecodeError, match="expected chunk 0; found chunk 1"):
        unpack(swapped, room_for(pages))
    other = packed(Pages(PhysMemory([MemoryRegion(pa, PAGE, memoryview(bytes(PAGE))) for pa in pages.addresses]), pages.addresses))
    mixed = stream[: third[0]] + other[chunks_of(other)[2][0] : -TRAILER_SIZE] + stream[-TRAILER_SIZE:]
    with pytest.raises(DecodeError, match="the trailer counts other"):
        unpack(mixed, room_for(pages))


def resealed(chunk: bytes, at: int, value: int, size: int) -> bytes:
    """A chunk with a field changed and its sums made right again."""
    data = bytearray(chunk)
    data[at : at + size] = value.to_bytes(size, "little")
    data[24:28] = native.crc32c(data[32:]).to_bytes(4, "little")
    data[28:32] = native.crc32c(data[:28]).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("built", [True, False], ids=["core", "plain"])
@given(at=st.integers(8, 2000), value=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_forged_chunk(built: bool, at: int, value: int) -> None:
    """With right sums: it is refused, or decodes to pages; and nothing else is written. The core and plain Python agree."""
    pages = plain_pages(2)
    start, end = chunks_of(STREAM)[0]
    chunk = resealed(STREAM[start:end], 8 + at % (end - start - 8), value, 1)
    target = room_for(pages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "BUILT", native.BUILT and built)
        try:
            unpack(STREAM[:64] + chunk + STREAM[end:], target)
        except (DecodeError, EncodeError) as error:
            assert error.message
    assert 2 * PAGE == target.size


STREAM = packed(plain_pages(2))


def test_limits(core: str) -> None:
    """As many pages as the limit, and one more."""
    pages = plain_pages(3)
    stream = packed(pages)
    assert 3 == unpack(stream, room_for(pages), limit=3).pages
    with pytest.raises(LimitError, match="too many pages"):
        unpack(stream, room_for(pages), limit=2)


@pytest.mark.parametrize(
    ("at", "value", "size", "message"),
    [
        (8, 2, 2, "version"),
        (12, 9, 1, "fields of the header"),
        (13, 13, 1, "fields of the header"),
        (15, 2, 1, "fields of the header"),
        (48, 3, 4, "fields of the header"),
        (40, 0x1000_0010, 8, "fields of the header"),
        (52, 1, 1, "fields of the header"),
        (16, 0xFF, 1, "fields of the header"),
        (0, 0, 1, "no page-table stream"),
    ],
)
def test_headers_that_are_none(at: int, value: int, size: int, message: str) -> None:
    """Their sum is right, and yet."""
    data = bytearray(packed(small_table()))
    data[at : at + size] = value.to_bytes(size, "little")
    data[60:64] = native.crc32c(data[:60]).to_bytes(4, "little")
    with pytest.raises(DecodeError, match=message):
        unpack(data, Arena())


# ---- targets ----


def test_targets_that_cannot_take_the_pages(core: str) -> None:
    """Memory that is not there or cannot be written, an arena that has the pages already."""
    table = small_table()
    stream = packed(table)
    with pytest.raises(EncodeError, match="not in the memory"):
        unpack(stream, PhysMemory([]))
    with pytest.raises(EncodeError, match="cannot be written"):
        unpack(stream, table.memory)
    arena = Arena()
    arena.alloc(at=table.top_table)
    with pytest.raises(EncodeError, match="already taken"):
        unpack(stream, arena)


def test_moved_onto_given_pages(core: str) -> None:
    """One address for each page, in the order of the stream; entries keep all but the address of the table."""
    table = small_table()
    stream = packed(table)
    arena = Arena(FAR, 1 << 24)
    count = sum(map(len, table.table_pages().values()))
    given_pages = [arena.alloc() for _ in range(2 * count)][::-2]
    result = unpack(stream, arena, relocate=given_pages)
    old = sorted(pa for pas in table.table_pages().values() for pa in pas)
    assert given_pages[old.index(table.top_table)] == result.top_table
    moved = result.header.table(arena.view(), result.top_table)
    assert table.walk().mappings == moved.walk().mappings
    places = dict(zip(old, given_pages, strict=True))
    for level, pas in table.table_pages().items():
        for pa in pas:
            for n in range(512):
                was, now = table.memory.u64(pa + 8 * n), moved.memory.u64(places[pa] + 8 * n)
                target = was & table.format.table
                assert (was & ~target | places[target] if level and target in places and not was & 0x80 else was) == now


def test_bad_places(core: str) -> None:
    """Too few pages, twice the same, crooked ones, a table torn apart, and where no entry can lead."""
    table = small_table()
    stream = packed(table)
    pas = sorted(pa for pas in table.table_pages().values() for pa in pas)
    arena = Arena(FAR, 1 << 24)
    pages = [arena.alloc() for _ in pas]
    for given_pages, message in (
        (pages[:-1], "too few pages"),
        ([pages[0]] * len(pages), "each once"),
        ([page + 8 for page in pages], "each once"),
    ):
        with pytest.raises(EncodeError, match=message):
            unpack(stream, arena, relocate=given_pages)
    with pytest.raises(EncodeError, match="whole granules"):
        unpack(stream, arena, relocate=FAR + 8)
    high = Arena(1 << 55, 1 << 24)
    with pytest.raises(EncodeError, match="the format cannot say"):
        unpack(stream, high, relocate=1 << 55)


def test_the_pages_of_a_large_table_stay_together(core: str, shipped: Path) -> None:
    """64K tables, and a top table of eight pages, on pages that would tear them apart."""
    for table, truth in real_domains(shipped, "mod-formats"):
        if truth.get("granule", 4096) == 4096 and truth["top_table_entries"] <= 512:
            continue
        stream = packed(table)
        count = unpack(stream, Arena()).pages
        arena = Arena(FAR, 1 << 26)
        pages = [arena.alloc() for _ in range(2 * count)][::2]
        with pytest.raises(EncodeError, match="a table"):
            unpack(stream, arena, relocate=pages)


def test_a_pointer_to_a_table_that_was_left_out(core: str) -> None:
    """It cannot be moved: nobody knows where to."""
    table = small_table()
    leaf = table.table_pages()[0][0]
    regions = [
        MemoryRegion(pa, PAGE, table.memory.read(pa, PAGE)) for pas in table.table_pages().values() for pa in pas if pa != leaf
    ]
    stream = packed(PageTable(PhysMemory(regions), table.format, table.top_table, table.levels), partial=True)
    with pytest.raises(EncodeError, match="a pointer to a table that is not in the stream"):
        unpack(stream, Arena(FAR, 1 << 24), relocate=FAR)


def test_memory_that_the_core_cannot_see(core: str) -> None:
    """Regions that meet inside a page are packed all the same."""
    pages = plain_pages(300)
    whole = b"".join(bytes(pages.memory.read(pa, PAGE)) for pa in pages.addresses)
    half = len(whole) // 2 + 8
    split = [MemoryRegion(0, half, memoryview(whole[:half])), MemoryRegion(half, len(whole) - half, memoryview(whole[half:]))]
    joined = PhysMemory([MemoryRegion(0, len(whole), memoryview(whole))])
    places = range(0, len(whole), PAGE)
    assert packed(Pages(joined, places)) == packed(Pages(PhysMemory(split), places))


def test_levels_of_pages(core: str) -> None:
    """Pages of no tree are of no level."""
    pages = plain_pages(5)
    result = unpack(packed(pages), room_for(pages))
    assert (0,) * NO_LEVEL + (5,) == result.levels
