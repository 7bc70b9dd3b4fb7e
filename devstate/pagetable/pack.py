# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write page tables as a stream: :func:`pack`. docs/page-table-stream.md has every byte of it.

The pages that hold tables are listed by a walk over all levels but the last, sorted by address and cut into chunks; these are packed in
the C core, by several threads when asked to, and written in order. Memory is bounded: twice
8 bytes a page, and the chunks in flight.
"""

from __future__ import annotations

from devstate.errors import EncodeError, NotInMemoryError
from devstate.frozen import frozen
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native
from devstate.pagetable.stream import CHUNK_PAGES, HEADER_SIZE, LEVELS, NO_LEVEL, PAGE, TRAILER_SIZE, Header, Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO, Any

    import numpy
    import numpy.typing

    from devstate.pagetable.table import PageTable

    Items = numpy.typing.NDArray[numpy.uint64]

GROUP = 4 * CHUNK_PAGES
"""Pages that one call of the core packs: at most 4 MiB of output, of which each thread has one, and one is being written."""


@frozen
class Pages:
    """Pages of a memory that are of no known tree: their addresses, multiples of 4096, in any order."""

    memory: PhysMemory
    addresses: Iterable[int]


def pack(what: PageTable | Pages, output: IO[bytes], *, jobs: int = 1, partial: bool = False) -> Totals:
    """Write all pages that hold tables of a tree, or just pages, to ``output``; ``jobs`` is the number of threads.

    NotInMemoryError when a table is not in the memory, unless ``partial``: then it is left out, with all below it. EncodeError for
    a tree that cannot be told apart in pages: tables that overlap, a top table across pages.
    """
    header = Header() if isinstance(what, Pages) else Header.of(what)
    items = _items(what, partial=partial)
    levels = sort(items)
    size, chain, chunks = HEADER_SIZE, native.crc32c(header.encode()[-4:]), 0
    output.write(header.encode())
    for number, made in _Packer(what.memory, header, items, jobs).groups():
        chain = chain_on(chain, made)
        chunks = number
        size += len(made)
        output.write(made)
    totals = Totals(chunks, len(items), size + TRAILER_SIZE, levels, chain)
    output.write(totals.encode())
    return totals


def _items(what: PageTable | Pages, *, partial: bool) -> Items:
    """Address plus level of every page, unsorted."""
    import numpy as np

    if isinstance(what, Pages):
        found = np.fromiter(what.addresses, dtype=np.uint64)
        if (found % np.uint64(PAGE)).any():
            raise EncodeError("pages begin at multiples of 4096", source=what.memory.source)
        return found | np.uint64(NO_LEVEL)
    pas, levels, missing = _tables(what)
    if missing is not None and not partial:
        raise missing
    top = what.top_table, 8 * what.top_entries
    if len(pas) and top[0] % min(top[1], PAGE):
        raise EncodeError("a top table that is neither whole pages nor inside one", source=what.memory.source, pa=top[0])
    first = pas // np.uint64(PAGE) * np.uint64(PAGE) | levels
    pages, top_pages = (8 << what.format.index_bits) // PAGE, -(-top[1] // PAGE)
    if pages == top_pages == 1:
        return first
    counts = np.where(levels == what.top_level, top_pages, pages)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    made: Items = np.repeat(first, counts) + place.astype(np.uint64) * np.uint64(PAGE)
    return made


def _tables(table: PageTable) -> tuple[Items, numpy.typing.NDArray[numpy.uint8], NotInMemoryError | None]:
    """(addresses, levels) of all tables, and what to say about one that is not there."""
    import numpy as np

    from devstate.pagetable.walk import CoreRoot

    root = CoreRoot.of(table)
    if root is None:
        walk = table.walk()
        by_level = table.table_pages()
        pas = np.array([pa for pages in by_level.values() for pa in pages], dtype=np.uint64)
        levels = np.repeat(np.array([*by_level], dtype=np.uint8), [len(pages) for pages in by_level.values()])
        absent = (each for each in walk.problems if each.code == "table-not-in-memory")
        return pas, levels, next((_missing(table, each.pa, each.entry) for each in absent), None)
    ffi, lib = native.ffi, native.lib
    found = ffi.new("struct ds_pt_tables *")
    problems: Any = None
    status = lib.DS_ESPACE
    while status == lib.DS_ESPACE or found.problems.count > found.problems.capacity:
        pas, levels = np.empty(max(found.count, 1024), dtype=np.uint64), np.empty(max(found.count, 1024), dtype=np.uint8)
        found.pas, found.levels, found.capacity = ffi.from_buffer("uint64_t[]", pas), ffi.from_buffer("uint8_t[]", levels), len(pas)
        problems = ffi.new("struct ds_problem[]", found.problems.count)
        found.problems.list, found.problems.capacity = problems, len(problems)
        status = lib.ds_pt_tables(root.memory, root.root, root.visited(), found)
    native.done(status)
    absent_rows = (row for row in problems[0 : found.problems.count] if row.code == lib.DS_NOT_IN_MEMORY)
    missing = next((_missing(table, row.pa or None, row.value) for row in absent_rows), None)
    return pas[: found.count], levels[: found.count], missing


def _missing(table: PageTable, entry_pa: int | None, value: int) -> NotInMemoryError:
    if entry_pa is None:
        return NotInMemoryError("the top table is not in the capture", source=table.memory.source, pa=value)
    return NotInMemoryError("a table is not in the capture", source=table.memory.source, pa=entry_pa, found=f"an entry {value:#x}")


def sort(items: Items) -> tuple[int, ...]:
    """Sort items in place; how many there are of each level. EncodeError for a page that is there twice, or beyond 56 bits."""
    import numpy as np

    if native.BUILT:
        counts = native.ffi.new("uint64_t[]", LEVELS)
        scratch = np.empty_like(items)
        room, more = (native.ffi.from_buffer("uint64_t[]", each, require_writable=True) for each in (items, scratch))
        status = native.lib.ds_pt_sort(room, more, len(items), counts)
        if status == native.lib.DS_OK:
            return tuple(counts)
    items.sort()
    places = items // np.uint64(PAGE)
    twice = np.flatnonzero(places[1:] == places[:-1])
    if len(twice):
        raise EncodeError("a page is of two tables", pa=int(places[twice[0]]) * PAGE)
    if len(items) and int(items[-1]) >> 56:
        raise EncodeError("a page beyond 56 bits", pa=int(places[-1]) * PAGE)
    return tuple(np.bincount((items % np.uint64(PAGE)).astype(np.intp), minlength=LEVELS).tolist())


def chain_on(chain: int, chunks: memoryview) -> int:
    """The crc over the crcs of headers, with those of chunks that we wrote."""
    if native.BUILT:
        data = native.ffi.from_buffer(chunks)
        made: int = native.lib.ds_pt_chain(chain, data, len(data))
        return made
    at = 0
    while at < len(chunks):
        chain = native.crc32c(chunks[at + 28 : at + 32], chain)
        at += 32 + int.from_bytes(chunks[at + 16 : at + 20], "little")
    return chain


class _Packer:
    """Packs the groups of sorted items one after the other, or with threads."""

    def __init__(self, memory: PhysMemory, header: Header, items: Items, jobs: int) -> None:
        self.memory, self.part, self.items, self.jobs = memory, header.part, items, jobs
        self._seen = native.c_memory(memory, PAGE) if native.BUILT else None
        size = native.lib.ds_pt_pack_bound(min(GROUP, len(items))) if native.BUILT else 0
        self._rooms = [native.words(size // 8 + 1).cast("B") for _ in range(jobs + 1 if jobs > 1 else 1)]

    def groups(self) -> Iterator[tuple[int, memoryview]]:
        """(number of the next chunk, chunks), in order; what is yielded is good until the next one is asked for."""
        starts = range(0, len(self.items), GROUP)
        if self.jobs <= 1:
            for start in starts:
                yield self._number(start + GROUP), self._pack(start, self._rooms[0])
            return
        from collections import deque
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.jobs) as pool:
            pending: deque[Any] = deque()
            todo = iter(starts)
            for start, room in zip(todo, self._rooms, strict=False):
                pending.append((start, room, pool.submit(self._pack, start, room)))
            while pending:
                start, room, future = pending.popleft()
                yield self._number(start + GROUP), future.result()
                following = next(todo, None)
                if following is not None:
                    pending.append((following, room, pool.submit(self._pack, following, room)))

    def _number(self, start: int) -> int:
        return -(-min(start, len(self.items)) // CHUNK_PAGES)

    def _pack(self, start: int, room: memoryview) -> memoryview:
        """The chunks of the group that begins with this item."""
        items = self.items[start : start + GROUP]
        if not native.BUILT:
            return memoryview(b"".join(self._slow_chunk(items[at : at + CHUNK_PAGES].tolist(), start + at) for at in _steps(len(items))))
        seen = self._seen or native.c_memory(self._copied(items), PAGE)
        assert seen is not None
        given = native.ffi.new("struct ds_pt_pack *", {"memory": seen[0], "part_pa": self.part[0], "part_size": self.part[1]})
        packed = native.ffi.new("struct ds_pt_packed *")
        pages, out = native.ffi.from_buffer("uint64_t[]", items), native.ffi.from_buffer(room)
        status = native.lib.ds_pt_pack(given, pages, len(items), start // CHUNK_PAGES, out, len(room), packed)
        if status == native.lib.DS_EMEMORY:
            pa = int(items[packed.pages]) // PAGE * PAGE
            raise NotInMemoryError("a page is not in the memory", source=self.memory.source, pa=pa)
        native.done(status)
        return room[: packed.bytes]

    def _slow_chunk(self, items: list[int], start: int) -> bytes:
        from devstate.pagetable.stream_slowly import put_chunk, words_of

        pages = [words_of(self._page(item // PAGE * PAGE)) for item in items]
        return put_chunk(items, pages, start // CHUNK_PAGES)

    def _page(self, pa: int) -> bytes | memoryview:
        top, size = self.part
        if not size or pa != top // PAGE * PAGE:
            return self.memory.read(pa, PAGE)
        return bytes(top % PAGE) + self.memory.read(top, size) + bytes(PAGE - top % PAGE - size)

    def _copied(self, items: Items) -> PhysMemory:
        """The pages of a group as memory that the core can see."""
        pas = (items // PAGE * PAGE).tolist()
        return PhysMemory([MemoryRegion(pa, PAGE, memoryview(self._page(pa))) for pa in pas], source=self.memory.source)


def _steps(count: int) -> range:
    return range(0, count, CHUNK_PAGES)
