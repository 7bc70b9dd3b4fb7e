# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The map of preserved memory into memory: the radix tree of kho-v2 on, the chain of bitmap chunks of kho-v1.

The pages of a map are preserved by nobody.
"""

from __future__ import annotations

from devstate.codec.encode import encode
from devstate.pagetable.native import radix_build
from devstate.pagetable.radix import Run, radix_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from devstate.handover.build_links import Links
    from devstate.layout.model import Environment, Layout, TargetLayout

CHUNK = "khoser_mem_chunk"
WORD = 64


def lowest_order(target: TargetLayout, environment: Environment) -> int:
    """The smallest block that the map can hold: the short tree of 16K pages has no keys for single pages."""
    if target.kind != "radix":
        return 0
    shape = radix_shape(environment.page_size, target.depth)
    return max(0, shape.key_bits - shape.leaf_bits - (shape.depth - 1) * shape.table_bits)


def build_map(links: Links, layout: Layout, target: TargetLayout) -> int:
    """The map of what is preserved by now, and of what the spec preserves beside it; its address."""
    runs = _joined([*links.room.preserved, *links.spec.preserved], links.page)
    return _radix(links, target.depth, runs) if target.kind == "radix" else _chunks(links, layout, target.size or links.page, runs)


def _joined(runs: Iterable[Run], page: int) -> list[Run]:
    """The runs as a tree takes them: highest order first, then by address; what is named twice is in once."""
    joined: list[Run] = []
    for run in sorted(runs, key=lambda each: (-each.order, each.pa)):
        last = joined[-1] if joined and joined[-1].order == run.order else None
        size = page << run.order
        end = last.pa + last.blocks * size if last is not None else -1
        if last is None or run.pa > end:
            joined.append(run)
        elif run.pa + run.blocks * size > end:
            joined[-1] = Run(last.pa, (run.pa - last.pa) // size + run.blocks, run.order)
    return joined


def _radix(links: Links, depth: int | None, runs: list[Run]) -> int:
    shape = radix_shape(links.page, depth)
    needed, _ = radix_build(runs, shape, [], links.order)
    places = [links.room.aside(f"kho/map/{number}", bytes(links.page)) for number in range(needed)]
    _, pages = radix_build(runs, shape, places, links.order)
    for number, pa in enumerate(places):
        links.room.arena.write(pa, pages[number * links.page : (number + 1) * links.page])
    return places[0]


def _bitmaps(links: Links, size: int, runs: list[Run]) -> Mapping[tuple[int, int], bytearray]:
    """Bitmaps of ``size`` bytes by (order, first address)."""
    bitmaps: dict[tuple[int, int], bytearray] = {}
    for run in runs:
        block = links.page << run.order
        number, left = run.pa // block, run.blocks
        while left:
            start, bit = divmod(number, size * 8)
            step = min(left, WORD - bit % WORD)
            words = bitmaps.setdefault((run.order, start * size * 8 * block), bytearray(size))
            at = bit // WORD * 8
            mask = (1 << step) - 1 << bit % WORD
            words[at : at + 8] = links.number(int.from_bytes(words[at : at + 8], links.order) | mask)
            number, left = number + step, left - step
    return bitmaps


def _chunks(links: Links, layout: Layout, size: int, runs: list[Run]) -> int:
    """Chunks of bitmaps of ``size`` bytes, one chain for all orders, the lowest first; each chunk knows the next."""
    rows: dict[int, list[Mapping[str, int]]] = {}
    for number, ((order, start), bits) in enumerate(sorted(_bitmaps(links, size, runs).items())):
        rows.setdefault(order, []).append({"phys_start": start, "bitmap": links.room.slot(f"kho/bitmap/{number}", bytes(bits))})
    capacity = (links.page - 16) // 16
    step = min(links.spec.per_list or capacity, capacity)
    parts = [(order, each[at : at + step]) for order, each in rows.items() for at in range(0, len(each), step)]
    pa = 0
    for number, (order, some) in reversed(list(enumerate(parts))):
        empty = [{"phys_start": 0, "bitmap": 0}] * (capacity - len(some))
        chunk = {"next": pa, "order": order, "num_elms": len(some), "bitmaps": [*some, *empty]}
        pa = links.room.aside(f"kho/map/{number}", encode(layout, chunk, CHUNK))
    return pa
