# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A device behind an IOMMU: its writes go where the tables say, page by page, through a cache of translations (IOTLB).

What it writes are stamps of 16 bytes, in a ring of slots of the iova space, so that whoever looks later can say which write was the last::

    stamp:   0 sequence u64        8 device u32        12 crc32c of the bytes before u32         native byte order
    number n is in slot n % slots, which is at iova + n % slots * stride
"""

from __future__ import annotations

from devstate.errors import DecodeError, DevstateError
from devstate.frozen import frozen
from devstate.pagetable import native
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.walk import CoreRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.table import PageTable

STAMP_SIZE = 16
TLB_SIZE = 256
"""Translations that a device remembers unless told otherwise; IOMMUs have some hundred to some thousand."""


class DmaFault(DevstateError):
    """A write that the IOMMU stops, or that goes to no memory. ``done`` is what was written before (bytes, or stamps)."""

    def __init__(self, message: str, done: int) -> None:
        self.done = done
        super().__init__(message)


@frozen
class Ring:
    """Where a device's stamps go. ``stride``: bytes between slots, at least those of a stamp."""

    iova: int
    slots: int
    stride: int
    device: int


def core_translate(table: PageTable, iova: int) -> Mapping | None:
    """``PageTable.translate()`` in the core: the same target and access, without what hardware has noted in other entries of the leaf.

    DecodeError when a table is not in the memory, or there is no core that reads it.
    """
    root = _root(table)
    found = native.ffi.new("struct ds_pt_extent *")
    status = native.lib.ds_pt_translate(root.memory, root.root, iova, found)
    if status == native.lib.DS_EMEMORY:
        raise DecodeError("a page table is not in the memory", source=table.memory.source, path=f"iova {iova:#x}")
    native.done(status)
    return Mapping(iova, found.pa, found.size, found.attributes) if found.size else None


def _root(table: PageTable) -> CoreRoot:
    root = CoreRoot.of(table)
    if root is None:
        raise DecodeError("the C core does not read these tables", source=table.memory.source, advice="build it: pip install .")
    return root


class Dma:
    """A device's way through ``table`` into its memory, which must be writable. ``tlb_size`` is a power of two."""

    def __init__(self, table: PageTable, *, tlb_size: int = TLB_SIZE) -> None:
        self._root = _root(table)
        self._tlb = native.ffi.new("struct ds_tlb[]", tlb_size)
        self._dma = native.ffi.new("struct ds_dma *")
        self._dma.memory, self._dma.root = self._root.memory, self._root.root[0]
        self._dma.tlb, self._dma.tlb_size = self._tlb, tlb_size

    @property
    def walks(self) -> int:
        """Translations that were not in the cache."""
        return int(self._dma.walks)

    def flush(self) -> None:
        """Forget all translations: the tables changed."""
        native.ffi.memmove(self._tlb, bytes(native.ffi.sizeof(self._tlb)), native.ffi.sizeof(self._tlb))

    def write(self, iova: int, data: bytes) -> None:
        """Write bytes. DmaFault at the first page that cannot be written."""
        done = native.ffi.new("size_t *")
        self._check(native.lib.ds_dma_write(self._dma, iova, data, len(data), done), done[0], iova)

    def stamp(self, ring: Ring, first: int, count: int) -> None:
        """Write ``count`` stamps, from number ``first`` on. DmaFault, with the number of those written, at one that cannot be."""
        done = native.ffi.new("uint64_t *")
        place = native.ffi.new("struct ds_ring *", {"iova": ring.iova, "slots": ring.slots, "stride": ring.stride, "device": ring.device})
        status = native.lib.ds_dma_stamps(self._dma, place, first, count, done)
        self._check(status, done[0], ring.iova + (first + done[0]) % max(ring.slots, 1) * ring.stride)

    @staticmethod
    def _check(status: int, done: int, iova: int) -> None:
        if status == native.lib.DS_EFORMAT:
            raise DmaFault(f"iova {iova:#x} is not mapped for writing", done)
        if status == native.lib.DS_EMEMORY:
            raise DmaFault(f"iova {iova:#x} leads to no memory", done)
        native.done(status)
