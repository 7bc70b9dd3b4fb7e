# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kho_vmalloc: the page list of a preserved virtually contiguous area.

::

    kho_vmalloc { first, total_pages, flags, order }
        first --> page { next u64 | phys u64[(PAGE_SIZE - 8) / 8] } --> ... --> 0      a 0 in phys ends a page that is not full

Source: include/linux/kho/abi/kexec_handover.h (6.18), kho_preserve_vmalloc() in kernel/liveupdate/kexec_handover.c. Each address
stands for a block of ``1 << order`` pages; the blocks together are ``total_pages`` pages.
"""

from __future__ import annotations

from array import array
from functools import reduce
from operator import or_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.codec.record import Record
    from devstate.handover.follow import Follow
    from devstate.memory.physmem import PhysMemory

LISTS_MAX = 1 << 23
"""Pages of addresses in one list. u32 total_pages at 511 addresses a page: a kernel cannot write more."""


class PageList:
    """The blocks of an area, in order: what its kho_vmalloc ``record`` at ``pa`` leads to. ``blocks`` are physical addresses (u64),
    ``order`` their page order, ``lists`` the list pages, ``lengths`` how many blocks there are up to and with each of them.

    ``complete`` is False when the list could not be followed to its end.
    """

    __slots__ = ("blocks", "complete", "first_pa", "lengths", "lists", "order", "pa", "page_size", "record", "total_pages")

    def __init__(self, record: Record, pa: int, order: int, page_size: int) -> None:
        self.record = record
        self.pa = pa
        self.first_pa: int = record.first
        self.total_pages: int = record.total_pages
        self.order = order
        self.page_size = page_size
        self.blocks = array("Q")
        self.lists = array("Q")
        self.lengths: list[int] = []
        self.complete = False

    @property
    def block_size(self) -> int:
        """Bytes of one block."""
        return self.page_size << self.order

    def where(self, offset: int) -> int | None:
        """The physical address of byte ``offset`` of the area; None beyond what the list holds."""
        index, within = divmod(offset, self.block_size)
        return self.blocks[index] + within if index < len(self.blocks) else None

    def entry_pa(self, index: int) -> int | None:
        """Where the list says what block ``index`` is: the address of its entry."""
        for number, at in enumerate(self.lists):
            before = self.lengths[number - 1] if number else 0
            if before <= index < self.lengths[number]:
                return at + 8 + (index - before) * 8
        return None

    def end_pa(self) -> int | None:
        """Where the list ends: behind its last entry. None when there is no list page."""
        if not self.lists:
            return None
        before = self.lengths[-2] if len(self.lengths) > 1 else 0
        return self.lists[-1] + 8 + (self.lengths[-1] - before) * 8

    def pieces(self, memory: PhysMemory, size: int) -> Iterator[tuple[int, memoryview | None]]:
        """The first ``size`` bytes of the area as (physical address, bytes or None when not in the capture), block after block."""
        left = min(size, len(self.blocks) * self.block_size)
        for pa in self.blocks:
            if left <= 0:
                return
            step = min(self.block_size, left)
            yield pa, memory.read(pa, step) if memory.contains(pa, step) else None
            left -= step

    def content(self, memory: PhysMemory, size: int) -> bytearray | None:
        """The first ``size`` bytes of the area, joined; None when any of them is missing."""
        joined = bytearray()
        for _, piece in self.pieces(memory, size):
            if piece is None:
                return None
            joined += piece
        return joined if len(joined) == size else None


def read_page_list(follow: Follow, record: Record, pa: int, path: str) -> PageList:
    """The page list that the kho_vmalloc ``record`` at ``pa`` leads to. Damage becomes problems and an incomplete list."""
    page_size = follow.page_size
    order = record.order if record.order < 32 else 0
    pages = PageList(record, pa, order, page_size)
    wanted = -(-record.total_pages // (1 << order))
    seen: set[int] = set()
    link, at = pa, record.first
    while at:
        if at in seen or len(seen) > LISTS_MAX or len(pages.blocks) > wanted:
            code = "vmalloc-cycle" if at in seen else "vmalloc-endless"
            follow.problem(code, "the page list does not end where total_pages says", link, path, f"{wanted} blocks", f"more, at {at:#x}")
            return pages
        seen.add(at)
        if at % page_size:
            follow.problem(
                "pointer-misaligned", "a page list does not start at a page boundary", link, path, f"a multiple of {page_size}", f"{at:#x}"
            )
        page = follow.walk(at, page_size, path, link)
        if page is None:
            return pages
        follow.claim(at, page_size, path, "page-list", link)
        pages.lists.append(at)
        words = array("Q")
        words.frombytes(page)
        if follow.swapped:
            words.byteswap()
        entries = words[1:]
        entries = entries[: entries.index(0)] if 0 in entries else entries
        if reduce(or_, entries, 0) % page_size:
            message = "an entry is no page address: the kernel drops the low bits"
            odd = next(number for number, entry in enumerate(entries) if entry % page_size)
            follow.problem("vmalloc-address", message, at + 8 + 8 * odd, path, f"a multiple of {page_size}", f"{entries[odd]:#x}")
            entries = array("Q", [entry - entry % page_size for entry in entries])
        pages.blocks.extend(entries)
        pages.lengths.append(len(pages.blocks))
        link, at = at, words[0]
        preserved = follow.handover.preserved
        if at and entries and preserved is not None and preserved.order_at(entries[0]) is None:
            return pages  # as the kernel does: what follows is not looked at
    pages.complete = True
    return pages
