# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a host maps for the devices of one virtual machine: made up, but with everything in it that one meets.

::

    iova   0          640K     1M        1G         2G      3G - 64K        4G                 6G        8G
           | pages    | hole   | 2 MiB   | runs of  | hole  | firmware,     | 1 GiB where the  | pages   |
           | anywhere |        | pages   | 8 pages  |       | to read only  | format has it    | mixed   |

Sizes are those of a 4K granule; with larger ones, a "page" is a granule. The memory is chosen as by an allocator that has run for a year:
scattered. The same seed always gives the same guest.
"""

from __future__ import annotations

from devstate.pagetable.format import READ, WRITE
from devstate.pagetable.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

MIB = 1 << 20
GIB = 1 << 30

MEMORY_START, MEMORY_END = 4 * GIB, 64 * GIB
"""Where the guest's memory is in the host: tables and the rest of a handover are above."""

BLOCK = 2 * MIB
"""The host's memory is given out in blocks of this size, and these in pieces."""


class _Host:
    """The host's allocator: blocks of memory in a random order, each for one size of piece."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.gigabytes = list(range(MEMORY_START, MEMORY_END, GIB))
        random.shuffle(self.gigabytes)
        self.blocks: list[int] = []
        self.pieces: dict[int, list[int]] = {}

    def take(self, size: int) -> int:
        """The address of ``size`` bytes, which is a power of two."""
        if size >= GIB:
            return self.gigabytes.pop()
        if size >= BLOCK:
            if not self.blocks:
                start = self.gigabytes.pop()
                self.blocks = list(range(start, start + GIB, BLOCK))
                self.random.shuffle(self.blocks)
            return self.blocks.pop()
        pieces = self.pieces.setdefault(size, [])
        if not pieces:
            start = self.take(BLOCK)
            pieces += range(start, start + BLOCK, size)
            self.random.shuffle(pieces)
        return pieces.pop()


def guest(granule: int, seed: int = 0) -> Iterator[Mapping]:
    """The mappings of the guest, in the order of iovas: 5.8 GiB in pieces from one granule to 1 GiB."""
    from random import Random

    random = Random(seed)
    host = _Host(random)
    access = READ | WRITE

    def pieces(start: int, end: int, sizes: tuple[int, ...], attributes: int = access) -> Iterator[Mapping]:
        while start < end:
            fitting = [size for size in sizes if start % size == 0 and size <= end - start]
            size = random.choice(fitting) if fitting else granule
            yield Mapping(start, host.take(size), size, attributes)
            start += size

    yield from pieces(0, 10 * 65536, (granule,))
    yield from pieces(MIB, BLOCK, (granule,))
    yield from pieces(BLOCK, GIB, (BLOCK,))
    yield from pieces(GIB, GIB + 64 * MIB, (min(8 * granule, BLOCK),))
    yield from pieces(GIB + 64 * MIB, 2 * GIB, (BLOCK,))
    yield from pieces(3 * GIB - 16 * 65536, 3 * GIB, (granule,), READ)
    yield from pieces(4 * GIB, 6 * GIB, (GIB,))
    yield from pieces(6 * GIB, 6 * GIB + 256 * MIB, (granule, min(8 * granule, BLOCK), BLOCK))
    yield from pieces(6 * GIB + 256 * MIB, 8 * GIB, (BLOCK,))
