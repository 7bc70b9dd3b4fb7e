# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The property of fuzz/pt_walk_fuzzer.py, on random bytes and on what the fuzzing loop makes."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))
import driver  # noqa: E402
from pt_walk_fuzzer import one_input, seeds, table_of  # noqa: E402


@given(st.binary(max_size=150))
@example(b"")
@settings(deadline=None)
def test_random_bytes(data: bytes) -> None:
    """Anything at all."""
    one_input(data)


def test_changed_seeds() -> None:
    """Some hundred rounds of the fuzzing loop, always the same ones."""
    rng = random.Random(1)
    known = seeds()
    for _ in range(300):
        one_input(driver.changed(rng, known))


def test_seeds_are_sound() -> None:
    """Each maps something, over all its levels: fuzzing starts from what is accepted."""
    for data in seeds():
        one_input(data)
        table = table_of(data)
        assert table is not None
        found = table.walk()
        assert (0, table.levels) == (found.problem_count, len(found.tables))
        assert len(found.leaves) >= 2
