# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Times that can be compared: all candidates take turns in one run, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Collection, Mapping
from statistics import median


def interleave(candidates: Mapping[str, Callable[[], object]], rounds: int = 7, seldom: Collection[str] = ()) -> dict[str, float]:
    """The median seconds of one call of each candidate, over ``rounds`` rounds in which each is called once, after one that is not counted.

    ``seldom``: slow ones that only every third round calls. The garbage collector is off meanwhile; what a call returns is dropped
    outside of its time.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for name, call in candidates.items():
        if name not in seldom:
            call()
    was_on = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for name, call in candidates.items():
                if name in seldom and turn % 3:
                    continue
                start = time.perf_counter()
                result = call()
                times[name].append(time.perf_counter() - start)
                del result
    finally:
        if was_on:
            gc.enable()
    return {name: median(values) for name, values in times.items()}
