# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Packing and unpacking page tables of 1 GiB to 1 TiB in pages of 4K: what each GiB costs must not grow with the size.

Ratios are to memcpy of the same pages; 1 TiB is 2052 MiB of tables. Sizes below 16 GiB are in the caches: they are quicker.
"""

from __future__ import annotations

from bench.row import Row, at_most
from bench.tables import Tables, Words, memory_of, room, tree_read
from bench.timing import interleave
from devstate.pagetable.pack import pack
from devstate.pagetable.unpack import unpack

SIZES = (1, 4, 16, 64, 256, 1024)
"""GiB that are mapped."""
TABLES_A_GIB = 512
SHAPES = {"contiguous": 1.0, "runs of 8": 1.8, "mixed": 1.8, "random": 1.8, "sparse": 1.8}
"""Musts of 1 TiB to its memcpy; those of all but the first are for the worst shape."""
GROWING = ("contiguous", "random")
"""Shapes that are measured at every size."""
LINEAR = 1.5
"""What a GiB of 1 TiB may cost, to a GiB of 64 GiB: more than that is no noise."""


def run() -> list[Row]:
    """The growth table, and the ratios at 1 TiB."""
    pages = SIZES[-1] * TABLES_A_GIB + SIZES[-1] * 2
    target, out = room(pages), room(pages + pages // 256)
    rows: list[Row] = []
    for shape, must in SHAPES.items():
        cost: dict[int, float] = {}
        for size in SIZES if shape in GROWING else SIZES[-1:]:
            made, cost[size] = _size(shape, size, must, target, out)
            rows += made
        if shape in GROWING:
            rows.append(at_most(f"{shape}: pack, a GiB of 1024 to a GiB of 64", cost[1024] / cost[64], "x", LINEAR))
    return rows


def _size(shape: str, size: int, must: float, target: Words, out: Words) -> tuple[list[Row], float]:
    tables = Tables(shape, size * TABLES_A_GIB)
    copy = target[: len(tables.image)]
    stream = memoryview(out).cast("B")  # type: ignore[arg-type]  # an array is a buffer
    used = pack(tables.table, stream).size
    memory = memory_of(copy)
    seconds = interleave(
        {
            "pack": lambda: pack(tables.table, stream),
            "unpack": lambda: unpack(stream[:used], memory),
            "memcpy": lambda: copy.__setitem__(slice(None), tables.image),
            "tree read": lambda: tree_read(tables),
        },
        7 if size >= 256 else 15,
    )
    each, name = seconds["pack"] / size, f"{shape}, {size} GiB"
    last = size == SIZES[-1]
    return [
        at_most(f"{name}: pack, for a GiB", each * 1e6, "us"),
        at_most(f"{name}: unpack into reused memory, for a GiB", seconds["unpack"] / size * 1e6, "us"),
        at_most(f"{name}: memcpy, for a GiB", seconds["memcpy"] / size * 1e6, "us"),
        at_most(f"{name}: pack, to memcpy", seconds["pack"] / seconds["memcpy"], "x", must if last else None),
        at_most(f"{name}: pack, to the tree read", seconds["pack"] / seconds["tree read"], "x"),
    ], each
