# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The README tells the truth: every command in it gives the output that stands below it, every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()

COMMANDS = re.findall(r"^\$ (devstate .*)\n((?:(?!\$ |```).*\n)*)", README, re.MULTILINE)


def test_commands(tmp_path: Path) -> None:
    """In the order of the page, in one folder; a line of three dots stands for any lines that follow."""
    assert len(COMMANDS) >= 8
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "devstate").write_text(f'#!/bin/sh\nexec {sys.executable} -m devstate "$@"\n')
    (tmp_path / "devstate").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    for command, expected in COMMANDS:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        found = done.stdout + done.stderr
        if expected.endswith("\n...\n"):
            expected = expected.removesuffix("...\n")
            found = found[: len(expected)]
        assert expected == found, command


def test_links() -> None:
    """Each file that it names is there."""
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [] == [link for link in links if not (ROOT / link).exists()]
