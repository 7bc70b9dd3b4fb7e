# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a second thread gives when page tables of 128 GiB are packed and unpacked, and what it gives this machine at all.

Two threads share the memory: where one already takes what the memory gives, a second one cannot help. So beside the figures stand those
of two threads that only read the same pages in order, write or copy them, or read the tree; and of two that compute and touch no memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import IO, cast

from bench.row import Row, at_least
from bench.tables import ENTRIES, SHAPES, Tables, memory_of, pages_read, pages_written, peers, room, tree_read
from bench.timing import interleave
from devstate.pagetable.pack import pack
from devstate.pagetable.unpack import unpack

TABLES = 65536
ROUNDS = 9
MUST = 1.5
COMPUTED = 1 << 23
"""Steps of a chain of multiplications."""


class Nowhere:
    """An output that takes no time: what a file does with the stream is the same for one thread and for two."""

    def write(self, data: memoryview) -> int:
        """Nothing."""
        return len(data)


NOWHERE = cast("IO[bytes]", Nowhere())


def apart(call: Callable[[], object]) -> Callable[[], object]:
    """The call, with this thread and those that it starts each on a processor of its own: else what runs beside may put both on one."""
    first, *others = sorted(os.sched_getaffinity(0))
    plain = Thread.run

    def held(thread: Thread) -> None:
        os.sched_setaffinity(0, others or [first])
        plain(thread)

    def run() -> object:
        os.sched_setaffinity(0, [first])
        Thread.run = held  # type: ignore[method-assign]
        try:
            return call()
        finally:
            Thread.run = plain  # type: ignore[method-assign]
            os.sched_setaffinity(0, [first, *others])

    return run


def run() -> list[Row]:
    """For each shape: one thread to two, packing and unpacking; then what the machine does."""
    target, out = room(TABLES + 256), room(TABLES + 1024)
    stream = memoryview(out).cast("B")  # type: ignore[arg-type]  # an array is a buffer
    rows: list[Row] = []
    with ThreadPoolExecutor(1) as pool:
        apart(lambda: pool.submit(int).result())()
        for shape in SHAPES[:-1]:
            tables = Tables(shape, TABLES)
            made = bytes(stream[: pack(tables.table, stream).size])
            memory = memory_of(target[: len(tables.image)])
            seconds = interleave(
                {
                    "pack 1": lambda tables=tables: pack(tables.table, NOWHERE),  # type: ignore[misc]  # bound now
                    "pack 2": apart(lambda tables=tables: pack(tables.table, NOWHERE, jobs=2)),  # type: ignore[misc]
                    "unpack 1": lambda made=made, memory=memory: unpack(made, memory),  # type: ignore[misc]
                    "unpack 2": apart(lambda made=made, memory=memory: unpack(made, memory, jobs=2)),  # type: ignore[misc]
                    **_machine(tables, pool, target),
                },
                ROUNDS,
            )
            for name in ("pack", "unpack", "pages read in order", "pages written in order", "memcpy", "tree read", "no memory"):
                ratio = seconds[f"{name} 1"] / seconds[f"{name} 2"]
                own = name.endswith("pack")
                rows.append(at_least(f"{shape}: {name}, one thread to two", ratio, "x", MUST if own else None))
    return rows


def _machine(tables: Tables, pool: ThreadPoolExecutor, target: object) -> dict[str, Callable[[], object]]:
    """What can be done with memory by one thread and by two."""
    image, copy = tables.image, target[: len(tables.image)]  # type: ignore[index]  # an array
    half, upper = len(image) // 2, TABLES // ENTRIES
    compute = peers().compute

    def both(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], object]:
        def call() -> None:
            other = pool.submit(second)
            first()
            other.result()

        return call

    return {
        "pages read in order 1": lambda: pages_read(image),
        "pages read in order 2": both(lambda: pages_read(image[:half]), lambda: pages_read(image[half:])),
        "pages written in order 1": lambda: pages_written(copy),
        "pages written in order 2": both(lambda: pages_written(copy[:half]), lambda: pages_written(copy[half:])),
        "memcpy 1": lambda: copy.__setitem__(slice(None), image),
        "memcpy 2": both(
            lambda: copy[:half].__setitem__(slice(None), image[:half]), lambda: copy[half:].__setitem__(slice(None), image[half:])
        ),
        "tree read 1": lambda: tree_read(tables),
        "tree read 2": both(lambda: tree_read(tables, 0, upper // 2), lambda: tree_read(tables, upper // 2)),
        "no memory 1": lambda: compute(COMPUTED),
        "no memory 2": both(lambda: compute(COMPUTED // 2), lambda: compute(COMPUTED // 2)),
    }
