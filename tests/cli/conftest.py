# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner import Runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run a command line in this process."""
    return Runner(capsys)


@pytest.fixture(scope="session")
def small(shipped: Path) -> Path:
    """Two sessions, four files."""
    return shipped / "small-7.3.core.zst"
