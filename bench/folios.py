# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""16 Mi folio records of a 64 GiB memfd (256 MiB): check them, and split them into columns. The peer is memcpy of the same bytes.

"Reused" columns were written before; fresh ones are made by the call, which mostly measures the kernel giving out pages.
"""

from __future__ import annotations

import numpy as np

from bench.row import Row, at_most
from bench.timing import interleave
from devstate.pagetable import native
from devstate.pagetable.folios import FolioRules

RECORDS = 16 << 20


def records() -> memoryview:
    """Folios anywhere in 4 TiB, in the order of the file, dirty and up to date."""
    rows = np.empty((RECORDS, 2), dtype=np.uint64)
    rows[:, 0] = np.random.default_rng(16).integers(1, 1 << 30, RECORDS, dtype=np.uint64) | np.uint64(3 << 52)
    rows[:, 1] = np.arange(RECORDS, dtype=np.uint64)
    return memoryview(rows).cast("B")


def run() -> list[Row]:
    """Ratios to memcpy of the records into reused memory."""
    source = records()
    target = np.ones(RECORDS * 2, dtype=np.uint64)
    room = native.folios_room(RECORDS)
    rules = FolioRules(pfn_limit=1 << 30, index_limit=RECORDS, known_flags=3)
    words = np.frombuffer(source, dtype=np.uint64)
    assert not native.folios_decode(source, rules, into=room)[1]
    seconds = interleave(
        {
            "memcpy": lambda: np.copyto(target, words),
            "check": lambda: native.folios_check(source, rules),
            "reused": lambda: native.folios_decode(source, rules, into=room),
            "fresh": lambda: native.folios_decode(source, rules),
        }
    )
    return [
        at_most("folios, decode and check into reused columns, to memcpy", seconds["reused"] / seconds["memcpy"], "x", must=0.85),
        at_most("folios, check only, to memcpy", seconds["check"] / seconds["memcpy"], "x", must=0.55),
        at_most("folios, decode and check into fresh columns, to memcpy", seconds["fresh"] / seconds["memcpy"], "x"),
        at_most("memcpy of the records", seconds["memcpy"] * 1e3, "ms"),
    ]
