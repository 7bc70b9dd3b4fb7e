# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The building twin of PhysMemory: memory in which a handover is laid out, page by page.

Pages are given out first fit from one range of addresses, lowest first, or at an address that the caller names ("pinned", also outside
that range). What was allocated is what :meth:`Arena.view` shows and :meth:`Arena.save` writes; all else is absent, as in a capture. Nothing
is ever freed. Untouched pages cost nothing and read as zeros: the range is an anonymous mapping, unless the caller gives memory of its own.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left, bisect_right

from devstate.errors import EncodeError
from devstate.memory.physmem import ADDRESS_END, MemoryRegion, PhysAddr, PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Literal

    from devstate.memory.notes import HandoverNote

BASE = 0x1000_0000
"""Where an arena begins unless told otherwise: 256 MiB, RAM on any machine, and no address that looks like a small number."""

SIZE = 1 << 30
"""Bytes of an arena unless told otherwise."""

MAX_ORDER = 18
"""Highest order of one allocation: 1 GiB in 4K pages, the largest folio of x86."""


MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
"""Linux (include/uapi/asm-generic/mman-common.h); Python names it from 3.13 on. Memory that nobody writes to is none."""

FEW = 1 << 20
"""Bytes below which a mapping of its own is not worth it."""


def _zeros(size: int) -> memoryview:
    """Memory that is zeros, and takes room only where it is written to."""
    if size < FEW:
        return memoryview(bytearray(size))
    try:
        return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE))
    except OSError as error:
        raise EncodeError(f"this machine has no room for it: {error.strerror}", source="arena", found=f"{size:#x} bytes") from None



class Arena:
    """Memory to build in. ``base`` and ``size`` bound what is given out; ``page_size`` is the granule, ``byteorder`` that of the machine.

    All errors are EncodeError with the address: an arena is full, a pinned page is taken, a write goes where nothing was allocated.
    """

    def __init__(
        self,
        base: int = BASE,
        size: int = SIZE,
        *,
        page_size: int = 4096,
        byteorder: Literal["little", "big"] = "little",
        source: str = "arena",
        backing: memoryview | None = None,
    ) -> None:
        if base % page_size or size % page_size or not 0 <= base < base + size <= ADDRESS_END:
            raise EncodeError("arena of no whole pages", pa=base, expected=f"a multiple of {page_size:#x}", found=f"{size:#x}")
        self.base = base
        self.end = base + size
        self.page_size = page_size
        self.byteorder: Literal["little", "big"] = byteorder
        self.source = source
        self._taken = _Runs()
        self._present = _Runs()
        self._starts = [base]
        self._dirty = backing is not None
        if backing is None:
            backing = _zeros(size)
        elif backing.nbytes != size or backing.readonly:
            raise EncodeError("arena over memory that does not fit", expected=f"{size:#x} writable bytes", found=f"{backing.nbytes:#x}")
        self._banks = [(base, self.end, backing)]

    def alloc(self, size: int | None = None, *, order: int | None = None, align: int | None = None, at: int | None = None) -> PhysAddr:
        """Allocate ``size`` bytes (default one page; rounded up to pages), or the ``1 << order`` pages of a folio, naturally aligned.

        ``align`` is a power of two of at least a page; ``at`` pins the address. What the arena chose is zeros; what is pinned in memory
        that the caller gave stays as it is.
        """
        if order is not None:
            if not 0 <= order <= MAX_ORDER:
                raise EncodeError("order of an allocation", source=self.source, pa=at, expected=f"0..{MAX_ORDER}", found=order)
            size = self.page_size << order
            align = max(align or 0, size)
        length = max(1, -(-(size if size is not None else 1) // self.page_size)) * self.page_size
        step = max(align or 0, self.page_size)
        chosen = at is None
        if at is None:
            at = self._taken.first_fit(self.base, self.end, length, step)
            if at is None:
                raise EncodeError("arena is full", source=self.source, expected=f"{length:#x} free bytes, aligned to {step:#x}")
        elif at < 0 or at % step or at + length > ADDRESS_END:
            raise EncodeError("pinned address", source=self.source, pa=at, expected=f"a multiple of {step:#x} below 2^64")
        self._take(at, length)
        self._back(at, at + length)
        self._present.add(at, at + length)
        if chosen and self._dirty:
            self.span(at, length)[:] = bytes(length)
        return PhysAddr(at)

    def reserve(self, pa: int, size: int) -> None:
        """Keep the pages of ``size`` bytes at ``pa`` from being given out: no RAM, or somebody else's. They stay absent."""
        self._take(pa, size + -(pa + size) % self.page_size)

    def back(self, pa: int, data: bytes | bytearray | memoryview) -> None:
        """Give ``data``, whole pages, to reserved pages: these are present then."""
        self._back(pa, pa + len(data))
        self._present.add(pa, pa + len(data))
        self.write(pa, data)

    def write(self, pa: int, data: bytes | bytearray | memoryview) -> None:
        """Put ``data`` at ``pa``, inside what was allocated; it may run over allocations that are neighbours."""
        view = memoryview(data).cast("B") if isinstance(data, memoryview) else memoryview(data)
        offset = 0
        for piece in self._pieces(pa, len(view)):
            piece[:] = view[offset : offset + len(piece)]
            offset += len(piece)

    def span(self, pa: int, size: int) -> memoryview:
        """A writable view of ``size`` allocated bytes at ``pa``, to be filled in place (as numpy does)."""
        pieces = list(self._pieces(pa, size))
        if len(pieces) > 1:
            raise EncodeError("span crosses the edge of the arena's range", source=self.source, pa=pa, found=f"{size:#x} bytes")
        return pieces[0] if pieces else memoryview(bytearray())

    def view(self) -> PhysMemory:
        """What was allocated so far, as memory to read. No bytes are copied: later writes are seen, later allocations are not."""
        regions = []
        for start, end in self._present.runs():
            while start < end:
                first, last, bytes_ = self._banks[bisect_right(self._starts, start) - 1]
                stop = min(end, last)
                regions.append(MemoryRegion(start, stop - start, bytes_[start - first : stop - first].toreadonly()))
                start = stop
        return PhysMemory(regions, source=self.source, byteorder=self.byteorder, page_size=self.page_size)

    def save(self, out: str | IO[bytes], note: HandoverNote | None = None, *, compress: bool | None = None) -> None:
        """Write what was allocated as an ELF core, with ``note`` (default: one that says the page size only). See save_elf()."""
        from devstate.memory.notes import HandoverNote
        from devstate.memory.save import save_elf

        note = note or HandoverNote(page_size=self.page_size)
        save_elf(out, self.view().regions, note, byteorder=self.byteorder, compress=compress)

    def _take(self, pa: int, size: int) -> None:
        if self._taken.overlaps(pa, pa + size):
            raise EncodeError("memory is already taken", source=self.source, pa=pa, found=f"{size:#x} bytes")
        self._taken.add(pa, pa + size)

    def _back(self, start: int, end: int) -> None:
        """See to it that pinned pages outside the range have bytes."""
        while start < end:
            index = bisect_right(self._starts, start) - 1
            if index >= 0 and start < self._banks[index][1]:
                start = self._banks[index][1]
                continue
            stop = min(end, self._starts[index + 1]) if index + 1 < len(self._starts) else end
            self._starts.insert(index + 1, start)
            self._banks.insert(index + 1, (start, stop, _zeros(stop - start)))
            start = stop

    def _pieces(self, pa: int, size: int) -> Iterator[memoryview]:
        end = pa + size
        if size and not self._present.covers(pa, end):
            raise EncodeError("write to memory that was not allocated", source=self.source, pa=pa, found=f"{size:#x} bytes")
        while pa < end:
            first, last, bytes_ = self._banks[bisect_right(self._starts, pa) - 1]
            stop = min(end, last)
            yield bytes_[pa - first : stop - first]
            pa = stop


class _Runs:
    """A set of addresses as sorted runs [start, end) that never touch."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def runs(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts, self.ends, strict=True)

    def add(self, start: int, end: int) -> None:
        """Add addresses that are not in it."""
        if start == end:
            return
        first, last = bisect_left(self.ends, start), bisect_right(self.starts, end)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last] = [start]
        self.ends[first:last] = [end]

    def overlaps(self, start: int, end: int) -> bool:
        index = bisect_right(self.ends, start)
        return start < end and index < len(self.starts) and self.starts[index] < end

    def covers(self, start: int, end: int) -> bool:
        index = bisect_right(self.starts, start) - 1
        return index >= 0 and end <= self.ends[index]

    def first_fit(self, low: int, high: int, size: int, align: int) -> int | None:
        """The lowest aligned address in [low, high) with ``size`` free bytes."""
        index = bisect_right(self.ends, low)
        at = low + -low % align
        while at + size <= high:
            if index == len(self.starts) or at + size <= self.starts[index]:
                return at
            at = max(at, self.ends[index])
            at += -at % align
            index += 1
        return None
