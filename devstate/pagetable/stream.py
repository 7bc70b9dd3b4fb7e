# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The frame of the page-table stream: its header, its trailer, and what can be wrong with it. docs/page-table-stream.md has every byte.

::

    | header 64 | chunk 0 | chunk 1 | ... | chunk n | trailer 96 |

    chunk:  | magic u32 | number u32 | first pa u64 | body bytes u32 | pages u16 | list bytes u16 | crc of body u32 | crc of these u32 |
            | page list | records, one or more pages each | zeros up to a multiple of 8 |

What is in the chunks is written and read by csrc/pt_chunk.c and csrc/pt_read.c, or by ``stream_slowly.py`` where there is no core.
"""

from __future__ import annotations

from struct import pack, unpack_from

from devstate.errors import DecodeError, TruncatedError
from devstate.frozen import frozen
from devstate.pagetable import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from devstate.memory import PhysMemory
    from devstate.pagetable.table import PageTable

MAGIC = b"ds-pages"
CHUNK_MAGIC = b"chnk"
TRAILER_MAGIC = b"tail"
VERSION = 1

PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
"""Bytes of a page of the stream, whatever the size of a table."""

CHUNK_PAGES = 256
"""The most pages of a chunk: 1 MiB, which the caches hold while it is written."""

CHUNK_BYTES = 32 + CHUNK_PAGES * (PAGE + 9) + 7
"""The most bytes of a chunk: ds_pt_pack_bound(CHUNK_PAGES)."""

LEVELS = 8
"""Levels that a page can be of: 0 to 5, and NO_LEVEL."""

NO_LEVEL = 7
"""The level of a page that is of no tree."""

PAGES_LIMIT = 1 << 22
"""Pages that a stream may have unless the caller says otherwise: 16 GiB of tables, for 8 TiB mapped in pages of 4K."""

_HEADER = "<8sHHBBBB24sQIQ"
_TRAILER = "<4sIQQ8QI"
HEADER_SIZE, TRAILER_SIZE = 64, 96


@frozen
class Header:
    """What the tables are. ``levels`` is 0, and all else empty, for a stream of pages that are of no known tree."""

    levels: int = 0
    table_shift: int = 0
    sign_extended: bool = False
    format: str = ""
    top_table: int = 0
    top_entries: int = 0

    @classmethod
    def of(cls, table: PageTable) -> Header:
        """That of a tree."""
        format = table.format
        return cls(table.levels, format.granule_shift, table.sign_extended, format.name, table.top_table, table.top_entries)

    def encode(self) -> bytes:
        """The 64 bytes at the start of a stream."""
        fields = (self.levels, self.table_shift, PAGE_SHIFT if self.levels else 0, int(self.sign_extended), self.format.encode())
        head = pack(_HEADER, MAGIC, VERSION, HEADER_SIZE, *fields, self.top_table, self.top_entries, 0)
        return head + pack("<I", native.crc32c(head))

    @classmethod
    def decode(cls, data: ReadableBuffer, source: str) -> Header:
        """DecodeError when a stream of this version does not start like this."""
        view = memoryview(data)
        if len(view) < HEADER_SIZE:
            raise TruncatedError("no page-table stream", source=source, offset=0, expected=f"{HEADER_SIZE} bytes", found=len(view))
        magic, version, size, levels, table_shift, page_shift, flags, name, top, entries, zero = unpack_from(_HEADER, view)
        if magic != MAGIC:
            raise DecodeError("no page-table stream", source=source, offset=0, expected=f"{MAGIC!r}", found=f"{bytes(magic)!r}")
        if (version, size) != (VERSION, HEADER_SIZE):
            raise DecodeError("version of the page-table stream", source=source, offset=8, expected=VERSION, found=version)
        crc = int.from_bytes(view[HEADER_SIZE - 4 : HEADER_SIZE], "little")
        _expect_crc(native.crc32c(view[: HEADER_SIZE - 4]), crc, source, HEADER_SIZE - 4, "the header")
        text = bytes(name).rstrip(b"\0")
        made = cls(levels, table_shift, bool(flags), text.decode("ascii", "replace"), top, entries)
        whole = levels and table_shift in (12, 14, 16) and page_shift == PAGE_SHIFT and flags < 2 and made._top_is_sound()
        if not text.isascii() or b"\0" in text or zero or ((made != cls() or page_shift or flags) and not whole):
            raise DecodeError("fields of the header", source=source, offset=12, expected="those of a tree of tables, or zeros")
        return made

    def _top_is_sound(self) -> bool:
        """Whether the top table is some pages, or inside one."""
        entries = self.top_entries
        aligned = entries and not entries & (entries - 1) and not self.top_table % min(8 * entries, PAGE)
        return bool(aligned) and 0 < self.levels <= NO_LEVEL and self.top_table + 8 * entries <= 1 << 64

    @property
    def part(self) -> tuple[int, int]:
        """(address, bytes) of a top table that is only a part of its page; (0, 0) for none."""
        size = 8 * self.top_entries
        return (self.top_table, size) if 0 < size < PAGE else (0, 0)

    def table(self, memory: PhysMemory, top_table: int | None = None) -> PageTable:
        """The tree, in a memory that has it, by default where it was. UsageError for pages of no tree, or a format that we do not know."""
        from devstate.errors import UsageError
        from devstate.pagetable.table import PageTable

        if not self.levels:
            raise UsageError("the stream has pages of no known tree of tables")
        return PageTable(
            memory,
            self.format,
            self.top_table if top_table is None else top_table,
            self.levels,
            granule=1 << self.table_shift,
            top_entries=self.top_entries,
            sign_extended=self.sign_extended,
        )


@frozen
class Totals:
    """What a trailer says. ``size``: bytes of the stream; ``levels``: pages of each, NO_LEVEL last; ``chain``: crc over the headers."""

    chunks: int
    pages: int
    size: int
    levels: tuple[int, ...]
    chain: int

    def encode(self) -> bytes:
        """The 96 bytes at the end of a stream."""
        tail = pack(_TRAILER, TRAILER_MAGIC, self.chunks, self.pages, self.size, *self.levels, self.chain)
        return tail + pack("<I", native.crc32c(tail))

    @classmethod
    def decode(cls, data: ReadableBuffer, source: str, offset: int) -> Totals:
        """DecodeError when there is no trailer there."""
        view = memoryview(data)
        if len(view) < TRAILER_SIZE:
            raise TruncatedError("the trailer is cut", source=source, offset=offset, expected=f"{TRAILER_SIZE} bytes", found=len(view))
        magic, chunks, pages, size, *rest = unpack_from(_TRAILER, view)
        if magic != TRAILER_MAGIC:
            raise DecodeError("no trailer", source=source, offset=offset, expected=f"{TRAILER_MAGIC!r}", found=f"{bytes(magic)!r}")
        crc = int.from_bytes(view[TRAILER_SIZE - 4 : TRAILER_SIZE], "little")
        _expect_crc(native.crc32c(view[: TRAILER_SIZE - 4]), crc, source, offset + TRAILER_SIZE - 4, "the trailer")
        return cls(chunks, pages, size, tuple(rest[:LEVELS]), rest[LEVELS])


def _expect_crc(computed: int, stored: int, source: str, offset: int, what: str) -> None:
    if computed != stored:
        raise DecodeError(f"{what} is damaged", source=source, offset=offset, expected=f"crc32c {computed:#010x}", found=f"{stored:#010x}")
