# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The content of preserved files: folio arrays, runs of pages, bytes with holes, hashes.

Works on arrays (numpy), never on an object a folio: a 1 TiB file of 4K pages has 256 Mi folios.
"""

from __future__ import annotations

from devstate.errors import DecodeError, UsageError
from devstate.frozen import frozen
from devstate.layout.model import StructType
from devstate.pagetable.folios import RECORD_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy
    import numpy.typing

    from devstate.handover.model import Handover, PreservedFile

    U64s = numpy.typing.NDArray[numpy.uint64]

ZEROS = 1 << 20
"""Bytes of zeros fed to a hash at a time for a hole."""

HOLES_MAX = 1 << 30
"""Bytes that a file may have beyond the memory that is there to be hashed: hashing zeros takes time by what a number claims, and the
holes of real files were filled when they were preserved."""

CONTENT_MAX = 1 << 46
"""Largest file that is hashed or extracted: 64 TiB, beyond the memory of any machine; a size above it is damage."""


PFN_BITS = 52


@frozen
class FolioForm:
    """How a folio record says its page: a word with 52 bits of page frame number and 12 bits of flags, then a word of index.

    ``pfn_shift`` and ``flags_shift`` are the lowest bits of the two, which depend on the byte order as all of C's bit-fields do.
    ``known`` is the mask of the flags that have a name, ``uptodate`` the one without which a page reads as zeros (0: no such flag).
    """

    pfn_shift: int
    flags_shift: int
    known: int
    uptodate: int

    def split(self, word: int) -> tuple[int, int]:
        """(page frame number, flags)."""
        return word >> self.pfn_shift & (1 << PFN_BITS) - 1, word >> self.flags_shift & 0xFFF


MEMFD = FolioForm(0, PFN_BITS, 3, 2)
"""memfd_luo_folio_ser on a little-endian machine: bit 0 dirty, bit 1 uptodate (include/linux/kho/abi/memfd.h)."""


def folio_form(file: PreservedFile) -> FolioForm | None:
    """The form of the file's folio records; None when it has none, or its vmalloc area holds records of something else."""
    if file.layout is None or not isinstance(file.folio_layout, StructType):
        return None
    struct = file.layout.struct(file.folio_layout.struct)
    bits = {field.name: field for field in struct.fields if field.width is not None and field.offset == 0}
    pfn = bits.pop("pfn", None)
    flags = next(iter(bits.values()), None)
    is_form = struct.size == RECORD_SIZE and [(each.name, each.offset) for each in struct.fields[2:]] == [("index", 8)]
    if pfn is None or flags is None or not is_form or (pfn.width, flags.width) != (PFN_BITS, 12):
        return None
    uptodate = sum(1 << bit for name, bit in flags.names if name == "UPTODATE")
    return FolioForm(pfn.shift or 0, flags.shift or 0, flags.known_bits or 0xFFF, uptodate)


def folio_records(handover: Handover, file: PreservedFile) -> bytearray | None:
    """The raw folio array of a file, ``nr_folios`` records of 16 bytes; None when any of it is not there, or it is of no such form."""
    if file.pages is None or file.nr_folios is None or handover.memory is None or folio_form(file) is None:
        return None
    size = file.nr_folios * RECORD_SIZE
    if size > min(len(file.pages.blocks) * file.pages.block_size, handover.memory.size):
        return None
    return file.pages.content(handover.memory, size)


class Runs:
    """The pages of a file as runs: ``index`` (first page in the file), ``pa``, ``pages``; parallel arrays, sorted by index.

    Neighbours that continue each other in the file and in memory are one run.
    """

    __slots__ = ("index", "pa", "pages")

    def __init__(self, index: U64s, pa: U64s, pages: U64s) -> None:
        self.index = index
        self.pa = pa
        self.pages = pages

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.index.tolist(), self.pa.tolist(), self.pages.tolist(), strict=True)


def file_runs(handover: Handover, file: PreservedFile) -> Runs:
    """Where the pages of ``file`` are. DecodeError when the folio array cannot be read.

    How many pages a folio has is in the memory map: the order of the block that starts at its address. A folio that is not preserved
    counts as one page.
    """
    import numpy as np

    records, form = folio_records(handover, file), folio_form(file)
    if records is None or form is None:
        raise DecodeError("the folio array is not in the capture", source=handover.source, pa=file.data_pa, path=file.path)
    order = "<" if handover.environment.byte_order == "little" else ">"
    words = np.frombuffer(records, f"{order}u8").reshape(-1, 2).astype(np.uint64)
    page_size = np.uint64(handover.environment.page_size)
    pfn = words[:, 0] >> np.uint64(form.pfn_shift) & np.uint64((1 << PFN_BITS) - 1)
    present = pfn != 0
    if int(pfn.max(initial=np.uint64(0))) >= (1 << 64) // int(page_size):
        raise DecodeError("a folio is beyond 64 bits of address", source=handover.source, pa=file.data_pa, path=file.path)
    index, pa = words[present, 1], pfn[present] * page_size
    orders = handover.preserved.orders_at(pa) if handover.preserved is not None else np.zeros(len(pa), np.int8)
    pages = np.uint64(1) << np.maximum(orders, 0).astype(np.uint64)
    sort = np.argsort(index, kind="stable")
    index, pa, pages = index[sort], pa[sort], pages[sort]
    starts = np.ones(len(index), bool)
    starts[1:] = (index[1:] != index[:-1] + pages[:-1]) | (pa[1:] != pa[:-1] + pages[:-1] * page_size)
    first = np.flatnonzero(starts)
    totals = np.add.reduceat(pages, first) if len(first) else pages
    return Runs(index[first], pa[first], totals)


def file_pieces(handover: Handover, file: PreservedFile) -> Iterator[tuple[int, memoryview]]:
    """The bytes of ``file`` that its folios hold, as (offset in the file, bytes), ascending, cut at its size. What is missing is a hole.

    DecodeError when the folio array or a page of the file is not in the capture, or two folios claim one place.
    """
    memory, size = handover.memory, file.size
    if memory is None or size is None or size > CONTENT_MAX:
        raise DecodeError(
            "the content cannot be read", source=handover.source, path=file.path, expected=f"a size up to {CONTENT_MAX}", found=size
        )
    page_size = handover.environment.page_size
    end = 0
    for index, pa, pages in file_runs(handover, file):
        offset = index * page_size
        if offset < end:
            raise DecodeError("two folios hold one page of the file", source=handover.source, pa=pa, path=file.path, found=f"page {index}")
        end = offset + pages * page_size
        length = min(end, size) - offset
        if length > 0:
            yield offset, memory.read(pa, length)


def file_sha256(handover: Handover, file: PreservedFile) -> str:
    """SHA-256 of the content, holes as zeros. Errors as :func:`file_pieces`; DecodeError for holes above HOLES_MAX."""
    import hashlib

    most = HOLES_MAX + (handover.memory.size if handover.memory is not None else 0)
    if (file.size or 0) > most:
        message = "the file is much larger than the memory that is there"
        raise DecodeError(message, source=handover.source, path=file.path, expected=f"at most {most} bytes", found=file.size)
    digest = hashlib.sha256()
    at = 0
    for offset, piece in file_pieces(handover, file):
        _hash_zeros(digest, offset - at)
        digest.update(piece)
        at = offset + len(piece)
    _hash_zeros(digest, (file.size or 0) - at)
    return digest.hexdigest()


def _hash_zeros(digest: object, count: int) -> None:
    zeros = bytes(min(count, ZEROS))
    update = digest.update  # type: ignore[attr-defined]  # a hashlib object: its type is private
    while count > 0:
        update(zeros[: min(count, ZEROS)])
        count -= min(count, ZEROS)


def write_content(handover: Handover, file: PreservedFile, output: BinaryIO) -> None:
    """Write the content of ``file`` to a seekable ``output``; holes stay holes. Errors as :func:`file_pieces`; UsageError for a pipe."""
    if not output.seekable():
        raise UsageError("the content of a file is written with holes: give -o a regular file, not a pipe")
    for offset, piece in file_pieces(handover, file):
        output.seek(offset)
        output.write(piece)
    output.truncate(file.size)
