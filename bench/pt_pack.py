# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Page tables of 128 GiB in pages of 4K (257 MiB of tables; 64 TiB in pages of 2M): packed, against what memory can do and what others do.

Everything is one thread here, into reused memory, tables in pages of 4K. A round calls each once, slow peers every third one.
"""

from __future__ import annotations

from bench.pt_peers import SLICES, Compressor, compressors, python_peers
from bench.row import Row, at_least, at_most
from bench.tables import SHAPES, Tables, Words, naive_walk, pages_read, room, tree_read
from bench.timing import interleave
from devstate.pagetable.pack import pack

TABLES = 65536
ROUNDS = 9

READ = {"contiguous": (1.25, 1.2), "mixed": (1.45, 1.35), "runs of 8": (1.5, 1.35), "random": (2.0, 1.7)}
"""(must, aim) of pack to the tree read."""
COPY = {"contiguous": (1.0, None), "mixed": (None, 1.0)}
"""(must, aim) of pack to memcpy."""
FLOORS = {"runs of 8": 30 / (8 * 64), "random": 30 / 64}
"""Bytes that say which pages the generator chose, for each byte of table: 30 bits for each run."""


def run() -> list[Row]:
    """For each shape: ratios to the limits and the peers, sizes."""
    target, out = room(TABLES + 256), room(TABLES + 1024)
    return [row for shape in SHAPES for row in _shape(Tables(shape, TABLES), target, out)]


def _shape(tables: Tables, target: Words, out: Words) -> list[Row]:
    copy, extents = target[: len(tables.image)], out
    stream = memoryview(out).cast("B")  # type: ignore[arg-type]  # an array is a buffer
    size = pack(tables.table, stream).size
    others, slow = compressors(tables, target, out), python_peers(tables)
    candidates = {
        "pack": lambda: pack(tables.table, stream),
        "tree read": lambda: tree_read(tables),
        "pages read": lambda: pages_read(tables.image),
        "memcpy": lambda: copy.__setitem__(slice(None), tables.image),
        "naive walk": lambda: naive_walk(tables, extents),
        **{name: each.compress for name, each in others.items()},
        **slow,
    }
    seconds = interleave(candidates, ROUNDS, seldom=[*others, *slow])
    return _rows(tables, seconds, size, others)


def _rows(tables: Tables, seconds: dict[str, float], size: int, others: dict[str, Compressor]) -> list[Row]:
    shape, pages = tables.shape, tables.image.nbytes
    mine = seconds["pack"]
    read, memcpy = READ.get(shape, (None, None)), COPY.get(shape, (None, None))
    rows = [
        at_most(f"{shape}: pack, to the tree read", mine / seconds["tree read"], "x", *read),
        at_most(f"{shape}: pack, to memcpy", mine / seconds["memcpy"], "x", *memcpy),
        at_most(f"{shape}: pack", mine * 1e3, "ms"),
        at_most(f"{shape}: pages read in order, to the tree read", seconds["pages read"] / seconds["tree read"], "x"),
        at_least(f"{shape}: naive walk in C, to pack", seconds["naive walk"] / mine, "x"),
    ]
    for name in others:
        must = {"zstd -1": 2.5 if shape == "sparse" else 20}.get(name)
        rows.append(at_least(f"{shape}: {name}, to pack", seconds[name] / mine, "x", must))
    for name in [name for name in SLICES if name in seconds]:
        scaled = seconds[name] * SLICES[name]
        rows.append(at_least(f"{shape}: {name} (1/{SLICES[name]} of it, scaled), to pack", scaled / mine, "x"))
    rows.append(at_most(f"{shape}: size, to the tables", size / pages, "x"))
    if "zstd -3" in others:
        rows.append(at_most(f"{shape}: size, to that of zstd -3", size / others["zstd -3"].size, "x", 1.0))
    if shape in FLOORS:
        rows.append(at_most(f"{shape}: size, to the entropy of its choices", size / pages / FLOORS[shape], "x", None, 1.15))
    return rows
