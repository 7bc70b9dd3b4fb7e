# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What packing, proving and unpacking page tables costs, by the shape of what is mapped: written by ``python -m bench.costs``.

Measured on: MACHINE. For each page of tables (4096 bytes): bytes of stream, and nanoseconds of one thread; None: not measured.
"""

from __future__ import annotations

from devstate.frozen import frozen

MACHINE = "AMD EPYC, 2 cores, 2026-11-25"


@frozen
class Cost:
    """Of one page of tables. ``unpack``: into memory that was used before; ``fresh``: into memory that was not."""

    stream: float
    pack: float
    prove: float | None
    unpack: float
    fresh: float


COSTS: dict[str, Cost] = {
    "contiguous": Cost(stream=12.3, pack=225.0, prove=286.0, unpack=211.0, fresh=2200.0),
    "runs of 512": Cost(stream=12.3, pack=220.0, prove=332.0, unpack=211.0, fresh=2210.0),
    "runs of 8": Cost(stream=266.0, pack=272.0, prove=1030.0, unpack=500.0, fresh=2690.0),
    "mixed": Cost(stream=45.9, pack=267.0, prove=375.0, unpack=398.0, fresh=2590.0),
    "random": Cost(stream=1930.0, pack=386.0, prove=5310.0, unpack=429.0, fresh=2520.0),
    "sparse": Cost(stream=48.4, pack=388.0, prove=395.0, unpack=312.0, fresh=2570.0),
    "2M pages": Cost(stream=12.3, pack=504.0, prove=None, unpack=215.0, fresh=2230.0),
}
