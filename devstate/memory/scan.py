# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Look for a magic at page starts, at the speed of memory.

A strided view over the first word of each page is copied out in one C loop (8 bytes of 4096), and the search runs in that copy: one
cache line a page is touched, and no Python object is made per page. Files that cannot be mapped are read in large pieces.
"""

from __future__ import annotations

from devstate.errors import NotInMemoryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from devstate.memory.physmem import MemoryRegion, PhysMemory

_PIECE = 1 << 22
"""Bytes looked at in one go: bounds what is copied, and what is read from a file that cannot be mapped."""


def find_pages(memory: PhysMemory, magic: bytes, align: int) -> Iterator[int]:
    """See :meth:`PhysMemory.find_pages`. ``align`` is a power of two of at least 8; ``magic`` is not empty."""
    if not magic or align < 8 or align & (align - 1):
        raise ValueError("find_pages needs a magic and an alignment that is a power of two of at least 8")
    return _search(memory, magic, align)


def _search(memory: PhysMemory, magic: bytes, align: int) -> Iterator[int]:
    width = max(width for width in (1, 2, 4, 8) if width <= len(magic))
    for region in memory.regions:
        for pa in _words(region, magic[:width], align):
            if width == len(magic) or _stands(memory, pa, magic):
                yield pa
        last = region.end - region.end % align
        if region.start <= last < region.end < last + width and _stands(memory, last, magic):  # the word crosses a seam
            yield last


def _stands(memory: PhysMemory, pa: int, magic: bytes) -> bool:
    return memory.contains(pa, len(magic)) and memory.read(pa, len(magic)) == magic


def _words(region: MemoryRegion, word: bytes, align: int) -> Iterator[int]:
    """The aligned addresses in one region where ``word`` (1, 2, 4 or 8 bytes) stands. A part that cannot be read is passed over."""
    codes: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
    piece = max(_PIECE, align)
    for first in range(-region.start % align, region.size, piece):
        try:
            data = region.data[first : min(first + piece, region.size)]
        except NotInMemoryError:
            continue
        usable = len(data) - len(data) % len(word)
        words = data[:usable].cast(codes[len(word)])[:: align // len(word)].tobytes()
        index = words.find(word)
        while index >= 0:
            if index % len(word) == 0:
                yield region.start + first + index // len(word) * align
            index = words.find(word, index + 1)
