# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write page tables as a stream: :func:`pack`. docs/page-table-stream.md has every byte of it.

The pages that hold tables are listed by a walk over all levels but the last, sorted by address and cut into chunks; these are packed in
the C core, by several threads when asked to, and written in order. Memory is bounded: twice
8 bytes a page, and the chunks in flight (packer.py).
"""

from __future__ import annotations

from devstate.errors import EncodeError, NotInMemoryError
from devstate.frozen import frozen
from devstate.memory import PhysMemory
from devstate.pagetable import native
from devstate.pagetable.packer import Output, Packer
from devstate.pagetable.stream import CHUNK_PAGES, LEVELS, NO_LEVEL, PAGE, PAGES_LIMIT, TRAILER_SIZE, Header, Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO, Any

    import numpy
    import numpy.typing
    from _typeshed import WriteableBuffer

    from devstate.pagetable.table import PageTable

    Items = numpy.typing.NDArray[numpy.uint64]

@frozen
class Pages:
    """Pages of a memory that are of no known tree: their addresses, multiples of 4096, in any order."""

    memory: PhysMemory
    addresses: Iterable[int]


def pack(what: PageTable | Pages, output: IO[bytes] | WriteableBuffer, *, jobs: int = 1, partial: bool = False) -> Totals:
    """Write all pages that hold tables of a tree, or just pages, to ``output``; ``jobs`` is the number of threads.

    ``output``: a file, or memory that the stream is put at the start of; the ``size`` of what is returned says how much of it.
    NotInMemoryError when a table is not in the memory, unless ``partial``: then it is left out, with all below it. EncodeError for
    a tree that cannot be told apart in pages (tables that overlap, a top table across pages), and for an output that is too small.
    """
    header = Header() if isinstance(what, Pages) else Header.of(what)
    items = _items(what, partial=partial)
    levels = sort(items)
    out = Output(output)
    out.put(header.encode())
    chain = Packer(what.memory, header, items, jobs).run(out, native.crc32c(header.encode()[-4:]))
    totals = Totals(-(-len(items) // CHUNK_PAGES), len(items), out.size + TRAILER_SIZE, levels, chain)
    out.put(totals.encode())
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
    first = min(sum(region.size for region in table.memory.regions) // PAGE + 1, PAGES_LIMIT)
    while status == lib.DS_ESPACE or found.problems.count > found.problems.capacity:
        pas, levels = np.empty(max(found.count, first), dtype=np.uint64), np.empty(max(found.count, first), dtype=np.uint8)
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
