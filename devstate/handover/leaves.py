# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where in a memory map the bits of blocks are: leaves, each with the bits of a run of neighbouring blocks of one order.

::

    radix tree       leaf page    span(order) blocks; where leaves of several orders share a page, its bits begin at first(order)
    chunks           bitmap       as many blocks as it has bits

Leaf ``number`` of an order starts at block ``number * span(order)``; bit ``first(order) + i`` is its block ``i``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from devstate.pagetable.radix import RadixShape

    class Leaves(Protocol):
        """What both forms of a memory map can tell."""

        def span(self, order: int) -> int:
            """Blocks in one leaf, a power of two."""

        def first(self, order: int) -> int:
            """The bit of a leaf's first block."""

        def at(self, order: int, number: int) -> int | None:
            """The address of the bitmap that holds a leaf; None when there is none."""


class RadixLeaves:
    """The leaves of the radix tree at ``root_pa``; ``u64`` reads a word of memory, None where there is none.

    Source: kho_radix_encode_key() and kho_radix_is_page_preserved() in kernel/liveupdate/kexec_handover.c.
    """

    __slots__ = ("_highest", "_known", "_leaf_bits", "_levels", "_root_pa", "_table_bits", "_u64")

    def __init__(self, u64: Callable[[int], int | None], root_pa: int, shape: RadixShape) -> None:
        self._u64 = u64
        self._root_pa = root_pa
        self._highest, self._leaf_bits = shape.key_bits - 1, shape.leaf_bits
        self._table_bits, self._levels = shape.table_bits, shape.depth - 1
        self._known: dict[int, int | None] = {}

    def span(self, order: int) -> int:
        """Blocks in one leaf, a power of two."""
        return 1 << min(self._leaf_bits, self._highest - order)

    def first(self, order: int) -> int:
        """The bit of a leaf's first block."""
        return 0 if self._highest - order >= self._leaf_bits else 1 << self._highest - order

    def at(self, order: int, number: int) -> int | None:
        """The address of the page that holds a leaf; None when no table leads to one."""
        prefix = (1 << self._highest - order | number * self.span(order)) >> self._leaf_bits
        if prefix not in self._known:
            self._known[prefix] = self._walk(prefix)
        return self._known[prefix]

    def _walk(self, prefix: int) -> int | None:
        bits, levels = self._table_bits, self._levels
        if prefix >> bits * levels:
            return None
        node = self._root_pa
        for level in reversed(range(levels)):
            index = prefix >> bits * level & (1 << bits) - 1
            node = self._u64(node + index * 8) or 0
            if not node:
                return None
        return node


class BitmapLeaves:
    """The bitmaps of a chain of chunks: ``where`` gives the address by (order, number), each has ``bits`` bits."""

    __slots__ = ("_bits", "_where")

    def __init__(self, where: dict[tuple[int, int], int], bits: int) -> None:
        self._where = where
        self._bits = bits

    def span(self, order: int) -> int:
        """Blocks in one bitmap."""
        return self._bits

    def first(self, order: int) -> int:
        """A bitmap is of one order only."""
        return 0

    def at(self, order: int, number: int) -> int | None:
        """The address of a bitmap; None when no chunk has one."""
        return self._where.get((order, number))
