# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any file as a source of layouts: the properties of the fuzz targets, on files of each kind with anything changed in them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))

import headers_fuzzer
import layouts_fuzzer

SEEDS = [*layouts_fuzzer.seeds()]
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=150, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data())
def test_any_change(data: st.DataObject) -> None:
    """A few bytes of a file of any kind are others, or its end is missing."""
    made = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(made) - 1, 0)))
        made[at : at + 1] = data.draw(st.one_of(st.binary(min_size=1, max_size=4), st.just(b"\0"), st.just(b"\xff")))
    layouts_fuzzer.one_input(bytes(made[: data.draw(st.one_of(st.just(len(made)), st.integers(0, len(made))))]))


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_prefixes(seed: int) -> None:
    """Cut short anywhere: sound layouts, or an error of ours."""
    data = SEEDS[seed]
    for end in range(0, len(data), max(len(data) // 40, 1)):
        layouts_fuzzer.one_input(data[:end])


def test_the_seeds_themselves() -> None:
    """They are read, and are sound; the headers' too."""
    for data in SEEDS:
        layouts_fuzzer.one_input(data)
    for data in headers_fuzzer.seeds():
        headers_fuzzer.one_input(data)
        for end in (len(data) // 3, len(data) // 2, len(data) - 4):
            headers_fuzzer.one_input(data[:end])
