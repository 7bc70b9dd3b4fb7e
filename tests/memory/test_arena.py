# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Arena: pages are given out by a policy that can be foretold, and only they are memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import EncodeError, NotInMemoryError
from devstate.memory.arena import BASE, MAX_ORDER, Arena

PAGE = 4096


def test_first_fit_from_the_base() -> None:
    """Lowest first; sizes are rounded up to pages; alignment leaves gaps, which later and smaller allocations fill."""
    arena = Arena()
    assert [BASE, BASE + PAGE, BASE + 3 * PAGE] == [arena.alloc(), arena.alloc(PAGE + 1), arena.alloc(0)]
    assert BASE + 8 * PAGE == arena.alloc(order=3)
    assert BASE + 4 * PAGE == arena.alloc(2 * PAGE)
    assert BASE + 16 * PAGE == arena.alloc(3 * PAGE)
    assert [BASE + 6 * PAGE, BASE + 7 * PAGE, BASE + 19 * PAGE] == [arena.alloc(), arena.alloc(), arena.alloc()]
    assert BASE + 0x100000 == arena.alloc(align=0x100000)


def test_pinned_pages() -> None:
    """Inside the range and outside of it; nothing else is put there, and a page is given out once."""
    arena = Arena(0x100000, 0x10000)
    assert [0x101000, 0x8000] == [arena.alloc(at=0x101000), arena.alloc(at=0x8000)]
    assert [0x100000, 0x102000] == [arena.alloc(), arena.alloc()]
    for at in (0x101000, 0x100000, 0x8000):
        with pytest.raises(EncodeError, match="taken"):
            arena.alloc(at=at)
    with pytest.raises(EncodeError, match="taken"):
        arena.alloc(2 * PAGE, at=0x7000)


def test_pins_over_the_edge_of_the_range() -> None:
    """A pin may reach into the range from outside, or span all of it; its bytes are one piece of memory all the same."""
    arena = Arena(0x100000, 2 * PAGE)
    pa = arena.alloc(4 * PAGE, at=0x100000 - PAGE)
    arena.write(pa, bytes(range(256)) * 64)
    assert bytes(range(256)) * 64 == arena.view().read(pa, 4 * PAGE)
    assert [(0xFF000, 0x100000), (0x100000, 0x102000), (0x102000, 0x103000)] == [(r.start, r.end) for r in arena.view().regions]
    with pytest.raises(EncodeError, match="crosses the edge"):
        arena.span(pa, 2 * PAGE)


@pytest.mark.parametrize("at", [1, PAGE // 2, -PAGE, 1 << 64, (1 << 64) - PAGE + 1])
def test_addresses_that_cannot_be_pinned(at: int) -> None:
    """Pages start at pages and are below 2^64."""
    with pytest.raises(EncodeError, match="pinned address"):
        Arena().alloc(at=at)
    assert (1 << 64) - PAGE == Arena().alloc(at=(1 << 64) - PAGE)


def test_full() -> None:
    """The last page is given out, one more is not; a reserved page counts."""
    arena = Arena(0, 4 * PAGE)
    arena.reserve(PAGE + 1, 1)
    assert [0, 2 * PAGE, 3 * PAGE] == [arena.alloc() for _ in range(3)]
    with pytest.raises(EncodeError, match="full"):
        arena.alloc()
    arena.reserve(PAGE, 0)


def test_orders() -> None:
    """Folios are naturally aligned; MAX_ORDER is the last."""
    assert 0 == Arena(0, PAGE << MAX_ORDER).alloc(order=MAX_ORDER)
    for order in (-1, MAX_ORDER + 1):
        with pytest.raises(EncodeError, match="order"):
            Arena().alloc(order=order)
    assert 0x10000 == Arena(0x1000 * 15, 1 << 20, page_size=PAGE).alloc(order=4)
    assert 0x40000 == Arena(0x4000, 1 << 20, page_size=0x4000).alloc(at=0x40000, order=4)


@pytest.mark.parametrize(("base", "size"), [(1, PAGE), (0, PAGE + 1), (0, 0), (-PAGE, PAGE), ((1 << 64) - PAGE, 2 * PAGE)])
def test_ranges_that_cannot_be(base: int, size: int) -> None:
    """A range is made of pages below 2^64."""
    with pytest.raises(EncodeError):
        Arena(base, size)


def test_only_what_was_allocated_is_memory() -> None:
    """Writes elsewhere are refused, reads elsewhere find nothing, and reserved memory stays absent."""
    arena = Arena(0, 16 * PAGE)
    arena.reserve(0, 2 * PAGE)
    pa = arena.alloc()
    assert 2 * PAGE == pa
    for at, size in ((0, 1), (pa - 1, 2), (pa + PAGE - 1, 2), (pa + PAGE, 1)):
        with pytest.raises(EncodeError, match="not allocated"):
            arena.write(at, bytes(size))
        with pytest.raises(NotInMemoryError):
            arena.view().read(at, size)
    arena.write(0, b"")
    assert bytes(PAGE) == arena.view().read(pa, PAGE)
    odd = arena.alloc(PAGE + 1)
    assert 2 * PAGE == len(arena.view().read(odd, 2 * PAGE))


def test_view_is_live_and_read_only() -> None:
    """Later writes are seen without a copy; later allocations are not; nobody writes through it."""
    arena = Arena(page_size=0x4000, byteorder="big", source="built")
    pa = arena.alloc()
    view = arena.view()
    arena.write(pa + 4, b"\x12\x34\x56\x78")
    assert (0x12345678, 0x4000, "built") == (view.u64(pa), view.page_size, view.source)
    assert not view.contains(arena.alloc())
    with pytest.raises(TypeError):
        view.read(pa, 1)[0] = 1


def test_span_is_filled_in_place() -> None:
    """What numpy and loops write into a span is in the memory; other item sizes are written as their bytes."""
    arena = Arena()
    pa = arena.alloc()
    arena.span(pa + 8, 8).cast("Q")[0] = 0x1122334455667788
    arena.write(pa + 16, memoryview(bytes(range(8))).cast("Q"))
    assert (0x1122334455667788, bytes(range(8))) == (arena.view().u64(pa + 8), bytes(arena.view().read(pa + 16, 8)))
    assert 0 == len(arena.span(pa, 0))


Step = tuple[str, int, int]


@given(st.lists(st.tuples(st.sampled_from(["alloc", "order", "pin", "reserve"]), st.integers(0, 40), st.integers(0, 6)), max_size=25))
def test_equals_a_set_of_pages(steps: list[Step]) -> None:
    """First fit told with a set of page numbers: the same addresses, the same refusals, the same memory."""
    low, high = 8, 32
    arena = Arena(low * PAGE, (high - low) * PAGE)
    taken: set[int] = set()
    present: set[int] = set()
    for verb, at, count in steps:
        align = 1 << count % 4 if verb == "order" else 1
        pages = {"order": align, "reserve": count}.get(verb, max(1, count))
        if verb in ("pin", "reserve"):
            wanted = at if not taken & set(range(at, at + pages)) else None
        else:
            free = (n for n in range(low, high - pages + 1) if n % align == 0 and not taken & set(range(n, n + pages)))
            wanted = next(free, None)
        arguments = {"alloc": {"size": count * PAGE}, "order": {"order": count % 4}, "pin": {"size": count * PAGE, "at": at * PAGE}}
        try:
            found = arena.reserve(at * PAGE, pages * PAGE) if verb == "reserve" else arena.alloc(**arguments[verb])
        except EncodeError:
            assert wanted is None
            continue
        assert wanted is not None
        assert found is None or wanted * PAGE == found
        taken |= set(range(wanted, wanted + pages))
        if verb != "reserve":
            present |= set(range(wanted, wanted + pages))
    assert present == {page for page in range(60) if arena.view().contains(page * PAGE, PAGE)}
    assert len(present) * PAGE == arena.view().size


def test_reserved_pages_get_bytes_later() -> None:
    """They are absent until then, in the range and outside of it, and are what was given from then on."""
    arena = Arena(0x1000_0000, 1 << 20)
    for pa in (0x1000_4000, 0x9000_0000):
        arena.reserve(pa, 0x3000)
        arena.back(pa + 0x1000, b"x" * 0x1000)
    assert [(0x1000_5000, 0x1000), (0x9000_1000, 0x1000)] == [(region.start, region.size) for region in arena.view().regions]
    assert b"x" * 16 == bytes(arena.view().read(0x9000_1000, 16))
    with pytest.raises(EncodeError, match="already taken"):
        arena.alloc(at=0x9000_2000)
