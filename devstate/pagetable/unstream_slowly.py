# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The other direction of ``stream_slowly.py``: chunks of the page-table stream to pages. Nothing in them is trusted."""

from __future__ import annotations

from struct import unpack_from

from devstate.frozen import frozen
from devstate.pagetable import native
from devstate.pagetable.stream import CHUNK_BYTES, CHUNK_MAGIC, CHUNK_PAGES, PAGE
from devstate.pagetable.stream_slowly import (
    ALL_BITS,
    KEEP,
    LITERAL,
    PACKED,
    REPEAT,
    RUN,
    WORDS,
    ZERO,
    array_size,
    bytes_of,
    get_array,
    scatter,
    words_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.stream_slowly import Page

HEADER = 32
NO_CHUNK, DAMAGED, END = "no chunk", "damaged header", "end"
"""Why there is no header: other bytes, one whose crc does not fit, the end of the data inside it."""
PA_LIMIT = 1 << 56
VARINT_MOST = 7


@frozen
class ChunkHeader:
    """What the header of a chunk says; ``size`` is that of the chunk, ``list`` the bytes of its page list."""

    number: int
    first_pa: int
    size: int
    pages: int
    list: int
    body_crc: int
    crc: int


def read_header(data: memoryview) -> ChunkHeader | str:
    """The header at the start of ``data``, or why there is none (NO_CHUNK, DAMAGED, END). The chunk may be longer than the data."""
    if len(data) >= 4 and data[:4] != CHUNK_MAGIC:
        return NO_CHUNK
    if len(data) < HEADER:
        return END
    number, first_pa, body, pages, size, body_crc, crc = unpack_from("<IQIHHII", data, 4)
    if crc != native.crc32c(data[: HEADER - 4]):
        return DAMAGED
    made = ChunkHeader(number, first_pa, HEADER + body, pages, size, body_crc, crc)
    sound = 0 < pages <= CHUNK_PAGES and body % 8 == 0 and made.size <= CHUNK_BYTES and size <= body
    return made if sound and first_pa % PAGE == 0 and first_pa < PA_LIMIT else NO_CHUNK


class Wrong(Exception):
    """What a chunk must not be. ``offset`` is in the chunk."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Reader:
    """The bytes of a body, from the front."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.at, self.end = data, start, end

    def take(self, size: int) -> bytes:
        if size > self.end - self.at:
            raise Wrong(self.at)
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self) -> int:
        value = 0
        for n in range(VARINT_MOST):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * n
            if byte < 0x80:
                return value
        raise Wrong(self.at)


def get_list(chunk: ChunkHeader, reader: Reader) -> list[int]:
    """The items of the page list, which is all that ``reader`` has."""
    items: list[int] = []
    pa = chunk.first_pa
    while len(items) < chunk.pages:
        start = reader.at
        pa += reader.varint() * PAGE if items else 0
        run = reader.varint()
        count = (run >> 3) + 1
        if pa >= PA_LIMIT or count > chunk.pages - len(items):
            raise Wrong(start)
        items += [pa + n * PAGE | run & 7 for n in range(count)]
        pa += count * PAGE
    if pa > PA_LIMIT or reader.at != reader.end:
        raise Wrong(reader.at)
    return items


class Records:
    """The pages of one chunk, record by record."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.form: tuple[int, int] | None = None
        self.before: Page | None = None
        self.kind = self.left = 0

    def page(self) -> Page:
        """The next page."""
        if not self.left:
            start = self.reader.at
            try:
                first = self.reader.take(1)[0]
                if first & 7 in (ZERO, REPEAT):
                    self.kind, self.left = first & 7, (first >> 3) + 1
                else:
                    self.before = self._record(first)
                    return self.before
            except Wrong:
                raise Wrong(start) from None
        self.left -= 1
        if self.kind == ZERO:
            self.before = (0,) * WORDS
        elif self.before is None:
            raise Wrong(self.reader.at)
        return self.before

    def _record(self, first: int) -> Page:
        if first == RUN:
            step, base = self.reader.take(1)[0], int.from_bytes(self.reader.take(8), "little")
            return tuple(base + n * step_of(step, self.reader) & ALL_BITS for n in range(WORDS))
        if first == LITERAL:
            return words_of(self.reader.take(PAGE))
        if first & ~KEEP == PACKED:
            return self._packed(keep=bool(first & KEEP))
        raise Wrong(self.reader.at)

    def _packed(self, *, keep: bool) -> Page:
        reader = self.reader
        step, count, *smalls = unpack_from("<BHHH", reader.take(7))
        if not 1 <= count <= WORDS or any(each >> 10 & 3 or each & 0x3FF > WORDS or each >> 12 > 9 for each in smalls):
            raise Wrong(reader.at)
        if not keep:
            mask, rest = unpack_from("<QQ", reader.take(16))
            self.form = mask, rest
        if self.form is None or self.form[0] & self.form[1] or not smalls[1] & 0x3FF:
            raise Wrong(reader.at)
        mask, rest = self.form
        width = mask.bit_count()
        bases = [rest | scatter(item, mask) for item in get_array(reader.take(array_size(count, width)), count, width)]
        gaps, lengths = (
            [(each & 0x3FF) + item for item in get_array(reader.take(array_size(count, each >> 12)), count, each >> 12)] for each in smalls
        )
        if sum(gaps) + sum(lengths) > WORDS:
            raise Wrong(reader.at)
        words: list[int] = []
        for base, gap, length in zip(bases, gaps, lengths, strict=True):
            words += [0] * gap + [base + n * step_of(step, reader) & ALL_BITS for n in range(length)]
        return (*words, *[0] * (WORDS - len(words)))


def step_of(step: int, reader: Reader) -> int:
    """The step that a record means."""
    if step > 63:
        raise Wrong(reader.at)
    return 1 << step if step else 0


def checked_list(chunk: ChunkHeader, data: memoryview) -> list[int] | None:
    """The items of a chunk, whose whole bytes are ``data``; None when its sum is wrong. Wrong for a list that is none."""
    if native.crc32c(data[HEADER : chunk.size]) != chunk.body_crc:
        return None
    return get_list(chunk, Reader(bytes(data), HEADER, HEADER + chunk.list))


def get_pages(chunk: ChunkHeader, data: memoryview) -> list[Page]:
    """The pages of a chunk, whose whole bytes are ``data``, and whose sum is right. Wrong for what is no record."""
    records = Records(Reader(bytes(data), HEADER + chunk.list, chunk.size))
    pages = [records.page() for _ in range(chunk.pages)]
    rest = records.reader.data[records.reader.at :]
    if records.left or len(rest) > 7 or any(rest):
        raise Wrong(records.reader.at)
    return pages


def part_of(page: Page, chunk: ChunkHeader, part: tuple[int, int]) -> tuple[int, bytes]:
    """(offset, bytes) of what is written of a page; around that there must be zeros."""
    data, inside = bytes_of(page), part[0] % PAGE
    if any(data[:inside]) or any(data[inside + part[1] :]):
        raise Wrong(chunk.size)
    return inside, data[inside : inside + part[1]]
