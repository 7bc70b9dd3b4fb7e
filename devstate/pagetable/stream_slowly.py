# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Chunks of the page-table stream in plain Python: slow, obvious, and held equal to the C core by the tests. It is what runs where there is
no core. docs/page-table-stream.md says what the bytes mean; what a writer may choose is chosen as csrc/pt_pack.c does it.

A *page* is a tuple of 512 words here; a page's *item* is its address plus the level of its table.
"""

from __future__ import annotations

from itertools import pairwise
from struct import pack, unpack

from devstate.pagetable import native
from devstate.pagetable.stream import CHUNK_MAGIC, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Page: TypeAlias = tuple[int, ...]

WORDS = 512
ALL_BITS = (1 << 64) - 1
ZERO, REPEAT, RUN, PACKED, LITERAL = range(5)
KEEP = 8
COUNTED_MOST = 32
LANES, LANES_FROM = 4, 64

STEP_LEAST = 1 << 12
FORM_BITS = 128
"""A record keeps the form of the one before when that costs no more bits than a form of its own."""
HOLES_BITS = 64
"""A mask with holes in it must save so many bits."""


def words_of(page: bytes | memoryview) -> Page:
    """The words of a page."""
    return unpack(f"<{WORDS}Q", page)


def bytes_of(page: Page) -> bytes:
    """The bytes of a page."""
    return pack(f"<{WORDS}Q", *page)


# ---- arrays of bits ----


def array_size(count: int, width: int) -> int:
    """The bytes of an array."""
    if count < LANES_FROM:
        return (count * width + 7) // 8
    return (-(-count // LANES) * width + 63) // 64 * LANES * 8


def put_array(items: Sequence[int], width: int) -> bytes:
    """An array of items, each below ``1 << width``."""
    size = array_size(len(items), width)
    if len(items) < LANES_FROM:
        return sum(item << n * width for n, item in enumerate(items)).to_bytes(size, "little")
    lanes = [sum(item << n * width for n, item in enumerate(items[lane::LANES])) for lane in range(LANES)]
    return pack(f"<{size // 8}Q", *(lane >> 64 * word & ALL_BITS for word in range(size // 8 // LANES) for lane in lanes))


def get_array(data: bytes, count: int, width: int) -> list[int]:
    """The items of an array of just these bytes."""
    mask = (1 << width) - 1
    if count < LANES_FROM:
        whole = int.from_bytes(data, "little")
        return [whole >> n * width & mask for n in range(count)]
    words = unpack(f"<{len(data) // 8}Q", data)
    lanes = [sum(word << 64 * n for n, word in enumerate(words[lane::LANES])) for lane in range(LANES)]
    return [lanes[n % LANES] >> n // LANES * width & mask for n in range(count)]


def gather(word: int, mask: int) -> int:
    """The bits of a word that a mask has, moved together."""
    bits = [bit for bit in range(64) if mask >> bit & 1]
    return sum((word >> bit & 1) << n for n, bit in enumerate(bits))


def scatter(item: int, mask: int) -> int:
    """The reverse."""
    bits = [bit for bit in range(64) if mask >> bit & 1]
    return sum((item >> n & 1) << bit for n, bit in enumerate(bits))


# ---- a page as runs ----


def cut(page: Page, step: int, *, holes: bool = False) -> tuple[list[tuple[int, int]], bool]:
    """(first word, words) of each run, and whether words that are 0 were left out.

    These are only looked for when one is among the first 64, or when ``holes`` says so; else each of them is a run like any other word.
    """
    holes |= 0 in page[:64]
    starts = [0, *(n for n in range(1, WORDS) if (page[n] - page[n - 1] - step) & ALL_BITS)]
    if not holes:
        return [(start, end - start) for start, end in pairwise([*starts, WORDS])], False
    runs: list[tuple[int, int]] = []
    for n in range(WORDS):
        joined = n and not (page[n] - page[n - 1] - step) & ALL_BITS and page[n - 1]
        if page[n] and joined:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        elif page[n]:
            runs.append((n, 1))
    return runs, sum(length for _, length in runs) < WORDS


def has_twins(words: Sequence[int]) -> bool:
    """A hint that a step of 0 might be better: it is looked for in the first 8 of each 32 words only."""
    return any(words[n] == words[n - 1] for n in range(1, len(words), 2) if n % 32 < 8)


class Writer:
    """The records of one chunk."""

    def __init__(self) -> None:
        self.records = bytearray()
        self.before: Page | None = None
        self.open: int | None = None
        self.mask = self.rest = 0
        self.step = 0

    def put(self, page: Page) -> None:
        """One more page."""
        step = (page[1] - page[0]) & ALL_BITS
        if step >= STEP_LEAST and step.bit_count() == 1:
            self.step = step
        runs, holes = cut(page, self.step)
        before, self.before = self.before, page
        if not any(page):
            self._count(ZERO)
        elif page == before:
            self._count(REPEAT)
        else:
            self.open = None
            self._cut(page, runs, holes)

    def _count(self, kind: int) -> None:
        if self.open is not None and self.records[self.open] & 7 == kind and self.records[self.open] >> 3 < COUNTED_MOST - 1:
            self.records[self.open] += 8
        else:
            self.open = len(self.records)
            self.records.append(kind)

    def _cut(self, page: Page, runs: list[tuple[int, int]], holes: bool) -> None:
        step = self.step
        if len(runs) > 1 or holes:
            if 0 in [page[start] for start, _ in runs]:
                runs, holes = cut(page, step, holes=True)
            if has_twins([page[start] for start, _ in runs]):
                others, other_holes = cut(page, 0, holes=True)
                if len(others) < len(runs):
                    runs, holes, step = others, other_holes, 0
        if len(runs) > 1 or holes:
            self._pack(page, runs, step)
        else:
            self.records += pack("<BBQ", RUN, step.bit_length() - 1 if step else 0, page[0])

    def _pack(self, page: Page, runs: list[tuple[int, int]], step: int) -> None:
        bases = [page[start] for start, _ in runs]
        ends = [0, *(start + length for start, length in runs)]
        gaps = [start - end for (start, _), end in zip(runs, ends, strict=False)]
        lengths = [length for _, length in runs]
        keep, mask, rest = self._form(bases)
        record = pack("<BBHHH", PACKED | keep * KEEP, step.bit_length() - 1 if step else 0, len(runs), smalls(gaps), smalls(lengths))
        record += b"" if keep else pack("<QQ", mask, rest)
        record += put_array([gather(base, mask) for base in bases], mask.bit_count())
        for each in (gaps, lengths):
            record += put_array([item - min(each) for item in each], (max(each) - min(each)).bit_length())
        if len(record) > PAGE:
            self.records += bytes([LITERAL]) + bytes_of(page)
        else:
            self.records += record
            self.mask, self.rest = mask, rest

    def _form(self, bases: list[int]) -> tuple[bool, int, int]:
        """(whether it is that of the record before, mask, rest)."""
        every, some = ALL_BITS, 0
        for base in bases:
            every, some = every & base, some | base
        differ = mask = every ^ some
        if differ:
            low = (differ & -differ).bit_length() - 1
            width = differ.bit_length() - low
            if (width - differ.bit_count()) * len(bases) < HOLES_BITS:
                mask = (1 << width) - 1 << low
        fits = not (differ | every ^ self.rest) & ~self.mask
        if fits and self.mask.bit_count() * len(bases) <= mask.bit_count() * len(bases) + FORM_BITS:
            return True, self.mask, self.rest
        return False, mask, every & ~mask


def smalls(items: list[int]) -> int:
    """What says how gaps or lengths are packed: the smallest, and the width of what they have beyond it."""
    return min(items) | (max(items) - min(items)).bit_length() << 12


# ---- chunks ----


def put_varint(value: int) -> bytes:
    """Seven bits a byte, lowest first."""
    made = bytearray()
    while value >> 7:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def put_list(items: Sequence[int]) -> bytes:
    """The page list of a chunk."""
    runs: list[tuple[int, int]] = []
    for item in items:
        if runs and item == runs[-1][0] + runs[-1][1] * PAGE:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((item, 1))
    made = b""
    end = runs[0][0] // PAGE
    for first, count in runs:
        made += put_varint(first // PAGE - end) if made else b""
        made += put_varint(count - 1 << 3 | first % PAGE)
        end = first // PAGE + count
    return made


def put_chunk(items: Sequence[int], pages: Sequence[Page], number: int) -> bytes:
    """One chunk of 1 to CHUNK_PAGES pages."""
    writer = Writer()
    for page in pages:
        writer.put(page)
    pages_list = put_list(items)
    body = pages_list + writer.records
    body += bytes(-len(body) % 8)
    head = pack("<4sIQIHHI", CHUNK_MAGIC, number, items[0] // PAGE * PAGE, len(body), len(items), len(pages_list), native.crc32c(body))
    return head + pack("<I", native.crc32c(head)) + body
