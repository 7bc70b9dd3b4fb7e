# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What decoding a map of preserved pages gives: :class:`PreservedMap`, the same from a radix tree as from a list of bitmaps.

All addresses and lengths are in bytes. Nothing here needs numpy; ``pairs()`` gives the ranges as an array to those who have it.
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    import numpy
    import numpy.typing

PA_BITS = 56
"""Addresses are below 1 << 56: no machine that Linux runs on has more (RISC-V: 56, x86-64 and arm64: 52). DS_PA_BITS in C."""

PROBLEM_LIMIT = 1000
"""Problems that are kept of one map: whoever has read a thousand knows. ``problem_count`` goes on counting."""

CODES = ("not-in-memory", "misaligned", "visited-twice", "key-too-wide", "key-zero", "address-too-wide", "overlap")
"""What can be wrong, in the order of the numbers in csrc/devstate_core.h, which start at 1."""

_TEXTS = {
    "not-in-memory": "radix node {found:#x} is not in the memory",
    "misaligned": "radix node {found:#x} is not at a page boundary",
    "visited-twice": "radix node {found:#x} is reached a second time",
    "key-too-wide": "radix node {found:#x} stands for keys wider than a key can be",
    "key-zero": "radix leaf {found:#x} holds key 0, which has no order",
    "address-too-wide": "radix leaf or bitmap {found:#x} holds blocks beyond the physical address space",
    "overlap": "memory up to {found:#x} is preserved twice",
}

_FEW = 4096
"""Ranges up to which a Python loop beats the import of numpy."""


@frozen
class Problem:
    """One thing that is wrong with a map. ``code`` is one of CODES.

    ``pa`` is the address of the pointer to the node at fault (0 when that is the root), for ``overlap`` of the memory that is
    claimed twice; ``found`` is the pointer, for ``overlap`` the end of that memory. ``path`` are the indices from the root table on.
    """

    code: str
    pa: int
    found: int
    path: tuple[int, ...] = ()

    @property
    def message(self) -> str:
        """One line for people."""
        return _TEXTS[self.code].format(found=self.found)


@frozen
class PreservedMap:
    """The pages that a handover preserves.

    ``edges`` is a memoryview of u64: start and end of each range in turn; ranges are sorted, disjoint and do not touch.
    ``orders`` counts the blocks of each order; ``node_pages`` (a memoryview of u64) are the pages that hold the map itself, in the order in
    which they were read. ``problems`` keeps the first PROBLEM_LIMIT of ``problem_count``.
    """

    page_size: int
    edges: memoryview
    orders: dict[int, int]
    node_pages: memoryview
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self.edges) // 2

    @property
    def starts(self) -> memoryview:
        """The first address of each range."""
        return self.edges[0::2]

    @property
    def ends(self) -> memoryview:
        """The address after each range."""
        return self.edges[1::2]

    @property
    def lengths(self) -> array[int]:
        """The bytes of each range."""
        from array import array

        if len(self) <= _FEW:
            return array("Q", [length for _, length in self.ranges()])
        pairs = self.pairs()
        lengths = array("Q")
        lengths.frombytes((pairs[:, 1] - pairs[:, 0]).tobytes())
        return lengths

    @property
    def bytes(self) -> int:
        """All bytes that are preserved, each counted once."""
        if len(self) <= _FEW:
            return sum(length for _, length in self.ranges())
        pairs = self.pairs()
        return int((pairs[:, 1] - pairs[:, 0]).sum())

    @property
    def pages(self) -> int:
        """All pages that are preserved, in pages of this map."""
        return self.bytes // self.page_size

    def ranges(self) -> Iterator[tuple[int, int]]:
        """(address, bytes) of each range, ascending."""
        edges = iter(self.edges)
        for start, end in zip(edges, edges, strict=True):
            yield start, end - start

    def covers(self, pa: int, size: int = 1) -> bool:
        """Whether all ``size`` bytes at ``pa`` are preserved. Nothing at all (size 0) is preserved everywhere."""
        index = bisect_right(self.edges, pa)
        return size == 0 or (index % 2 == 1 and pa + size <= self.edges[index])

    def pairs(self) -> numpy.typing.NDArray[numpy.uint64]:
        """The ranges as an array of shape (ranges, 2): start and end. No copy."""
        import numpy as np

        return np.frombuffer(self.edges, dtype=np.uint64).reshape(-1, 2)

    def covered(self, pas: numpy.typing.NDArray[numpy.uint64], size: int) -> numpy.typing.NDArray[numpy.bool_]:
        """For each address, whether all ``size`` bytes there are preserved; ``size`` is at least 1."""
        import numpy as np

        index = np.searchsorted(self.pairs().ravel(), pas, side="right")
        end = np.append(self.pairs().ravel(), np.uint64(0))[index]
        inside: numpy.typing.NDArray[numpy.bool_] = (index % 2 == 1) & (end >= size) & (end - np.uint64(size) >= pas)
        return inside
