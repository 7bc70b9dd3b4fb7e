# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Chunks of a page-table stream as they are read: :func:`scan` finds them, a :class:`Batch` lists their pages and puts them into memory.

In the C core, or in plain Python where there is none.
"""

from __future__ import annotations

from devstate.errors import DecodeError, EncodeError
from devstate.frozen import frozen
from devstate.pagetable import native
from devstate.pagetable.stream import CHUNK_MAGIC, CHUNK_PAGES, LEVELS, PAGE, TRAILER_MAGIC, TRAILER_SIZE
from devstate.pagetable.unstream_slowly import (
    DAMAGED,
    END,
    NO_CHUNK,
    ChunkHeader,
    Wrong,
    checked_list,
    get_pages,
    part_of,
    read_header,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.memory import PhysMemory

    Items = numpy.typing.NDArray[numpy.uint64]


@frozen
class Placed:
    """What became of chunks: how many of them are whole, where their pages begin and end, how many pages there are of each level, and
    what is wrong with the next one."""

    chunks: int
    first: int
    end: int
    levels: tuple[int, ...]
    fault: DecodeError | None


class Batch:
    """Some chunks that follow each other in ``data``, which is at ``base`` in the stream."""

    def __init__(self, data: memoryview, base: int, headers: list[tuple[int, ChunkHeader]], source: str, rows: Any = None) -> None:
        self.data, self.base, self.headers, self.source = data, base, headers, source
        self._rows = rows

    def __len__(self) -> int:
        return len(self.headers)

    @property
    def pages(self) -> int:
        """How many pages they have."""
        return sum(header.pages for _, header in self.headers)

    @property
    def end(self) -> int:
        """Where the last one ends in the data."""
        return self.headers[-1][0] + self.headers[-1][1].size if self.headers else 0

    def part(self, first: int, last: int) -> Batch:
        """Some of them."""
        return Batch(self.data, self.base, self.headers[first:last], self.source, None if self._rows is None else self._rows + first)

    def items(self, after: int) -> tuple[Items, int, DecodeError | None]:
        """(address plus level of every page, chunks, what is wrong with the next one), of the chunks before one that is damaged.

        ``after``: the end of the pages before.
        """
        import numpy as np

        fault = None
        if self._rows is None:
            items, fault = self._slow_items()
        else:
            ffi, lib = native.ffi, native.lib
            found = ffi.new("struct ds_pt_unpacked *")
            items = np.empty(self.pages, dtype=np.uint64)
            room = ffi.from_buffer("uint64_t[]", items, require_writable=True)
            status = lib.ds_pt_list(ffi.from_buffer(self.data), self._rows, len(self), room, found)
            items = items[: found.pages]
            fault = None if status == lib.DS_OK else self._fault(status, found)
        at = chunks = 0
        for offset, header in self.headers:
            if at == len(items):
                break
            if header.first_pa < after:
                return items[:at], chunks, self.fault(chunks, offset, "pages above those before")
            at += header.pages
            chunks += 1
            after = int(items[at - 1]) // PAGE * PAGE + PAGE
        return items, chunks, fault

    def place(self, memory: PhysMemory, moved: Items | None, part: tuple[int, int], *, fresh: bool = False) -> Placed:
        """Put the pages into ``memory``, each where it was or at the address that ``moved`` has for it.

        ``part``: address and bytes of a table that is only a part of its page, before the move. ``fresh``: the memory was not touched
        before, so what is written is in the caches anyway; else much goes around them. EncodeError when a page is not in the memory.
        """
        if self._rows is None:
            return self._place_slowly(memory, moved, part)
        ffi, lib = native.ffi, native.lib
        seen = native.c_memory(memory, PAGE)
        if seen is None:
            raise EncodeError("memory that cannot be written", source=memory.source)
        to = ffi.new("struct ds_pt_unpack *")
        to.memory, to.part_pa, to.part_size, to.stream = seen[0], *part, self.pages > CHUNK_PAGES and not fresh
        if moved is not None:
            to.moved = ffi.from_buffer("uint64_t[]", moved)
        found = ffi.new("struct ds_pt_unpacked *")
        status = lib.ds_pt_unpack(ffi.from_buffer(self.data), self._rows, len(self), to, found)
        if status == lib.DS_EMEMORY:
            raise EncodeError("a page of the stream is not in the memory", source=memory.source, pa=found.pa)
        fault = None if status == lib.DS_OK else self._fault(status, found)
        return Placed(found.chunks, self.headers[0][1].first_pa, found.end_pa, tuple(found.levels), fault)

    def _fault(self, status: int, found: Any) -> DecodeError:
        if status == native.lib.DS_ECORRUPT:
            return self.fault(found.chunks)
        expected = "pages above those before" if status == native.lib.DS_EORDER else "what the format allows"
        return self.fault(found.chunks, found.offset, expected)

    def fault(self, index: int, at: int | None = None, expected: str | None = None) -> DecodeError:
        """What to say about a chunk that is damaged, or, at an offset in the data, is not what the format allows."""
        offset, header = self.headers[index]
        text = f"chunk {header.number}, of {header.pages} pages from {header.first_pa:#x} on, is "
        if at is None:
            computed = native.crc32c(self.data[offset + 32 : offset + header.size])
            sum = f"crc32c {header.body_crc:#010x}"
            return DecodeError(f"{text}damaged", source=self.source, offset=self.base + offset, expected=sum, found=f"{computed:#010x}")
        return DecodeError(f"{text}not well formed", source=self.source, offset=self.base + at, expected=expected)

    # ---- without the core ----

    def _chunk(self, index: int) -> memoryview:
        offset, header = self.headers[index]
        return self.data[offset : offset + header.size]

    def _slow_list(self, index: int) -> tuple[list[int], DecodeError | None]:
        offset, header = self.headers[index]
        try:
            items = checked_list(header, self._chunk(index))
        except Wrong as wrong:
            return [], self.fault(index, offset + wrong.offset, "what the format allows")
        return ([], self.fault(index)) if items is None else (items, None)

    def _slow_items(self) -> tuple[Items, DecodeError | None]:
        import numpy as np

        items: list[int] = []
        for index in range(len(self)):
            found, fault = self._slow_list(index)
            if fault is not None:
                break
            items += found
        return np.array(items, dtype=np.uint64), fault

    def _place_slowly(self, memory: PhysMemory, moved: Items | None, part: tuple[int, int]) -> Placed:
        end = done = chunks = 0
        levels = [0] * LEVELS
        fault = None
        for offset, header in self.headers:
            items, fault = self._slow_list(chunks)
            if fault is None and header.first_pa < end:
                fault = self.fault(chunks, offset, "pages above those before")
            if fault is not None:
                break
            try:
                pages = get_pages(header, self._chunk(chunks))
                for item, page in zip(items, pages, strict=True):
                    pa = item // PAGE * PAGE
                    target = pa if moved is None else int(moved[done])
                    inside, data = part_of(page, header, part if part[1] and pa == part[0] // PAGE * PAGE else (0, PAGE))
                    _write(memory, target + inside, data)
                    levels[item % PAGE] += 1
                    done += 1
            except Wrong as wrong:
                fault = self.fault(chunks, offset + wrong.offset, "what the format allows")
                break
            end = items[-1] // PAGE * PAGE + PAGE
            chunks += 1
        return Placed(chunks, self.headers[0][1].first_pa, end, tuple(levels), fault)


def _write(memory: PhysMemory, pa: int, data: bytes) -> None:
    if not any(region.start <= pa and pa + len(data) <= region.end for region in memory.regions):
        raise EncodeError("a page of the stream is not in the memory", source=memory.source, pa=pa // PAGE * PAGE)
    memory.read(pa, len(data))[:] = data


def scan(data: memoryview, base: int, source: str, most: int) -> tuple[Batch, str | None]:
    """The chunks that ``data`` begins with, ``most`` of them, and why there are no more (None when there may be)."""
    headers: list[tuple[int, ChunkHeader]] = []
    if native.BUILT:
        rows, count = native.ffi.new("struct ds_pt_chunk[]", most), native.ffi.new("size_t *")
        whole = native.ffi.from_buffer(data)
        status = native.lib.ds_pt_scan(whole, len(whole), rows, most, count)
        for row in rows[0 : count[0]]:
            headers.append((row.offset, ChunkHeader(row.number, row.first_pa, row.size, row.pages, row.list, row.body_crc, row.crc)))
        return Batch(data, base, headers, source, rows), _REASONS.get(status)
    at = 0
    while len(headers) < most:
        found = read_header(data[at:])
        if isinstance(found, str) or found.size > len(data) - at:
            return Batch(data, base, headers, source), found if isinstance(found, str) else END
        headers.append((at, found))
        at += found.size
    return Batch(data, base, headers, source), None


_REASONS = {-5: NO_CHUNK, -6: DAMAGED, -7: END}
"""By status of the core: DS_EFORMAT, DS_ECORRUPT, DS_EEND."""


def find(data: memoryview, start: int) -> int:
    """The next multiple of 8 from there on that a whole chunk or the trailer begins at, or the end of the data."""
    if native.BUILT:
        whole = native.ffi.from_buffer(data)
        found: int = native.lib.ds_pt_find(whole, len(whole), start)
        return found
    for at in range(start + -start % 8, len(data), 8):
        tail = data[at : at + TRAILER_SIZE]
        if len(tail) == TRAILER_SIZE and tail[:4] == TRAILER_MAGIC and tail[-4:] == native.crc32c(tail[:-4]).to_bytes(4, "little"):
            return at
        header = read_header(data[at:]) if data[at : at + 4] == CHUNK_MAGIC else NO_CHUNK
        if not isinstance(header, str) and header.size <= len(data) - at:
            return at
    return len(data)
