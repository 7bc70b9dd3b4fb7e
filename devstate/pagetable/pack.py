# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write page tables as a stream: :func:`pack`. docs/page-table-stream.md has every byte of it.

The pages that hold tables are found by a walk over all levels but the last (listing.py), and taken in the order of their addresses; groups
of chunks are packed in the C core, by several threads when asked to, and written in order (packer.py). Memory is bounded: a bit for each
page of the memory, some bytes for each table that is no leaf table, and the groups in flight.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.memory import PhysMemory
from devstate.pagetable import native
from devstate.pagetable.listing import pages_listing, tables_listing
from devstate.pagetable.packer import Output, Packer
from devstate.pagetable.stream import CHUNK_PAGES, TRAILER_SIZE, Header, Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

    from _typeshed import WriteableBuffer

    from devstate.pagetable.table import PageTable

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
    listing = pages_listing(what.memory, what.addresses) if isinstance(what, Pages) else tables_listing(what, partial=partial)
    out = Output(output)
    out.put(header.encode())
    chain = Packer(what.memory, header, listing, jobs).run(out, native.crc32c(header.encode()[-4:]))
    totals = Totals(-(-listing.count // CHUNK_PAGES), listing.count, out.size + TRAILER_SIZE, listing.levels, chain)
    out.put(totals.encode())
    return totals
