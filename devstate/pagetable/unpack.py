# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Put the page tables of a stream back: :func:`unpack`. docs/page-table-stream.md has every byte of it.

A stream is hostile. Nothing is written but pages that it lists, into memory that the caller gave or an arena that takes them; what a
damaged chunk has is named, and with ``partial`` the others are used.
"""

from __future__ import annotations

from itertools import pairwise

from devstate.errors import DecodeError, EncodeError, LimitError, TruncatedError
from devstate.frozen import frozen
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable.chunks import Batch, find, scan
from devstate.pagetable.native import crc32c
from devstate.pagetable.relocate import Move
from devstate.pagetable.stream import (
    CHUNK_BYTES,
    HEADER_SIZE,
    LEVELS,
    PAGE,
    PAGES_LIMIT,
    TRAILER_MAGIC,
    TRAILER_SIZE,
    Header,
    Totals,
)
from devstate.pagetable.unstream_slowly import DAMAGED, END, NO_CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor
    from typing import IO

    from _typeshed import ReadableBuffer

    from devstate.memory.arena import Arena
    from devstate.pagetable.chunks import Items, Placed

BATCH = 64
"""Chunks that are placed at once: 64 MiB of tables."""

SHARES = 4
"""Shares of a batch for each thread: one that starts late leaves the rest to the others."""

WINDOW = 1 << 23
"""Bytes that are read at once of a stream that is not in memory."""


@frozen
class Unpacked:
    """What was in a stream. ``header``: as the tables were; ``top_table``: where the top table is now; ``levels``: pages by level.

    ``damaged``: what is wrong with the chunks that are not there; always empty without ``partial``.
    """

    header: Header
    top_table: int
    pages: int
    levels: tuple[int, ...]
    damaged: tuple[DecodeError, ...] = ()


def unpack(
    stream: ReadableBuffer | IO[bytes],
    target: Arena | PhysMemory,
    *,
    relocate: int | Sequence[int] | None = None,
    jobs: int = 1,
    partial: bool = False,
    limit: int = PAGES_LIMIT,
    fresh: bool = False,
    source: str = "stream",
) -> Unpacked:
    """Put every page of a stream into ``target``, bit for bit, at the address where it was.

    ``target``: an arena, which must have none of these pages yet, or memory whose regions can be written. ``relocate`` puts the tables
    elsewhere, and lets their entries lead there: the address of the first one, the others behind it in the order of their old
    addresses; or addresses, one for each page, of pages that the target has. ``jobs``: threads. ``partial``: use what is not damaged.
    ``fresh``: the target is memory that nobody has touched, which is quicker with the caches than around them; an arena is that.

    DecodeError names the first chunk that is damaged, and its pages; some pages may have been written by then. LimitError for more pages
    than ``limit``. EncodeError when the target does not have, or cannot take, a page.
    """
    place = _Target(target, given=relocate is not None and not isinstance(relocate, int), fresh=fresh)
    return _Unpacking(_Input(stream), place, relocate, jobs, partial, limit, source).run()


class _Input:
    """A stream, seen through a window that is moved on."""

    def __init__(self, stream: ReadableBuffer | IO[bytes]) -> None:
        self.offset = 0
        self.window = memoryview(b"")
        self._file: IO[bytes] | None = None
        try:
            self.window = memoryview(stream).cast("B")  # type: ignore[arg-type]  # what has no buffer is read
        except TypeError:
            self._file = stream  # type: ignore[assignment]  # as above

    def want(self, size: int) -> memoryview:
        """The window, made larger until it has this many bytes, or all that there are."""
        while self._file is not None and len(self.window) < size:
            more = self._file.read(WINDOW)
            self.window = memoryview(bytes(self.window) + more)
            if not more:
                self._file = None
        return self.window

    def skip(self, size: int) -> None:
        """Move on."""
        self.window = self.window[size:]
        self.offset += size


class _Target:
    """Where pages are put. ``given``: the pages are there already. ``fresh``: nobody has touched them."""

    def __init__(self, target: Arena | PhysMemory, *, given: bool, fresh: bool) -> None:
        self._memory = target if isinstance(target, PhysMemory) else None
        self._arena = None if isinstance(target, PhysMemory) else target
        self._given = given
        self.fresh = fresh or (self._arena is not None and not given)
        for region in self._memory.regions if self._memory else ():
            if not isinstance(region.data, memoryview) or region.data.readonly:
                raise EncodeError("memory that cannot be written", source=target.source, pa=region.start)

    @property
    def wants_pages(self) -> bool:
        """Whether the pages must be known before they are put there."""
        return self._arena is not None

    def memory(self, pages: Items | None) -> PhysMemory:
        """Memory that has these pages, which an arena must be told."""
        import numpy as np

        if self._arena is None or pages is None:
            assert self._memory is not None
            return self._memory
        pages = np.sort(pages)
        edges = [0, *(np.flatnonzero(np.diff(pages) != PAGE) + 1).tolist(), len(pages)]
        runs = [(int(pages[first]), (end - first) * PAGE) for first, end in pairwise(edges)]
        for pa, size in runs if not self._given else ():
            self._arena.alloc(size, at=pa)
        return PhysMemory([MemoryRegion(pa, size, self._arena.span(pa, size)) for pa, size in runs], source=self._arena.source)

    def words(self, pa: int, size: int) -> memoryview:
        """Bytes that were put there, to be changed."""
        if self._arena is not None:
            return self._arena.span(pa, size)
        assert self._memory is not None
        return self._memory.read(pa, size)


class _Unpacking:
    """One stream on its way into a target."""

    def __init__(
        self, stream: _Input, target: _Target, to: int | Sequence[int] | None, jobs: int, partial: bool, limit: int, source: str
    ) -> None:
        self.stream, self.target, self.jobs, self.partial, self.limit, self.source = stream, target, jobs, partial, limit, source
        head = stream.want(HEADER_SIZE)[:HEADER_SIZE]
        self.header = Header.decode(head, source)
        self.chain = crc32c(head[-4:])
        self.move = None if to is None else Move(self.header, to, source)
        self.number = self.pages = self.end = 0
        self.levels = [0] * LEVELS
        self.damaged: list[DecodeError] = []
        self.pool: ThreadPoolExecutor | None = None
        stream.skip(HEADER_SIZE)

    def run(self) -> Unpacked:
        """Put everything into the target."""
        if self.jobs > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self.jobs - 1) as self.pool:
                self._read()
        else:
            self._read()
        top = self.header.top_table if self.move is None else self.move.finish(self.target.words)
        return Unpacked(self.header, top, self.pages, tuple(self.levels), tuple(self.damaged))

    def _read(self) -> None:
        """Read on to the trailer."""
        while True:
            window = self.stream.want(2 * CHUNK_BYTES)
            batch, why = scan(window, self.stream.offset, self.source, BATCH)
            if len(batch):
                self._take(batch)
                self.stream.skip(batch.end)
            elif why == NO_CHUNK and window[:4] == TRAILER_MAGIC:
                self._finish(Totals.decode(window[:TRAILER_SIZE], self.source, self.stream.offset))
                break
            elif self._is_lost(why):
                break

    def _is_lost(self, why: str | None) -> bool:
        """Say that there is no chunk here, and look for the next one; True when there is none."""
        window, offset = self.stream.window, self.stream.offset
        where = {"source": self.source, "offset": offset}
        if not window:
            self._wrong(TruncatedError("the stream ends before its trailer", **where))  # type: ignore[arg-type]
            return True
        if why == DAMAGED:
            self._wrong(DecodeError(f"the header of chunk {self.number} is damaged", **where))  # type: ignore[arg-type]
        elif why == END:
            self._wrong(TruncatedError(f"the stream ends inside chunk {self.number}", **where))  # type: ignore[arg-type]
        else:
            self._wrong(DecodeError(f"no chunk {self.number}, and no trailer", **where))  # type: ignore[arg-type]
        at = 8
        while (found := find(self.stream.window, at)) == len(self.stream.window):
            # A chunk may begin here that the window has not the whole of.
            self.stream.skip(max(at, len(self.stream.window) - CHUNK_BYTES) // 8 * 8)
            before, at = len(self.stream.window), 0
            if len(self.stream.want(before + WINDOW)) == before:
                return True
        self.stream.skip(found)
        return False

    def _wrong(self, error: DecodeError) -> None:
        if not self.partial:
            raise error
        self.damaged.append(error)

    def _take(self, batch: Batch) -> None:
        """Put the pages of chunks that were found into the target; those that come in another order than they were written are left out."""
        first = 0
        self.chain = crc32c(b"".join([header.crc.to_bytes(4, "little") for _, header in batch.headers]), self.chain)
        for index, (at, header) in enumerate(batch.headers):
            if header.number == self.number:
                self.number += 1
                continue
            self._place(batch.part(first, index))
            expected, found = f"chunk {self.number}", f"chunk {header.number}"
            self._wrong(DecodeError("another chunk", source=self.source, offset=batch.base + at, expected=expected, found=found))
            first = index if header.number > self.number else index + 1
            self.number = max(self.number, header.number + 1)
        self._place(batch.part(first, len(batch)))

    def _place(self, batch: Batch) -> None:
        """Put the pages of chunks into the target."""
        while len(batch):
            if self.pages + batch.pages > self.limit:
                what = {"expected": f"at most {self.limit}", "found": self.pages + batch.pages}
                raise LimitError("too many pages", source=self.source, offset=self.stream.offset, **what)  # type: ignore[arg-type]
            good, fault = len(batch), None
            pages: Items | None = None
            moved: Items | None = None
            if self.move or self.target.wants_pages:
                items, good, fault = batch.items(self.end)
                pages = moved = self.move.assign(items) if self.move else None
                pages = items // PAGE * PAGE if pages is None else pages
            if good:
                self._put(batch.part(0, good), self.target.memory(pages), moved)
            if fault is not None:
                self._wrong(fault)
            batch = batch.part(good + 1, len(batch))

    def _put(self, batch: Batch, memory: PhysMemory, moved: Items | None) -> None:
        """Put the pages of chunks into memory: each thread takes the next share until there is none."""
        share = -(-len(batch) // (SHARES * self.jobs if self.pool else 1))
        shares, at = [], 0
        for first in range(0, len(batch), share):
            part = batch.part(first, first + share)
            shares.append((part, None if moved is None else moved[at : at + part.pages]))
            at += part.pages
        done: list[list[Placed]] = [[] for _ in shares]
        todo = iter(range(len(shares)))

        def work() -> None:
            for index in todo:
                done[index] = self._put_share(memory, *shares[index])

        others = [self.pool.submit(work) for _ in range(min(self.jobs, len(shares)) - 1)] if self.pool else []
        work()
        for each in others:
            each.result()
        for placed in (each for results in done for each in results):
            if placed.chunks and placed.first < self.end:
                self._wrong(DecodeError("chunks that do not ascend", source=self.source, pa=placed.first, offset=self.stream.offset))
            self.end = max(self.end, placed.end)
            self.pages += sum(placed.levels)
            self.levels = [count + more for count, more in zip(self.levels, placed.levels, strict=True)]
            if placed.fault is not None:
                self._wrong(placed.fault)

    def _put_share(self, memory: PhysMemory, part: Batch, moved: Items | None) -> list[Placed]:
        results = []
        while len(part):
            results.append(part.place(memory, moved, self.header.part, fresh=self.target.fresh))
            if results[-1].fault is None or not self.partial:
                break
            done = results[-1].chunks + 1
            moved = None if moved is None else moved[part.part(0, done).pages :]
            part = part.part(done, len(part))
        return results

    def _finish(self, totals: Totals) -> None:
        """Hold what was read to what the trailer says, and see to it that it is the end."""
        at = self.stream.offset
        self.stream.skip(TRAILER_SIZE)
        found = Totals(self.number, self.pages, at + TRAILER_SIZE, tuple(self.levels), self.chain)
        names = ("chunks", "pages", "size", "levels", "chain")
        for name in names if not self.damaged else names[:0]:
            said, is_so = getattr(totals, name), getattr(found, name)
            if said != is_so:
                self._wrong(DecodeError(f"the trailer counts other {name}", source=self.source, offset=at, expected=said, found=is_so))
        if self.damaged and totals.pages > self.pages:
            self._wrong(DecodeError(f"{totals.pages - self.pages} of {totals.pages} pages are not there", source=self.source, offset=at))
        if self.stream.want(1):
            self._wrong(DecodeError("there is more after the trailer", source=self.source, offset=self.stream.offset))
