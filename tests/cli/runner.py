# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Command lines run inside the test's process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstate.__main__ import main
from devstate.cli.verbs import VERBS

CLI = Path(__file__).resolve().parents[2] / "devstate" / "cli"

PRESENT = [verb for verb in VERBS if (CLI / f"{verb}.py").exists()]
"""The verbs that there are."""


@dataclass
class Outcome:
    """What a command line gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as a JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines of the output."""
        return self.out.splitlines()


class Runner:
    """``run("inspect", path)`` is ``devstate inspect path``."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: object) -> Outcome:
        self.capsys.readouterr()
        status = main([str(word) for word in words])
        out, err = self.capsys.readouterr()
        return Outcome(status, out, err)
