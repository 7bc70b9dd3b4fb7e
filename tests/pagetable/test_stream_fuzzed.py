# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The property of fuzz/pt_stream_fuzzer.py, on what the fuzzing loop makes."""

from __future__ import annotations

import random
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))
import driver  # noqa: E402
from pt_stream_fuzzer import one_input, seeds  # noqa: E402


def test_changed_seeds() -> None:
    """A thousand rounds of the fuzzing loop, always the same ones; and the seeds as they are."""
    rng = random.Random(1)
    known = seeds()
    for data in [b"", *known, *(driver.changed(rng, known) for _ in range(1000))]:
        one_input(data)


def test_every_byte_of_a_chunk() -> None:
    """Each byte of a small chunk set to a few others, under right sums."""
    stream = seeds()[0]
    for at in range(72, len(stream) - 96):
        for value in (0, 1, 0x0B, 0x7F, 0xFF):
            one_input(stream[:at] + bytes([value]) + stream[at + 1 :])
