# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pages as records of the page-table stream: both C cores write what plain Python writes, and what is written comes back."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native
from devstate.pagetable.pack import Pages, pack
from devstate.pagetable.stream import CHUNK_BYTES, CHUNK_PAGES, HEADER_SIZE, PAGE, TRAILER_SIZE
from devstate.pagetable.stream_slowly import (
    ALL_BITS,
    LITERAL,
    PACKED,
    REPEAT,
    RUN,
    WORDS,
    ZERO,
    Writer,
    array_size,
    bytes_of,
    gather,
    get_array,
    put_array,
    scatter,
    words_of,
)
from devstate.pagetable.unpack import unpack

Page = tuple[int, ...]

BASE = 0x1_0000_0000


def page_of(*parts: tuple[int, int, int]) -> Page:
    """A page of runs (base, step, words), then zeros."""
    words = [(base + n * step) & ALL_BITS for base, step, count in parts for n in range(count)]
    return tuple([*words, *[0] * WORDS][:WORDS])


def records(*pages: Page) -> bytes:
    """What plain Python makes of pages."""
    writer = Writer()
    for page in pages:
        writer.put(page)
    return bytes(writer.records)


def memory_of(pages: list[Page], base: int = BASE, shift: int = 0) -> PhysMemory:
    """Memory that has these pages, one behind the other; the buffer begins ``shift`` bytes off alignment."""
    data = bytearray(shift) + b"".join(map(bytes_of, pages))
    return PhysMemory([MemoryRegion(base, len(pages) * PAGE, memoryview(data)[shift:])])


def packed(pages: list[Page], shift: int = 0) -> bytes:
    """The stream of pages."""
    out = io.BytesIO()
    pack(Pages(memory_of(pages, shift=shift), range(BASE, BASE + len(pages) * PAGE, PAGE)), out)
    return out.getvalue()


def roundtrip(pages: list[Page]) -> bytes:
    """Pack in the core and in plain Python, which must agree; unpack in both, also to memory that is not aligned; the stream."""
    stream = packed(pages)
    assert stream == packed(pages, shift=1)
    for shift in (0, 8, 1):
        target = memory_of([page_of()] * len(pages), shift=shift)
        result = unpack(stream, target)
        assert len(pages) == result.pages
        assert pages == [words_of(target.read(BASE + n * PAGE, PAGE)) for n in range(len(pages))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "BUILT", False)
        assert stream == packed(pages)
        target = memory_of([page_of()] * len(pages))
        unpack(stream, target)
        assert pages == [words_of(target.read(BASE + n * PAGE, PAGE)) for n in range(len(pages))]
    return stream


RUNS_OF_8 = page_of(*((n * 0x7A3_8000 % (1 << 40) & ~0x7FFF | 3, 0x1000, 8) for n in range(1, 65)))
_rng = random.Random(3)
RANDOM = tuple(_rng.getrandbits(30) << 12 | 3 for _ in range(WORDS))
NOISE = tuple(_rng.randint(1, ALL_BITS) for _ in range(WORDS))

KINDS = [
    ("zero", [page_of()], bytes([ZERO])),
    ("zeros", [page_of()] * 33, bytes([ZERO | 31 << 3, ZERO])),
    ("run", [page_of((0x1003, 0x1000, 512))], bytes([RUN, 12]) + (0x1003).to_bytes(8, "little")),
    ("large pages", [page_of((0x83, 1 << 21, 512))], bytes([RUN, 21]) + (0x83).to_bytes(8, "little")),
    ("one word", [page_of((7, 0, 512))], bytes([RUN, 0]) + (7).to_bytes(8, "little")),
    ("repeat", [RANDOM, RANDOM, RANDOM], records(RANDOM) + bytes([REPEAT | 1 << 3])),
    ("noise", [NOISE], bytes([LITERAL]) + bytes_of(NOISE)),
    ("a run through zero", [page_of((-0x100000 & ALL_BITS, 0x1000, 512))], bytes([RUN, 12]) + (-0x100000 & ALL_BITS).to_bytes(8, "little")),
]


@pytest.mark.parametrize(("pages", "expected"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS])
def test_records_of_one_kind(core: str, pages: list[Page], expected: bytes) -> None:
    """The bytes as the document draws them."""
    assert expected == records(*pages)
    stream = roundtrip(pages)
    assert expected in stream[HEADER_SIZE:-TRAILER_SIZE]


@pytest.mark.parametrize(
    ("page", "limit"),
    [
        (RUNS_OF_8, 8 + 16 + 64 * 25 / 8 + 32),
        (RANDOM, 8 + 16 + 512 * 30 / 8),
        (page_of((0x5003, 0x1000, 100), (0, 0, 100), (0x77_0003, 0x1000, 200)), 8 + 16 + 12),
        (page_of(*((0xA00_0000_0000_0003 | n << 62, 0x1000, 1) for n in (0, 1) * 256)), 8 + 16 + 512 / 8),
        (page_of(*((n * 0x10000 | 3, 0, 16) for n in range(1, 33))), 8 + 16 + 32),
    ],
    ids=["runs of 8", "random", "a hole", "bits far apart", "repeated entries"],
)
def test_packed_records(core: str, page: Page, limit: float) -> None:
    """No larger than the form says; a second page of the same kind keeps the form."""
    record = records(page)
    assert PACKED == record[0] & 7
    assert len(record) <= limit
    roundtrip([page])
    again = tuple(word and word + (1 << 46) for word in page)
    assert len(records(page, again)) <= 2 * len(record)
    roundtrip([page, again])


def _with(page: Page, **changes: int) -> Page:
    """A page with some of its words changed: w7=... is word 7."""
    words = list(page)
    for name, value in changes.items():
        words[int(name[1:])] = value
    return tuple(words)


def test_pages_after_one_of_single_words(core: str) -> None:
    """The core guesses that the next page is like it: a run, a hole, equal neighbours, the same again, anywhere; in a random order too."""
    first = _with(RANDOM, w0=0x5003, w1=0x9003)
    pages = [first, RANDOM, RANDOM, _with(RANDOM, w0=0), _with(RANDOM, w511=0), page_of(), RANDOM, first]
    for place in (1, 2, 4, 33, 63, 64, 65, 255, 448, 511):
        pages += [RANDOM, _with(RANDOM, **{f"w{place}": RANDOM[place - 1]}), first]
        pages += [_with(first, **{f"w{place}": (first[place - 1] + 0x4000) & ALL_BITS}), RANDOM, _with(RANDOM, **{f"w{place}": 0}), RANDOM]
    pages += [NOISE, NOISE, first, page_of((0x1003, 0x1000, 512)), RANDOM, RUNS_OF_8, RANDOM]
    roundtrip(pages)
    random.Random(1).shuffle(pages)
    roundtrip(pages)


@pytest.mark.parametrize("shift", [0, 12, 21])
def test_single_words_of_every_width(core: str, shift: int) -> None:
    """Bases as wide as a word at most; and with bits above them that are the same in all."""
    pages = []
    for width in range(10, 65 - shift):
        low = [1, (1 << width) - 1, *(_rng.randint(1, (1 << width) - 1) for _ in range(WORDS - 2))]
        pages += [tuple(item << shift for item in low), tuple((item << shift | 1 << 63) for item in low)]
    roundtrip(pages)


@given(st.integers(0, 64), st.integers(1, 200), st.integers(0, 1 << 32))
@settings(max_examples=100, deadline=None)
def test_arrays_of_bits(width: int, count: int, seed: int) -> None:
    """Plain Python's arrays, on both sides of where lanes begin."""
    rng = random.Random(seed)
    items = [rng.getrandbits(width) if width else 0 for _ in range(count)]
    data = put_array(items, width)
    assert array_size(count, width) == len(data)
    assert items == get_array(data, count, width)
    mask = rng.getrandbits(64)
    item = rng.getrandbits(mask.bit_count()) if mask else 0
    assert item == gather(scatter(item, mask), mask)


@st.composite
def any_page(draw: st.DrawFn) -> Page:
    """Pages that page tables have, and worse: runs of any step and length, holes, dirty bits, repeated entries, noise."""
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    step = draw(st.sampled_from([0x1000, 0x1000, 0, 1 << 21, 1 << 63, 8, 0x3000]))
    longest = draw(st.sampled_from([1, 1, 2, 8, 16, 64, 300, 512]))
    holes = draw(st.sampled_from([0, 0, 0, 1, 50, 100]))
    noise = draw(st.sampled_from([0, 0, 0, 0x60, 1 << 63, 1 << 62 | 1, 0xFFF, ALL_BITS]))
    bits = draw(st.sampled_from([1, 10, 30, 40, 52]))
    fixed = draw(st.booleans())
    words: list[int] = []
    while len(words) < WORDS:
        count = longest if fixed else rng.randint(1, longest)
        if rng.randrange(100) < holes:
            words += [0] * count
            continue
        base = rng.getrandbits(bits) << 12 | (3 if rng.randrange(50) else 0)
        words += [(base + n * step ^ rng.getrandbits(64) & noise) & ALL_BITS for n in range(count)]
    return tuple(words[:WORDS])


@given(st.lists(any_page(), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
@example([page_of((1, 0, 63), (0, 0, 1), (5, 0, 448))])
@example([page_of((3, 0x1000, 64), (0, 0, 448))])
@example([page_of((3, 0x1000, 65), (0, 0, 447))])
@example([page_of((-0x1000 & ALL_BITS, 0x1000, 1), (0, 0x1000, 511))])
def test_any_pages_come_back(core: str, pages: list[Page]) -> None:
    """And the core writes what plain Python writes."""
    roundtrip(pages)


@given(st.integers(1, 64), st.integers(1, WORDS), st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_every_width_and_count(core: str, width: int, count: int, seed: int) -> None:
    """Runs of one word with as many random bits as there may be."""
    rng = random.Random(seed)
    low = rng.randint(0, 64 - width)
    rest = (rng.getrandbits(64) & ~((1 << width) - 1 << low)) | (1 << low if width == 64 else 0)
    words = [(rng.getrandbits(width) << low | rest) & ALL_BITS for _ in range(count)]
    roundtrip([page_of(*((word, 0, 1) for word in words))])


def test_more_pages_than_a_chunk(core: str) -> None:
    """Chunks stand alone: what one keeps from the page before it ends with it."""
    pages = [page_of((n << 21 | 3, 0x1000, 512)) for n in range(2 * CHUNK_PAGES + 20)]
    for n in (0, CHUNK_PAGES - 1, CHUNK_PAGES, 2 * CHUNK_PAGES - 1, 2 * CHUNK_PAGES):
        pages[n] = RUNS_OF_8
    stream = roundtrip(pages)
    assert len(stream) < len(pages) * PAGE
    chunks = []
    at = HEADER_SIZE
    while at < len(stream) - TRAILER_SIZE:
        size = 32 + int.from_bytes(stream[at + 16 : at + 20], "little")
        chunks.append(int.from_bytes(stream[at + 20 : at + 22], "little"))
        at += size
    assert [CHUNK_PAGES, CHUNK_PAGES, len(pages) - 2 * CHUNK_PAGES] == chunks


def test_the_worst_pages_are_little_larger(core: str) -> None:
    """Noise everywhere, as far apart as addresses go: 0.2 % and 1 KiB is the promise."""
    rng = random.Random(5)
    places = sorted(rng.sample(range(1 << 44), 600))
    regions = [MemoryRegion(place * PAGE, PAGE, memoryview(rng.randbytes(PAGE))) for place in places]
    out = io.BytesIO()
    pack(Pages(PhysMemory(regions), [place * PAGE for place in places]), out)
    assert len(out.getvalue()) <= 600 * PAGE * 1.002 + 1024
    assert len(out.getvalue()) <= HEADER_SIZE + TRAILER_SIZE + 3 * CHUNK_BYTES
    target = PhysMemory([MemoryRegion(place * PAGE, PAGE, memoryview(bytearray(PAGE))) for place in places])
    unpack(out.getvalue(), target)
    assert [bytes(region.data) for region in regions] == [bytes(region.data) for region in target.regions]  # type: ignore[arg-type]
