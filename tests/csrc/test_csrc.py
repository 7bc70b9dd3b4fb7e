# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The C core under AddressSanitizer and UBSan, with and without the instruction sets of the machine.

What it refuses (driver.c), and every fuzz property (fuzz/c).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = {"native": (), "portable": ("-DDS_PORTABLE",)}
RUNS = 3000


def fuzz_runner() -> ModuleType:
    """fuzz/c/run.py as a module."""
    spec = importlib.util.spec_from_file_location("fuzz_c_run", ROOT / "fuzz" / "c" / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = fuzz_runner()


@pytest.fixture(scope="session")
def compiler() -> str:
    """gcc; CI must have it."""
    found = shutil.which("gcc")
    if found is None:
        assert os.environ.get("CI") != "true", "CI must have gcc"
        pytest.skip("no gcc")
    return found


@pytest.fixture(scope="session", params=list(VARIANTS))
def core(request: pytest.FixtureRequest, compiler: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The object files of csrc, of each variant, with every warning an error."""
    warnings = ["-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wvla"]
    objects: list[str] = RUNNER.compile_core(tmp_path_factory.mktemp(request.param), compiler, *warnings, *VARIANTS[request.param])
    return objects


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
