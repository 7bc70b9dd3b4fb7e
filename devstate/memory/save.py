# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write memory as an ELF64 core: one PT_LOAD for each contiguous run, our note in front, zeros as holes of a sparse file.

::

    ELF header | PT_NOTE, PT_LOAD ... | section header 0, above 65534 program headers (PN_XNUM) | notes | runs, each at a multiple of 4096

The headers come first and the length of the file is set last, so a core whose writing was interrupted is refused as truncated.
"""

from __future__ import annotations

from struct import pack

from devstate.memory.elf import EHDR_SIZE, ET_CORE, MAGIC, PHDR_SIZE, PN_XNUM, PT_LOAD, PT_NOTE, SHDR_SIZE
from devstate.memory.physmem import PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import IO, Literal

    from devstate.memory.notes import HandoverNote, Note
    from devstate.memory.physmem import MemoryRegion

EM_X86_64 = 62
EM_AARCH64 = 183
ALIGN = 4096

_BLOCK = 1 << 16
"""Bytes that are looked at, and left out if they are all zero, in one go."""


def save_elf(
    out: str | IO[bytes],
    regions: Iterable[MemoryRegion],
    note: HandoverNote | None = None,
    *,
    notes: Sequence[Note] = (),
    byteorder: Literal["little", "big"] = "little",
    machine: int = EM_X86_64,
    compress: bool | None = None,
) -> None:
    """Write ``regions`` (any order, no overlap) to the path or binary file ``out``; ``notes`` go beside our own ``note``.

    ``compress`` makes it zstd; None: if the path ends in ``.zst``. ImageError and LimitError as PhysMemory; OSError from writing.
    """
    runs = _runs(PhysMemory(regions, source="saved memory").regions)
    packed = b"".join(item.pack(byteorder) for item in ((note.note(),) if note else ()) + tuple(notes))
    head, offsets, total = _headers(runs, packed, byteorder, machine)
    if isinstance(out, str):
        with open(out, "wb") as file:
            _save(file, head, runs, offsets, total, out.endswith(".zst") if compress is None else compress)
    else:
        _save(out, head, runs, offsets, total, bool(compress))


def _runs(regions: tuple[MemoryRegion, ...]) -> list[list[MemoryRegion]]:
    """Adjacent regions together."""
    runs: list[list[MemoryRegion]] = []
    for region in regions:
        if runs and runs[-1][-1].end == region.start:
            runs[-1].append(region)
        else:
            runs.append([region])
    return runs


def _headers(runs: list[list[MemoryRegion]], notes: bytes, byteorder: str, machine: int) -> tuple[bytes, list[int], int]:
    """(everything before the first run, file offset of each run, length of the file)."""
    sign = "<" if byteorder == "little" else ">"
    count = len(runs) + bool(notes)
    extended = count >= PN_XNUM
    notes_at = EHDR_SIZE + count * PHDR_SIZE + SHDR_SIZE * extended
    offset = notes_at + len(notes)
    phdrs = [pack(f"{sign}IIQQQQQQ", PT_NOTE, 0, notes_at, 0, 0, len(notes), len(notes), 4)] if notes else []
    offsets = []
    for run in runs:
        offset += -offset % ALIGN
        size = run[-1].end - run[0].start
        phdrs.append(pack(f"{sign}IIQQQQQQ", PT_LOAD, 4, offset, 0, run[0].start, size, size, ALIGN))
        offsets.append(offset)
        offset += size
    ident = MAGIC + bytes([2, 1 if sign == "<" else 2, 1]) + bytes(9)
    sections = (notes_at - SHDR_SIZE, SHDR_SIZE, 1) if extended else (0, 0, 0)
    phnum = min(count, PN_XNUM)
    head = ident + pack(
        f"{sign}HHIQQQIHHHHHH", ET_CORE, machine, 1, 0, EHDR_SIZE, sections[0], 0, EHDR_SIZE, PHDR_SIZE, phnum, sections[1], sections[2], 0
    )
    section = pack(f"{sign}IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0) if extended else b""
    return b"".join([head, *phdrs, section, notes]), offsets, offset


def _save(file: IO[bytes], head: bytes, runs: list[list[MemoryRegion]], offsets: list[int], total: int, compress: bool) -> None:
    if compress:
        from devstate.memory.zstd import writer

        with writer(file, total) as compressed:
            _fill(_Sparse(compressed, can_seek=False), head, runs, offsets)
    else:
        _fill(_Sparse(file, can_seek=file.seekable()), head, runs, offsets)


def _fill(sparse: _Sparse, head: bytes, runs: list[list[MemoryRegion]], offsets: list[int]) -> None:
    sparse.file.write(head)
    at = len(head)
    for run, offset in zip(runs, offsets, strict=True):
        sparse.skip(offset - at)
        for region in run:
            for first in range(0, region.size, _BLOCK):
                sparse.put(bytes(region.data[first : min(first + _BLOCK, region.size)]))
        at = offset + run[-1].end - run[0].start
    sparse.end()


class _Sparse:
    """A file in which zeros are skipped; where it cannot seek (a pipe, a compressor), they are written."""

    def __init__(self, file: IO[bytes], *, can_seek: bool) -> None:
        self.file = file
        self.can_seek = can_seek
        self.zeros = 0

    def skip(self, size: int) -> None:
        self.zeros += size

    def put(self, block: bytes) -> None:
        if block.count(0) == len(block):
            self.zeros += len(block)
            return
        self._make_room()
        self.file.write(block)

    def end(self) -> None:
        """Give the file its length: write the last of the zeros that were skipped."""
        if self.zeros:
            self.zeros -= 1
            self._make_room()
            self.file.write(b"\0")

    def _make_room(self) -> None:
        if self.can_seek:
            self.file.seek(self.zeros, 1)
        else:
            for first in range(0, self.zeros, _BLOCK):
                self.file.write(bytes(min(_BLOCK, self.zeros - first)))
        self.zeros = 0
