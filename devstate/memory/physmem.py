# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Physical memory, or the part of it that was captured.

::

    pa      0          0x14bb000   0x14c0000      0x1500000    0x1518000
            |  absent  |  region   |  absent      |  region    | ...
                       `--- data: a view of the file, never a copy

A :class:`PhysMemory` is a sorted tuple of regions that do not overlap. A read inside one region is a view of the backing bytes; a read
that runs over the seam of adjacent regions is joined; a read of anything absent raises ``NotInMemoryError``, which is
normal: captures hold only the pages that matter. Bytes are never made up: what is absent is not zero.
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.errors import ImageError, LimitError, NotInMemoryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Literal, TypeAlias

    from devstate.memory.backing import FileBytes

    Data: TypeAlias = memoryview | FileBytes

MAX_READ = 1 << 34
"""Bytes in one read: 16 GiB, the largest huge page of any kernel (arm64 with 64K pages). Nothing in a handover is longer in one piece."""

MAX_REGIONS = 1 << 20
"""Regions in one memory: a dump filtered down to lone 4K pages scattered over 8 GiB reaches this; more is no capture of a handover."""

ADDRESS_END = 1 << 64
"""One above the highest physical address."""

_EMPTY = memoryview(b"")


class PhysAddr(int):
    """A physical address: an int that shows itself in hex. Arithmetic gives plain ints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self):#x}"

    __str__ = __repr__


class MemoryRegion:
    """``size`` bytes of captured memory from ``start``. ``data`` is sliced to read them: a memoryview, or a file that cannot be mapped.

    Compared by identity: equal contents at another place are another region, and hashing gigabytes is nobody's wish.
    """

    __slots__ = ("data", "end", "size", "start")

    def __init__(self, start: int, size: int, data: Data) -> None:
        self.start = start
        self.size = size
        self.end = start + size
        self.data = data

    def __repr__(self) -> str:
        return f"MemoryRegion({self.start:#x}-{self.end:#x})"


class PhysMemory:
    """Read-only physical memory. ``source`` names it in errors; ``regions`` are sorted; ``byteorder`` and ``page_size`` (None if
    the source does not say) are those of the captured machine; ``vmcoreinfo`` is the text of that ELF note, by key.

    ImageError for a region that is empty, overlaps another or leaves the 64-bit address space; LimitError above MAX_REGIONS.
    """

    __slots__ = ("_starts", "byteorder", "page_size", "regions", "source", "vmcoreinfo")

    def __init__(
        self,
        regions: Iterable[MemoryRegion],
        *,
        source: str = "memory",
        byteorder: Literal["little", "big"] = "little",
        page_size: int | None = None,
        vmcoreinfo: Mapping[str, str] | None = None,
    ) -> None:
        self.regions = tuple(sorted(regions, key=lambda region: region.start))
        self.source = source
        self.byteorder = byteorder
        self.page_size = page_size
        self.vmcoreinfo: Mapping[str, str] = vmcoreinfo or {}
        self._starts = [region.start for region in self.regions]
        if len(self.regions) > MAX_REGIONS:
            raise LimitError("too many memory regions", source=source, expected=f"at most {MAX_REGIONS}", found=len(self.regions))
        end = 0
        for region in self.regions:
            if region.size <= 0 or region.end > ADDRESS_END:
                raise ImageError("memory region is empty or beyond 64 bits", source=source, pa=region.start, found=f"size {region.size:#x}")
            if region.start < end:
                raise ImageError(
                    "memory regions overlap", source=source, pa=region.start, expected=f"a start at or above {end:#x}", found=f"{region!r}"
                )
            end = region.end

    def __repr__(self) -> str:
        return f"PhysMemory({self.source!r}, {len(self.regions)} regions, {self.size} bytes)"

    @property
    def size(self) -> int:
        """Bytes that are present."""
        return sum(region.size for region in self.regions)

    def read(self, pa: int, size: int) -> memoryview:
        """The ``size`` bytes at ``pa``: a view where one region holds them all, joined bytes where they cross a seam.

        NotInMemoryError when any of them is absent, LimitError for a size below 0 or above MAX_READ.
        """
        if not 0 <= size <= MAX_READ:
            raise self._too_long(pa, size)
        index = bisect_right(self._starts, pa) - 1
        if index >= 0:
            region = self.regions[index]
            offset = pa - region.start
            if offset + size <= region.size:
                return region.data[offset : offset + size]
        if size == 0:
            return _EMPTY
        if not self.contains(pa, size):
            raise self._absent(pa, size)
        return memoryview(b"".join(piece for _, piece in self.read_present(pa, size)))

    def contains(self, pa: int, size: int = 1) -> bool:
        """Whether all ``size`` bytes at ``pa`` are present; no bytes always are."""
        end = pa + size
        index = max(bisect_right(self._starts, pa) - 1, 0)
        while pa < end and index < len(self.regions) and self.regions[index].start <= pa:
            pa = max(pa, self.regions[index].end)
            index += 1
        return pa >= end

    def read_present(self, pa: int, size: int) -> Iterator[tuple[int, memoryview]]:
        """The parts of ``size`` bytes at ``pa`` that are present, as (offset from ``pa``, view), in order. LimitError as in read()."""
        if not 0 <= size <= MAX_READ:
            raise self._too_long(pa, size)
        end = pa + size
        for index in range(max(bisect_right(self._starts, pa) - 1, 0), len(self.regions)):
            region = self.regions[index]
            if region.start >= end:
                return
            first, last = max(pa, region.start), min(end, region.end)
            if first < last:
                yield first - pa, region.data[first - region.start : last - region.start]

    def u32(self, pa: int) -> int:
        """The 32-bit integer at ``pa`` in the byte order of the machine."""
        return int.from_bytes(self.read(pa, 4), self.byteorder)

    def u64(self, pa: int) -> int:
        """The 64-bit integer at ``pa`` in the byte order of the machine."""
        return int.from_bytes(self.read(pa, 8), self.byteorder)

    def find_pages(self, magic: bytes, align: int = 4096) -> Iterator[int]:
        """The addresses, ascending, that are multiples of ``align`` and where ``magic`` stands. Looks at one word a page."""
        from devstate.memory.scan import find_pages

        return find_pages(self, magic, align)

    def _too_long(self, pa: int, size: int) -> LimitError:
        return LimitError("read of an impossible size", source=self.source, pa=pa, expected=f"0..{MAX_READ:#x}", found=f"{size:#x}")

    def _absent(self, pa: int, size: int) -> NotInMemoryError:
        index = bisect_right(self._starts, pa)
        near = min(self.regions[max(index - 1, 0) : index + 1], key=lambda region: max(region.start - pa, pa - region.end), default=None)
        return NotInMemoryError(
            "not in the capture",
            source=self.source,
            pa=pa,
            expected=f"{size:#x} bytes",
            found=f"nearest region {near.start:#x}-{near.end:#x}" if near else "no memory at all",
        )
