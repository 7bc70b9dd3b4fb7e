# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""PhysMemory: what is read is what is there, what is not there is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import ImageError, LimitError, NotInMemoryError
from devstate.memory import MemoryRegion, PhysAddr, PhysMemory, physmem


def region(start: int, data: bytes) -> MemoryRegion:
    return MemoryRegion(start, len(data), memoryview(data))


def memory(*pieces: tuple[int, bytes], **named: object) -> PhysMemory:
    return PhysMemory([region(start, data) for start, data in pieces], **named)  # type: ignore[arg-type]


THREE = ((0x1000, b"a" * 16), (0x1010, b"b" * 16), (0x2000, b"c" * 16))
"""Two regions that touch, and one apart."""


def test_read_inside_one_region_is_a_view() -> None:
    """No copy is made where one region holds everything: the view's base is the very buffer that was given."""
    backing = bytearray(b"0123456789abcdef")
    memory = PhysMemory([MemoryRegion(0x1000, 16, memoryview(backing))])
    view, whole = memory.read(0x1004, 4), memory.read(0x1000, 16)
    assert b"4567" == view
    backing[4] = ord("X")
    assert (b"X567", b"0123X56789abcdef") == (view, whole)


def test_read_across_a_seam_is_joined() -> None:
    """Adjacent regions read as one."""
    assert b"aabbb" == memory(*THREE).read(0x100E, 5)
    assert b"a" * 16 + b"b" * 16 == memory(*THREE).read(0x1000, 32)


@pytest.mark.parametrize(
    ("pa", "size", "nearest"),
    [
        (0, 1, "0x1000-0x1010"),
        (0xFFF, 2, "0x1000-0x1010"),
        (0x1018, 9, "0x1010-0x1020"),
        (0x1FFF, 1, "0x2000-0x2010"),
        (0x2010, 1, "0x2000-0x2010"),
        (-1, 1, "0x1000-0x1010"),
        ((1 << 64) - 1, 2, "0x2000-0x2010"),
        (1 << 70, 1, "0x2000-0x2010"),
    ],
)
def test_absent_bytes_are_named(pa: int, size: int, nearest: str) -> None:
    """The error says the address, how many bytes were wanted, and the nearest region."""
    with pytest.raises(NotInMemoryError) as caught:
        memory(*THREE, source="x.core").read(pa, size)
    assert ("x.core", pa, f"{size:#x} bytes") == (caught.value.source, caught.value.pa, caught.value.expected)
    assert f"nearest region {nearest}" == caught.value.found


def test_no_memory_at_all() -> None:
    """An empty memory is a memory: nothing is in it."""
    with pytest.raises(NotInMemoryError, match="no memory at all"):
        memory().read(0, 1)
    assert (False, True, []) == (memory().contains(0), memory().contains(0, 0), list(memory().read_present(0, 99)))


def test_nothing_can_be_read_anywhere() -> None:
    """Zero bytes are present at any address: an empty array behind a pointer is no error."""
    assert b"" == memory(*THREE).read(0x1004, 0)
    assert b"" == memory(*THREE).read(0x5000, 0)


@pytest.mark.parametrize("pieces", [((0, b"aa"), (1, b"b")), ((0, b"aaaa"), (1, b"b")), ((5, b"a"), (5, b"a"))])
def test_overlap_is_refused(pieces: tuple[tuple[int, bytes], ...]) -> None:
    """Two truths about one address are none, whatever the order they come in."""
    for order in (pieces, pieces[::-1]):
        with pytest.raises(ImageError, match="overlap"):
            memory(*order)


def test_empty_and_endless_regions_are_refused() -> None:
    """A region has bytes, and they have 64-bit addresses; the last byte of all is one of them."""
    with pytest.raises(ImageError, match="empty"):
        memory((0, b""))
    with pytest.raises(ImageError, match="beyond 64 bits"):
        memory(((1 << 64) - 1, b"ab"))
    assert b"a" == memory(((1 << 64) - 1, b"a")).read((1 << 64) - 1, 1)


def test_limit_on_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is read, one above it is refused; so is a negative size."""
    monkeypatch.setattr(physmem, "MAX_READ", 32)
    assert 32 == len(memory((0, bytes(64))).read(0, 32))
    for size in (33, -1):
        with pytest.raises(LimitError):
            memory((0, bytes(64))).read(0, size)
        with pytest.raises(LimitError):
            list(memory((0, bytes(64))).read_present(0, size))


def test_limit_on_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit they are taken, one above it is refused."""
    monkeypatch.setattr(physmem, "MAX_REGIONS", 3)
    assert 3 == len(memory(*((pa, b"x") for pa in range(3))).regions)
    with pytest.raises(LimitError):
        memory(*((pa, b"x") for pa in range(4)))


def test_integers_have_the_order_of_the_machine() -> None:
    """u32 and u64 follow the byte order of the memory."""
    data = (0, bytes(range(1, 9)))
    assert (0x04030201, 0x0807060504030201) == (memory(data).u32(0), memory(data).u64(0))
    assert (0x01020304, 0x0102030405060708) == (memory(data, byteorder="big").u32(0), memory(data, byteorder="big").u64(0))


def test_address_shows_itself_in_hex() -> None:
    """A PhysAddr is an int that prints as an address."""
    assert "0x2300000" == f"{PhysAddr(0x2300000)!r}" == str(PhysAddr(0x2300000))
    assert 0x2300008 == PhysAddr(0x2300000) + 8


def test_pages_are_found() -> None:
    """Only starts of pages count, in every region, also when the region does not start at one, and at its very end."""
    magic = b"\xd0\x0d\xfe\xed"
    first = bytearray(3 * 4096)
    first[4096:4100] = magic
    first[8192 + 4 : 8192 + 8] = magic
    second = bytearray(4096 + 4)
    second[0:4] = second[2048:2052] = second[4096:4100] = magic
    found = memory((0x10000, bytes(first)), (0x20000 - 2048, bytes(second)), (0x90000, magic)).find_pages(magic)
    assert [0x11000, 0x20000, 0x90000] == list(found)


def test_word_across_page_words_is_no_find() -> None:
    """Page words stand side by side in the search; a magic made of two halves of them is not one."""
    pages = bytearray(2 * 4096)
    pages[2:4] = b"\xd0\x0d"
    pages[4096:4098] = b"\xfe\xed"
    assert [] == list(memory((0, bytes(pages))).find_pages(b"\xd0\x0d\xfe\xed"))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 9, 40])
def test_magic_of_any_length(length: int) -> None:
    """Words of 1, 2, 4 and 8 bytes are searched for; the rest of a longer magic is compared, also over a seam."""
    magic = bytes(range(1, length + 1))
    data = bytes(64) + magic + bytes(64 - length) + magic
    pieces = (0, data[:68]), (68, data[68:])
    assert [64, 128] == list(memory(*pieces).find_pages(magic, align=64))
    assert [64] == list(memory((0, data[:-1])).find_pages(magic, align=64))


@pytest.mark.parametrize(("magic", "align"), [(b"", 4096), (b"x", 4), (b"x", 0), (b"x", 100)])
def test_senseless_search_is_refused(magic: bytes, align: int) -> None:
    """That is a mistake of the caller, not of the input."""
    with pytest.raises(ValueError, match="find_pages"):
        memory((0, b"x")).find_pages(magic, align)


@given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=12)), max_size=8), st.integers(-3, 80), st.integers(0, 80))
def test_reads_equal_a_dict_of_bytes(pieces: list[tuple[int, bytes]], pa: int, size: int) -> None:
    """Whatever the regions, a dict from address to byte says the same."""
    truth: dict[int, int] = {}
    taken = []
    for start, data in pieces:
        if not truth.keys() & set(range(start, start + len(data))):
            truth |= dict(enumerate(data, start))
            taken.append((start, data))
    tested = memory(*taken)
    wanted = range(pa, pa + size)
    present = bytes(truth[at] for at in wanted if at in truth)
    assert (len(present) == size) == tested.contains(pa, size)
    assert {at: truth[at] for at in wanted if at in truth} == {
        pa + offset + i: byte for offset, piece in tested.read_present(pa, size) for i, byte in enumerate(piece)
    }
    if len(present) == size:
        assert present == tested.read(pa, size)
    else:
        with pytest.raises(NotInMemoryError):
            tested.read(pa, size)
    assert all(len(piece) for _, piece in tested.read_present(pa, size))
    assert len(truth) == tested.size
