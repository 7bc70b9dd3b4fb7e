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
    "contiguous": Cost(stream=12.3, pack=215.0, prove=293.0, unpack=172.0, fresh=2150.0),
    "runs of 512": Cost(stream=12.3, pack=218.0, prove=331.0, unpack=170.0, fresh=2140.0),
    "runs of 8": Cost(stream=266.0, pack=257.0, prove=1020.0, unpack=322.0, fresh=2390.0),
    "mixed": Cost(stream=45.9, pack=256.0, prove=408.0, unpack=322.0, fresh=2390.0),
    "random": Cost(stream=1930.0, pack=373.0, prove=5510.0, unpack=344.0, fresh=2460.0),
    "sparse": Cost(stream=48.4, pack=382.0, prove=405.0, unpack=287.0, fresh=2410.0),
    "2M pages": Cost(stream=12.3, pack=520.0, prove=None, unpack=180.0, fresh=2170.0),
}
