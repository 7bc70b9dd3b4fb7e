# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What packing, proving and unpacking page tables costs, by the shape of what is mapped: written by ``python -m bench.costs``.

Measured on: MACHINE. For each page of tables (4096 bytes): bytes of stream, and nanoseconds of one thread; None: not measured.
"""

from __future__ import annotations

from devstate.frozen import frozen

MACHINE = "AMD EPYC, 2 cores, 2026-11-24"


@frozen
class Cost:
    """Of one page of tables. ``unpack``: into memory that was used before; ``fresh``: into memory that was not."""

    stream: float
    pack: float
    prove: float | None
    unpack: float
    fresh: float


COSTS: dict[str, Cost] = {
    "contiguous": Cost(stream=12.3, pack=211.0, prove=306.0, unpack=248.0, fresh=2290.0),
    "runs of 512": Cost(stream=12.3, pack=186.0, prove=348.0, unpack=246.0, fresh=2340.0),
    "runs of 8": Cost(stream=266.0, pack=261.0, prove=1030.0, unpack=501.0, fresh=2630.0),
    "mixed": Cost(stream=45.9, pack=264.0, prove=422.0, unpack=399.0, fresh=2700.0),
    "random": Cost(stream=1930.0, pack=408.0, prove=6190.0, unpack=449.0, fresh=2710.0),
    "sparse": Cost(stream=48.4, pack=396.0, prove=417.0, unpack=333.0, fresh=2660.0),
    "2M pages": Cost(stream=12.3, pack=619.0, prove=None, unpack=235.0, fresh=2400.0),
}
