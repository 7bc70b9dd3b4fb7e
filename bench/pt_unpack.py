# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Streams of 128 GiB in pages of 4K unpacked: into memory that was used before, and into memory that nobody has touched.

One thread, from a stream in memory, to pages of 4K. First touch costs more than all else in fresh memory, so its peer is memset of such.
"""

from __future__ import annotations

import ctypes

from bench.pt_peers import compressors
from bench.row import Row, at_least, at_most
from bench.tables import SHAPES, Tables, Words, fresh, memory_of, room
from bench.timing import interleave
from devstate.pagetable.pack import pack
from devstate.pagetable.unpack import unpack

TABLES = 65536
ROUNDS = 7
COPY = {"contiguous": 0.6, "random": 1.3}
"""Musts of unpack to memcpy."""


def run() -> list[Row]:
    """For each shape: ratios to memcpy, to memset of fresh memory, and to decompressing what zstd -1 made."""
    target, out, compressed = room(TABLES + 256), room(TABLES + 1024), room(TABLES + 1024)
    return [row for shape in SHAPES for row in _shape(Tables(shape, TABLES), target, out, compressed)]


def _memset(pages: int) -> Words:
    made = fresh(pages)
    ctypes.memset(made.ctypes.data, 1, made.nbytes)
    return made


def _shape(tables: Tables, target: Words, out: Words, compressed: Words) -> list[Row]:
    pages = len(tables.image)
    stream = memoryview(out).cast("B")  # type: ignore[arg-type]  # an array is a buffer
    stream = stream[: pack(tables.table, stream).size]
    copy = target[:pages]
    memory = memory_of(copy)
    unpack(stream, memory)
    assert (copy == tables.image).all()
    candidates = {
        "unpack": lambda: unpack(stream, memory),
        "memcpy": lambda: copy.__setitem__(slice(None), tables.image),
        "unpack fresh": lambda: unpack(stream, memory_of(fresh(pages)), fresh=True),
        "memset fresh": lambda: _memset(pages),
    }
    zstd = compressors(tables, target, compressed).get("zstd -1")
    if zstd is not None:
        zstd.compress()
        candidates["zstd -1"] = zstd.decompress
    seconds = interleave(candidates, ROUNDS, seldom=["zstd -1"])
    shape = tables.shape
    fresh_ratio = seconds["unpack fresh"] / seconds["memset fresh"]
    rows = [
        at_most(f"{shape}: unpack into reused memory, to memcpy", seconds["unpack"] / seconds["memcpy"], "x", COPY.get(shape)),
        at_most(f"{shape}: unpack into reused memory", seconds["unpack"] * 1e3, "ms"),
        at_most(f"{shape}: unpack into fresh memory, to memset of such", fresh_ratio, "x", 1.25),
        at_most(f"{shape}: unpack into fresh memory", seconds["unpack fresh"] * 1e3, "ms"),
    ]
    if zstd is not None:
        rows.append(at_least(f"{shape}: zstd -1 decompressing, to unpack", seconds["zstd -1"] / seconds["unpack"], "x"))
    return rows
