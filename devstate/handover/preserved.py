# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The preserved memory map of a handover: what is preserved, in which blocks, and where in the map that is said.

Two forms: the radix tree of kho-v2 on, and the chain of bitmap chunks of kho-v1. Ranges and totals come from
``devstate.pagetable`` (the C core); single lookups walk the map itself, so that an answer can name the word that holds the bit.
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.handover.leaves import BitmapLeaves, RadixLeaves
from devstate.layout.model import NodeLayout
from devstate.pagetable.bitmaps import Bitmap, sort_bitmaps
from devstate.pagetable.native import bitmaps_decode, radix_decode
from devstate.pagetable.radix import radix_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    import numpy
    import numpy.typing

    from devstate.handover.follow import Follow
    from devstate.handover.leaves import Leaves
    from devstate.layout.model import Layout, TargetLayout
    from devstate.memory.physmem import PhysMemory
    from devstate.pagetable.preserved import PreservedMap

CHUNKS_MAX = 1 << 20
"""Chunks of a kho-v1 map: 255 bitmaps of 128 MiB each; this many cover more than any machine has."""

STEP = 1 << 17
"""Addresses that are looked up at a time: what they need stays in the cache."""

SLOT = 512
"""Bytes of the smallest bitmap, which no two share."""

AGAIN_MAX = 16
"""Bitmaps at memory that is another's which are told one by one."""

_CODES = {
    "not-in-memory": "radix-node-outside",
    "misaligned": "radix-node-misaligned",
    "visited-twice": "radix-node-twice",
    "key-too-wide": "radix-key",
    "key-zero": "radix-key",
    "address-too-wide": "radix-address",
    "overlap": "preserved-overlap",
}
"""The map's own problems as the ids of check rules."""


class PreservedPages:
    """What the memory map says. ``map`` has ranges, totals and the map's own pages; ``root_pa`` is where it starts.

    ``leaves`` finds bits: the blocks of one order are in leaves of ``leaves.span(order)`` blocks each.
    """

    __slots__ = ("_leaves", "_memory", "_order", "_orders", "kind", "map", "root_pa")

    def __init__(self, map: PreservedMap, root_pa: int, kind: str, memory: PhysMemory, order: str, leaves: Leaves) -> None:
        self.map = map
        self.root_pa = root_pa
        self.kind = kind
        self._memory = memory
        self._order: Literal["little", "big"] = "big" if order == "big" else "little"
        self._orders = sorted(map.orders)
        self._leaves = leaves

    def covers(self, pa: int, size: int = 1) -> bool:
        """Whether all ``size`` bytes at ``pa`` are preserved."""
        return self.map.covers(pa, size)

    def word(self, pa: int, order: int = 0) -> tuple[int, int] | None:
        """Where the map says whether the block of ``order`` at ``pa`` is preserved: (address of the u64 word, bit). None: no such leaf."""
        if pa >> 64:
            return None
        number, index = divmod(pa // (self.map.page_size << order), self._leaves.span(order))
        leaf = self._leaves.at(order, number)
        bit = self._leaves.first(order) + index
        return None if leaf is None else (leaf + bit // 64 * 8, bit % 64)

    def order_at(self, pa: int) -> int | None:
        """The order of the block that starts at ``pa``; None when none starts there.

        When blocks of several orders do, it is the smallest: the kernel walks large orders first, and its last word counts.
        """
        for order in self._orders:
            place = self.word(pa, order) if pa % (self.map.page_size << order) == 0 else None
            if place is not None and self._word(place[0]) >> place[1] & 1:
                return order
        return None

    def _word(self, pa: int) -> int:
        """A word of the map, 0 where there is none."""
        return int.from_bytes(self._memory.read(pa, 8), self._order) if self._memory.contains(pa, 8) else 0

    def orders_at(self, pas: numpy.typing.NDArray[numpy.uint64]) -> numpy.typing.NDArray[numpy.int8]:
        """The order of the block that starts at each address, -1 where none does: each leaf is looked up once."""
        import numpy as np

        found = np.full(len(pas), -1, np.int8)
        for at in range(0, len(pas), STEP):
            part = pas[at : at + STEP]
            for order in reversed(self._orders):
                size = self.map.page_size << order
                aligned = np.flatnonzero(part & np.uint64(size - 1) == 0)
                found[at + aligned[self._are_set(part[aligned] >> np.uint64(size.bit_length() - 1), order)]] = order
        return found

    def _are_set(self, blocks: numpy.typing.NDArray[numpy.uint64], order: int) -> numpy.typing.NDArray[numpy.bool_]:
        """Whether the bit of each block number is set. All leaves that are there make one table of words, behind one word of zeros."""
        import numpy as np

        span, first = self._leaves.span(order), self._leaves.first(order)
        bits = np.uint64(span.bit_length() - 1)
        numbers = blocks >> bits
        known = np.unique(numbers)
        size = (first + span + 63) // 64
        words, starts = [np.zeros(1, np.uint64)], np.zeros(len(known), np.int64)
        total = 1
        for at, number in enumerate(known.tolist()):
            leaf = self._leaves.at(order, number)
            if leaf is not None and self._memory.contains(leaf, size * 8):
                words.append(np.frombuffer(self._memory.read(leaf, size * 8), "<u8" if self._order == "little" else ">u8"))
                starts[at], total = total, total + size
        index = (blocks & np.uint64(span - 1)) + np.uint64(first)
        start = starts[np.searchsorted(known, numbers)]
        values = np.concatenate(words).astype(np.uint64)[np.where(start, start + (index >> np.uint64(6)).astype(np.int64), 0)]
        set_: numpy.typing.NDArray[numpy.bool_] = (values >> (index & np.uint64(63)) & np.uint64(1)) == 1
        return set_


def read_memory_map(follow: Follow, target: TargetLayout, pa: int) -> PreservedPages | None:
    """The memory map at ``pa``, of the form that ``target`` says. Damage becomes problems; None when nothing can be read.

    Where forms of one string differ in the map alone, the map decides, and the handover's layout becomes the form that was met.
    """
    handover = follow.handover
    if handover.memory is None:
        return None
    if target.kind not in ("radix", "chunks"):
        follow.problem("link-unknown", f"a memory map of the kind {target.kind} cannot be read", _map_link(follow), "preserved")
        return None
    if pa % follow.page_size:
        follow.problem(
            "kho-map", "the memory map is not at a page boundary", _map_link(follow), "/", f"a multiple of {follow.page_size}", f"{pa:#x}"
        )
        return None
    try:
        return _radix(follow, target, pa) if target.kind == "radix" else _chunks(follow, target, pa)
    except DecodeError as error:
        follow.problem("kho-map", error.message, pa, "preserved", error.expected, error.found)
        return None


def _map_link(follow: Follow) -> int | None:
    """The address of the root property that leads to the map."""
    handover = follow.handover
    root = handover.layout.root if handover.layout is not None else None
    name = root.properties[0].name if isinstance(root, NodeLayout) and root.properties else "preserved-memory-map"
    prop = handover.fdt.root.property(name) if handover.fdt is not None else None
    return None if prop is None or prop.offset is None or handover.fdt_pa is None else handover.fdt_pa + prop.offset


def _forms(follow: Follow, target: TargetLayout) -> list[tuple[TargetLayout, Layout | None]]:
    """The form that ``target`` is of, then the others of the same string and property whose map is of the same kind, but not the same."""
    handover = follow.handover
    forms: list[tuple[TargetLayout, Layout | None]] = [(target, handover.layout)]
    if handover.layout is None or not isinstance(handover.layout.root, NodeLayout):
        return forms
    name = handover.layout.root.properties[0].name
    for other in handover.registry.names(handover.compatible):
        layout = handover.registry.layout(other, handover.environment)
        field = layout.root.properties[0] if isinstance(layout.root, NodeLayout) and layout.root.properties else None
        if field is None or field.name != name or field.target is None or field.target.kind != target.kind:
            continue
        if all((field.target.depth, field.target.size) != (known.depth, known.size) for known, _ in forms):
            forms.append((field.target, layout))
    return forms


def _radix(follow: Follow, target: TargetLayout, root_pa: int) -> PreservedPages:
    """The tree. Of several depths that is the right one which finds the root FDT preserved, as it always is, and no damage."""
    handover, memory, page_size = follow.handover, follow.handover.memory, follow.page_size
    assert memory is not None  # read_memory_map() asked
    read = [(radix_decode(memory, root_pa, radix_shape(page_size, form.depth)), form, layout) for form, layout in _forms(follow, target)]
    known = handover.fdt_pa
    found, form, handover.layout = min(read, key=lambda each: (known is not None and not each[0].covers(known), each[0].problem_count))
    _note_problems(follow, found, root_pa)
    leaves = RadixLeaves(follow.u64, root_pa, radix_shape(page_size, form.depth))
    return PreservedPages(found, root_pa, "radix", memory, follow.order, leaves)


def _chunks(follow: Follow, target: TargetLayout, root_pa: int) -> PreservedPages:
    memory = follow.handover.memory
    assert memory is not None  # read_memory_map() asked
    rows, pages = _read_chunks(follow, root_pa)
    forms = _forms(follow, target)
    size = _bitmap_size(rows, follow.page_size, [form.size or follow.page_size for form, _ in forms])
    follow.handover.layout = next(layout for form, layout in forms if (form.size or follow.page_size) == size)
    bitmaps = []
    nodes = dict.fromkeys(pages)
    where: dict[tuple[int, int], int] = {}
    taken: set[int] = set()
    again: list[tuple[int, int]] = []
    for order, start, pa, link in rows:
        slots = range(pa // SLOT, (pa + size - 1) // SLOT + 1)
        if not taken.isdisjoint(slots):
            again.append((pa, link))
            continue
        taken.update(slots)
        words = follow.read(pa, size, "preserved", link)
        if words is None:
            continue
        bitmaps.append(Bitmap(words, start, 0, size * 8, order))
        number, rest = divmod(start, size * 8 * (follow.page_size << order))
        if not rest:
            where[order, number] = pa
        nodes[pa - pa % follow.page_size] = None
    for pa, link in again[:AGAIN_MAX]:
        follow.problem("radix-node-twice", f"memory of a bitmap is used for {len(again)} more", link, "preserved", None, f"{pa:#x}")
    kept, problems = sort_bitmaps(bitmaps, follow.page_size)
    found = bitmaps_decode(kept, follow.page_size, memory.byteorder, nodes, problems)
    _note_problems(follow, found, root_pa)
    return PreservedPages(found, root_pa, "chunks", memory, follow.order, BitmapLeaves(where, size * 8))


def _bitmap_size(rows: list[tuple[int, int, int, int]], page_size: int, sizes: list[int]) -> int:
    """Bytes of one bitmap, one of ``sizes``, newest first. a2fff99f92da went from 512 bytes to a page and kept the string: bitmaps
    that are not aligned to their size, or start where none of that size does, are of the old one.
    """
    for size in sizes:
        if not any(pa % size or start % (size * 8 * (page_size << order)) for order, start, pa, _ in rows):
            return size
    return sizes[-1]


def _read_chunks(follow: Follow, pa: int) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """(order, phys_start, bitmap address, address of that pointer) of every bitmap, and the chunk pages."""
    rows: list[tuple[int, int, int, int]] = []
    pages: list[int] = []
    seen: set[int] = set()
    link: int | None = _map_link(follow)
    while pa:
        if pa in seen or len(seen) >= CHUNKS_MAX:
            follow.problem(
                "chain-cycle", "the chunks of the memory map come back to one that was read", link, "preserved", "0 at the end", f"{pa:#x}"
            )
            break
        seen.add(pa)
        chunk = follow.read(pa, follow.page_size, "preserved", link)
        if chunk is None:
            break
        pages.append(pa)
        words = [int.from_bytes(chunk[at : at + 8], follow.order) for at in range(0, follow.page_size, 8)]
        order, count = (int.from_bytes(chunk[at : at + 4], follow.order) for at in (8, 12))
        capacity = (follow.page_size - 16) // 16
        if count > capacity or order > 52:
            follow.problem(
                "chain-count", "a chunk has an impossible order or number of bitmaps", pa + 8, "preserved", f"1..{capacity}", count
            )
            break
        rows += [(order, words[2 + 2 * i], words[3 + 2 * i], pa + 24 + 16 * i) for i in range(count)]
        link, pa = pa, words[0]
    return rows, pages


def _note_problems(follow: Follow, found: PreservedMap, root_pa: int) -> None:
    for each in found.problems:
        at = each.pa or (_map_link(follow) if each.found == root_pa else None)
        follow.problem(_CODES[each.code], each.message, at, "preserved", None, f"{each.found:#x}")
    if found.problem_count > len(found.problems):
        follow.problem(
            "preserved-overlap", f"{found.problem_count - len(found.problems)} more problems of the memory map", None, "preserved"
        )
