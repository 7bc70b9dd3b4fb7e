# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The double answers as a real kernel did: Linux 7.3.4, noted by ``make live``. The calls are those of tests/live/calls.py."""

from __future__ import annotations

import json
from pathlib import Path

from tests.live.pretend import answers

NOTED = Path(__file__).resolve().parents[1] / "live" / "answers-7.3.json"


def test_the_double_answers_as_linux_7_3() -> None:
    """Every call, before and after the jump: the same errno, the same name."""
    assert json.loads(NOTED.read_text()) == answers()
