# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How long the installed command takes from nothing, as multiples of ``python3 -c pass`` by the same interpreter.

What users run is measured: the console script where it is installed beside the interpreter, ``python -m devstate`` elsewhere. Bytecode
is compiled before, as it is after the first run of any installation. Processes take turns, and medians are compared.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.row import Row, at_most

ROOT = Path(__file__).resolve().parent.parent
SMALL = ROOT / "tests" / "captures" / "small-7.3.core.zst"
ROUNDS = 21

VERBS = [
    (["--version"], 1.5, 1.3),
    (["--help"], None, None),
    (["inspect", str(SMALL)], 6, 2.5),
    (["inspect", "--json", str(SMALL)], 6, 2.5),
    (["check", str(SMALL)], 6, 2.5),
    (["schemas"], None, None),
]
"""Arguments, must, aim."""


def command() -> list[str]:
    """How a user starts devstate."""
    script = Path(sys.executable).parent / "devstate"
    return [str(script)] if script.exists() else [sys.executable, "-m", "devstate"]


def compile_all() -> None:
    """Compile the package's bytecode, also where the environment keeps Python from writing it."""
    for folder in ("devstate", "schemas"):
        compileall.compile_dir(str(ROOT / folder), quiet=1)


def race(commands: Mapping[str, Sequence[str]], rounds: int = ROUNDS, statuses: Sequence[int] = (0,)) -> dict[str, float]:
    """The median seconds of each command from start to exit, all taking turns, after one round that is not counted.

    CalledProcessError for an exit status that is none of ``statuses``.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, words in commands.items():
            start = time.perf_counter()
            ended = subprocess.run(words, stdout=subprocess.DEVNULL, check=False, cwd=os.path.expanduser("~"))
            times[name].append(time.perf_counter() - start)
            if ended.returncode not in statuses:
                raise subprocess.CalledProcessError(ended.returncode, words)
    return {name: median(each[1:]) for name, each in times.items()}


def run() -> list[Row]:
    """Ratios to an interpreter that does nothing."""
    compile_all()
    commands = {"pass": [sys.executable, "-c", "pass"]} | {_name(words): [*command(), *words] for words, _, _ in VERBS}
    seconds = race(commands)
    rows = []
    for words, must, aim in VERBS:
        rows.append(at_most(f"{_name(words)}, to python3 -c pass", seconds[_name(words)] / seconds["pass"], "x", must, aim))
    return [*rows, at_most("python3 -c pass", seconds["pass"] * 1e3, "ms")]


def _name(words: list[str]) -> str:
    return " ".join(["devstate", *(word.replace(str(SMALL), "small-7.3") for word in words)])
