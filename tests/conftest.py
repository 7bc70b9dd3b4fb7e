# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where real handovers are: a few ship with the suite, all of them stand beside the repository where there is room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ROOT.parent / "shared" / "captures"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The captures that ship: small enough for a repository, complete enough for the suite to stand alone."""
    return ROOT / "tests" / "captures"


@pytest.fixture(scope="session")
def captures() -> Path:
    """All captures. Without them the test is skipped, except in CI, where that would hide what was not tested."""
    if not BESIDE.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have the captures in {BESIDE}")
        pytest.skip("the full set of captures is not beside the repository")
    return BESIDE


@pytest.fixture(scope="session")
def any_captures(shipped: Path) -> Path:
    """All captures if they are there, else those that ship."""
    return BESIDE if BESIDE.is_dir() else shipped
