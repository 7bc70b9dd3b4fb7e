# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The tutorial is run: every file is written, every edit made, every command gives what stands below it, in the order of the page.

A fence is ``python PATH``, ``c PATH`` or ``json PATH`` (a file), ``diff PATH`` (lines that go, lines that come in their place), or
``console``: ``$ command`` and its output. A line of three dots stands for any lines; ``[status N]`` for an exit status other than 0, which
dots do not hide.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def steps(page: str) -> list[tuple[str, str, str]]:
    """(kind, path, text) of every fence; commands one by one, as ("console", command, output)."""
    found = []
    for kind, path, text in FENCE.findall(page):
        found += [(kind, *each) for each in COMMAND.findall(text)] if kind == "console" else [(kind, path, text)]
    return found


def edit(path: Path, text: str) -> None:
    """Replace the lines with a minus, which stand there once, by those with a plus."""
    old = "".join(line[1:] + "\n" for line in text.splitlines() if line.startswith("-"))
    new = "".join(line[1:] + "\n" for line in text.splitlines() if line.startswith("+"))
    before = path.read_text()
    assert 1 == before.count(old), old
    path.write_text(before.replace(old, new))


def matches(expected: str, found: str) -> bool:
    """Whether the output is as the page says."""
    pattern = "".join(r"(?:(?!\[status ).*\n)*" if line == "..." else re.escape(line) + "\n" for line in expected.splitlines())
    return re.fullmatch(pattern, found) is not None


class Shell:
    """The reader's shell: one directory after the other, devstate and python on its path."""

    def __init__(self, where: Path) -> None:
        tools = where / "bin"
        tools.mkdir()
        (tools / "devstate").write_text(f'#!/bin/sh\nexec {sys.executable} -m devstate "$@"\n')
        (tools / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.here = where / "work"
        self.here.mkdir()
        self.environment = os.environ | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "XDG_CACHE_HOME": str(where / "cache"),
        }

    def run(self, command: str) -> str:
        """The output, and the status when it is not 0."""
        words = ["sh", "-c", f"{command}\nstatus=$?; pwd >&3; exit $status"]
        reading, writing = os.pipe()
        line = [words[0], words[1], words[2].replace(">&3", f">/dev/fd/{writing}")]
        done = subprocess.run(
            line, cwd=self.here, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            pass_fds=(writing,),
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as place:
            self.here = Path(place.read().strip() or self.here)
        return done.stdout + (f"[status {done.returncode}]\n" if done.returncode else "")


def test_the_tutorial(tmp_path: Path) -> None:
    """From nothing to version 2."""
    shell = Shell(tmp_path)
    listed = steps(PAGE.read_text())
    assert 20 < sum(kind == "console" for kind, _, _ in listed)
    for kind, what, text in listed:
        if kind == "console":
            found = shell.run(what)
            assert matches(text, found), f"$ {what}\n{found}"
        elif kind == "diff":
            edit(shell.here / what, text)
        else:
            (shell.here / what).write_text(text)


def test_matching() -> None:
    """Dots stand for any lines, nothing else for any."""
    assert matches("a\n...\nc\n", "a\nb\nb\nc\n") and matches("...\n", "") and matches("", "")
    assert matches("...\n[status 1]\n", "a\n[status 1]\n") and not matches("...\n", "a\n[status 1]\n")
    assert not matches("a\n...\nc\n", "a\nb\n") and not matches("", "a\n") and not matches("a.c\n", "abc\n")
