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
    "contiguous": Cost(stream=12.3, pack=225.0, prove=286.0, unpack=221.0, fresh=2180.0),
    "runs of 512": Cost(stream=12.3, pack=220.0, prove=332.0, unpack=219.0, fresh=2170.0),
    "runs of 8": Cost(stream=266.0, pack=272.0, prove=1030.0, unpack=379.0, fresh=2400.0),
    "mixed": Cost(stream=45.9, pack=267.0, prove=375.0, unpack=318.0, fresh=2400.0),
    "random": Cost(stream=1930.0, pack=386.0, prove=5310.0, unpack=427.0, fresh=2510.0),
    "sparse": Cost(stream=48.4, pack=388.0, prove=395.0, unpack=280.0, fresh=2470.0),
    "2M pages": Cost(stream=12.3, pack=504.0, prove=None, unpack=225.0, fresh=2220.0),
}
