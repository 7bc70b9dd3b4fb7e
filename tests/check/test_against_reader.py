# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""check against the model of the reading kernel: the model against what real kernels did, then edits of a real handover."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.check.campaign import Bench
from tests.check.kinds import is_knowable, kinds
from tests.check.reader import compare
from tests.check.test_tampered import CASES, FOLDER

STEP = 5
"""Every so many edits of the campaign are made here; `make campaign` makes all."""

@pytest.mark.parametrize("name", CASES)
def test_model_is_what_kernels_did(name: str) -> None:
    """The model classes each observed case as the captures do; where a page may be reused it says that luck decides."""
    writes = [(int(write["pa"], 16), bytes.fromhex(write["old"]), bytes.fromhex(write["new"])) for write in CASES[name]["writes"] if write]
    bench = Bench(FOLDER / f"{name}.core.zst", tuple((pa, old) for pa, old, _ in writes))
    for pa, _, new in writes:
        bench.edited.write(pa, new)
    expected = CASES[name]["reaction"]
    assert bench.model() in ((expected, None) if CASES[name]["luck_dependent"] else (expected,))


def test_twin_is_accepted(shipped: Path) -> None:
    """Without an edit the model retrieves everything, as the kernel did."""
    bench = Bench(shipped / "small-7.3.core.zst")
    assert (4, "accepted") == (len(bench.twin.files), compare(bench.twin, bench.run(bench.wanted)))


@pytest.mark.parametrize("part", range(4))
def test_predictions(shipped: Path, part: int) -> None:
    """Each edit is predicted as the model does it, and what harms is named at its place."""
    bench = Bench(shipped / "small-7.3.core.zst")
    chosen = [kind for kind in kinds(bench.edited) if is_knowable(kind)][part * STEP // 4 :: STEP * 4]
    verdicts = [bench.judge(kind) for kind in chosen]
    assert len(verdicts) > 50
    assert [] == [(each.kind.name, each.model, each.predicted, each.near) for each in verdicts if not each.agrees]


def test_regions(captures: Path) -> None:
    """The same for what a capture with reserve_mem regions has more: the sizes and starts of its regions."""
    bench = Bench(captures / "reserve-7.3.core.zst")
    chosen = [kind for kind in kinds(bench.edited) if re.match(r"region \S+ (start|size) ", kind.name) and is_knowable(kind)]
    verdicts = [bench.judge(kind) for kind in chosen[::4]]
    assert len(verdicts) > 10
    assert [] == [(each.kind.name, each.model, each.predicted, each.near) for each in verdicts if not each.agrees]
