# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where the parts of a built handover go: preserved and other memory of an Arena, at pinned addresses or where there is room.

What is preserved is noted as the blocks that a kernel would preserve it as.
"""

from __future__ import annotations

from devstate.errors import EncodeError
from devstate.memory.physmem import ADDRESS_END
from devstate.pagetable.radix import Run, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstate.memory.arena import Arena


class Room:
    """Memory by the names of places (``devstate.handover.spec``). ``placed`` is where each came to be, ``preserved`` the blocks.

    ``lowest`` is the order of the smallest block that the memory map can hold; ``hollow``: contents at given addresses get no bytes.
    """

    __slots__ = ("_pins", "_shared", "_slab", "arena", "hollow", "lowest", "page", "placed", "preserved")

    def __init__(self, arena: Arena, page: int, lowest: int, pins: Mapping[str, int], *, hollow: bool = False) -> None:
        self.arena = arena
        self.hollow = hollow
        self.page = page
        self.lowest = lowest
        self.placed: dict[str, int] = {}
        self.preserved: list[Run] = []
        self._pins = pins
        self._shared: set[int] = set()
        self._slab = 0

    def take(self, place: str, size: int) -> int:
        """Preserved memory for ``size`` bytes, in as many pages as it takes."""
        unit = self.page << self.lowest
        size = -(-max(size, 1) // unit) * unit
        pa = self._alloc(place, size, unit)
        self.preserved += cut([(pa, size)], self.page)
        return pa

    def apart(self, place: str, size: int) -> int:
        """The same with a page of nobody's on both sides, unless it is pinned: a region comes from early boot, and so do its neighbours."""
        if place in self._pins:
            return self._reserved(place, size) if self.hollow else self.take(place, size)
        self.arena.alloc()
        pa = self.take(place, size)
        self.arena.alloc()
        return pa

    def blocks(self, place: str, count: int, order: int) -> int:
        """``count`` preserved blocks of ``order``, one behind the other."""
        order = max(order, self.lowest)
        size = self.page << order
        pa = self._alloc(place, size * count, size)
        self.preserved.append(Run(pa, count, order))
        return pa

    def fixed(self, place: str, pa: int, count: int, order: int) -> None:
        """The same at an address that is part of what is built."""
        size = (self.page << order) * count
        try:
            if self.hollow and pa % (self.page << order) == 0 and pa + size <= ADDRESS_END:
                self.arena.reserve(pa, size)
            else:
                self.arena.alloc(size, align=self.page << order, at=pa)
        except EncodeError as error:
            raise error.at(path=place) from None
        self.preserved.append(Run(pa, count, order))

    def _reserved(self, place: str, size: int) -> int:
        """A pinned region without bytes."""
        unit = self.page << self.lowest
        pa = self.placed[place] = self._pins[place]
        size = -(-size // unit) * unit
        if pa % unit or pa + size > ADDRESS_END:
            raise EncodeError("pinned address", pa=pa, path=place, expected=f"a multiple of {unit:#x} below 2^64")
        try:
            self.arena.reserve(pa, size)
        except EncodeError as error:
            raise error.at(path=place) from None
        self.preserved += cut([(pa, size)], self.page)
        return pa

    def put(self, place: str, data: bytes, size: int | None = None, order: int | None = None) -> int:
        """Preserved memory of ``size`` bytes (what it takes, by default), or a block of ``order``, with ``data`` at its start."""
        if order is None:
            pa = self.take(place, len(data) if size is None else size)
        elif len(data) > self.page << order:
            raise EncodeError("more than the block holds", path=place, expected=f"at most {self.page << order} bytes", found=len(data))
        else:
            pa = self.blocks(place, 1, order)
        self.arena.write(pa, data)
        return pa

    def aside(self, place: str, data: bytes) -> int:
        """Memory that is not preserved, with ``data``, in pages of its own. A pin may be anywhere in its first page."""
        pin = self._pins.get(place)
        inside = pin % self.page if pin is not None else 0
        pa = self._alloc(place, len(data) + inside, self.page, inside) + inside
        self.arena.write(pa, data)
        return pa

    def slot(self, place: str, data: bytes) -> int:
        """Memory that is not preserved, with ``data``. What is smaller than a page shares pages, whose first slot somebody else has."""
        size = len(data)
        if size == self.page:
            return self.aside(place, data)
        pa = self._pins.get(place)
        if pa is None:
            if self._slab % self.page == 0:
                self._slab = self.arena.alloc() + size
            pa, self._slab = self._slab, self._slab + size
        elif pa - pa % self.page not in self._shared:
            self._shared.add(self.arena.alloc(at=pa - pa % self.page))
        self.placed[place] = pa
        self.arena.write(pa, data)
        return pa

    def unused(self) -> str | None:
        """A pin that named nothing that was built."""
        return next((place for place in self._pins if place not in self.placed), None)

    def _alloc(self, place: str, size: int, align: int, inside: int = 0) -> int:
        pin = self._pins.get(place)
        try:
            pa = int(self.arena.alloc(size, align=align, at=None if pin is None else pin - inside))
        except EncodeError as error:
            raise error.at(path=place) from None
        self.placed[place] = pa + inside
        return pa
