# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The C core under AddressSanitizer and UBSan, with and without the instruction sets of the machine.

What it refuses (driver.c), and every fuzz property (fuzz/c).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.csrc.sanitized import RUNNER

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3000


def run_silently(program: Path, *arguments: str) -> None:
    """Run a program: an exit status, or anything on its error stream, fails the test."""
    result = subprocess.run([str(program), *arguments], capture_output=True, text=True)
    assert (0, "") == (result.returncode, result.stderr)


def test_what_is_refused(compiler: str, core: list[str], tmp_path: Path) -> None:
    """Arguments at each limit and one above, prefixes, nothing at all."""
    RUNNER.compile_program(tmp_path / "driver", compiler, [ROOT / "tests" / "csrc" / "driver.c"], core)
    run_silently(tmp_path / "driver")


@pytest.mark.parametrize("target", RUNNER.targets())
def test_fuzz_property(compiler: str, core: list[str], tmp_path: Path, target: str) -> None:
    """A few thousand made-up inputs of each property; `make fuzz` looks for more."""
    run_silently(RUNNER.compile_target(target, tmp_path, compiler, core), f"-runs={RUNS}", "-seed=7")


def test_the_core_keeps_the_rules_of_its_kind() -> None:
    """No allocation, no printing, no mutable globals; kernel style as far as a glance can tell."""
    for path in sorted((ROOT / "csrc").glob("*.[ch]")):
        text = path.read_text()
        assert text.split("\n", 1)[0] in (
            "// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only",
            "/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */",
        ), path
        assert [] == re.findall(r"\b(?:malloc|calloc|realloc|free|alloca|printf|fprintf|abort|exit)\s*\(", text), path
        assert [] == re.findall(r"^static (?!const|inline)[\w ]+(?:\[[^\]]*\])* *(?:=|;)", text, re.MULTILINE), path
        assert [] == re.findall(r"^ +[^ *]", text, re.MULTILINE), f"{path} is indented with spaces"
        assert path.suffix == ".h" or len(text.splitlines()) <= 400, path
        assert path.match("*.gen.h") or [] == [line for line in text.expandtabs(8).splitlines() if len(line) > 140], path


def test_fuzz_targets_build_with_libfuzzer(tmp_path: Path) -> None:
    """A second compiler has its own warnings, and its sanitizers see other things."""
    clang = shutil.which("clang-14") or shutil.which("clang")
    if clang is None:
        assert os.environ.get("CI") != "true", "CI must have clang"
        pytest.skip("no clang")
    core = RUNNER.compile_core(tmp_path, clang, guided=True)
    for target in RUNNER.targets():
        program = RUNNER.compile_target(target, tmp_path, clang, core, guided=True)
        result = subprocess.run([str(program), "-runs=500", "-seed=1"], capture_output=True, text=True)
        assert 0 == result.returncode, result.stderr[-3000:]
