# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where the pages of a memory map are, in the order in which ``build_map`` makes them, and the blocks that they hold.

Pages of a tree that lead to no bit are left out: the kernel keeps them when it unpreserves, a builder never makes them.
"""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.errors import EncodeError
from devstate.frozen import frozen
from devstate.layout.model import NodeLayout
from devstate.pagetable.bitmaps import Bitmap
from devstate.pagetable.radix import Run, radix_shape, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from devstate.handover.model import Handover
    from devstate.layout.model import TargetLayout
    from devstate.memory.physmem import PhysMemory
    from devstate.pagetable.radix import RadixShape

CHUNK = "khoser_mem_chunk"


@frozen
class MapPlaces:
    """``pins`` are places and addresses, ``blocks`` all that is preserved, ``per_chunk`` the most bitmaps in a chunk that is not the last
    of its order, None when there is no such chunk.
    """

    pins: dict[str, int]
    blocks: tuple[Run, ...]
    per_chunk: int | None = None


def map_places(handover: Handover) -> MapPlaces:
    """Those of the handover's map, which was read without a problem. EncodeError when there is none."""
    memory, root, preserved = handover.memory, handover.layout and handover.layout.root, handover.preserved
    target = root.properties[0].target if isinstance(root, NodeLayout) else None
    if memory is None or preserved is None or target is None:
        raise EncodeError("a handover without a memory map cannot be built again", source=handover.source)
    page, order = handover.environment.page_size, handover.environment.byte_order
    if target.kind == "chunks":
        return _chunks(handover, memory, target, preserved.root_pa)
    shape = radix_shape(page, target.depth)
    pins = {f"kho/map/{number}": pa for number, pa in enumerate(used_nodes(memory, preserved.root_pa, shape, order))}
    return MapPlaces(pins, _blocks(walk(memory, preserved.root_pa, shape, order).bitmaps, page, order))


def used_nodes(memory: PhysMemory, root_pa: int, shape: RadixShape, order: Literal["little", "big"]) -> list[int]:
    """The pages of the tree that lead to some bit, parents first, in the order of the keys."""
    found: list[tuple[int, int, bool]] = []
    pending = [(root_pa, -1, shape.depth)]
    while pending:
        pa, parent, depth = pending.pop()
        page = memory.read(pa, shape.page_size)
        words = [int.from_bytes(page[at : at + 8], order) for at in range(0, shape.page_size, 8)] if depth > 1 else []
        number = len(found)
        found.append((pa, parent, depth == 1 and any(page)))
        pending += [(child, number, depth - 1) for child in reversed(words) if child]
    used = {number for number, (_, _, bits) in enumerate(found) if bits}
    for number in reversed(range(len(found))):
        if number in used:
            used.add(found[number][1])
    return [pa for number, (pa, _, _) in enumerate(found) if number in used]


def _blocks(bitmaps: Iterable[Bitmap], page: int, order: Literal["little", "big"]) -> tuple[Run, ...]:
    return tuple(
        Run(each.pa + first * (page << each.order), end - first, each.order) for each in bitmaps for first, end in each.runs(order)
    )


def _chunks(handover: Handover, memory: PhysMemory, target: TargetLayout, pa: int) -> MapPlaces:
    assert handover.layout is not None  # map_places() asked
    page, order = handover.environment.page_size, handover.environment.byte_order
    pins: dict[str, int] = {}
    rows: list[tuple[int, int, int]] = []
    full: list[int] = []
    last = (-1, 0)
    while pa:
        pins[f"kho/map/{len(pins)}"] = pa
        chunk = decode(handover.layout, memory.read(pa, page), CHUNK, pa=pa)
        if chunk.order == last[0]:
            full.append(last[1])
        last = chunk.order, chunk.num_elms
        rows += [(chunk.order, each.phys_start, each.bitmap) for each in chunk.bitmaps[: chunk.num_elms]]
        pa = chunk.next
    rows.sort()
    size = target.size or page
    pins |= {f"kho/bitmap/{number}": bitmap for number, (_, _, bitmap) in enumerate(rows)}
    bitmaps = [Bitmap(memory.read(bitmap, size), start, 0, size * 8, each) for each, start, bitmap in rows]
    return MapPlaces(pins, _blocks(bitmaps, page, order), max(full, default=None))
