# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""new and gen: the package of a driver passes its own `make check` at once; what is generated is compared; wrong words are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runner import Runner

LONGEST = "a-driver-whose-name-is-as-long-as-may-be"


def make(where: Path, target: str, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run make there, with this interpreter and what is installed beside it."""
    words = ["make", target, f"PYTHON={sys.executable}", *settings]
    environment = os.environ | {"XDG_CACHE_HOME": str(where / "cache")}
    return subprocess.run(words, cwd=where, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("encoding", ["packed", "tagged"])
def test_a_new_driver_passes_its_own_check(run: Runner, tmp_path: Path, encoding: str) -> None:
    """Style, types, tests, generated files, baseline, lint. Then a field changes: the check names what is out of date."""
    where = tmp_path / "acme"
    outcome = run("new", "driver", "acme-nic", "--encoding", encoding, "-o", where)
    assert 0 == outcome.status
    assert {"README.md", "Makefile", "pyproject.toml", "acme_nic_schemas", "generated", "tests"} == {path.name for path in where.iterdir()}
    assert (where / "acme_nic_schemas" / "baselines" / "acme-nic-v1.json").is_file()
    done = make(where, "check")
    assert 0 == done.returncode, done.stdout + done.stderr
    schemas = where / "acme_nic_schemas" / "__init__.py"
    schemas.write_text(schemas.read_text().replace("PROMISCUOUS=1", "PROMISCUOUS=2"))
    words = ("all", "acme-nic-v1", "--schemas", where / "acme_nic_schemas", "-o", where / "generated")
    stale = run("gen", *words, "--check")
    assert 1 == stale.status and "acme_nic_v1.h: out of date" in stale.out and "devstate.h" not in stale.out
    assert 0 == run("gen", *words).status and 0 == run("gen", *words, "--check").status
    assert 1 == run("baseline", "check", where / "acme_nic_schemas").status


@pytest.mark.parametrize("encoding", ["packed", "tagged"])
def test_the_longest_name(run: Runner, tmp_path: Path, encoding: str) -> None:
    """Lines still fit, identifiers still are some; the string fits LUO's field."""
    assert 40 == len(LONGEST)
    assert 0 == run("new", "driver", LONGEST, "--encoding", encoding, "-o", tmp_path / "long").status
    assert 0 == subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "."], cwd=tmp_path / "long", check=False).returncode


@pytest.mark.parametrize("name", ["", "9p", "Acme", "a_b", "a b", "a/b", "../x", "é", "a" * 41, "-a", "if\n"])
def test_names_that_are_none(run: Runner, tmp_path: Path, name: str) -> None:
    """Refused with what a name is, and nothing is written."""
    outcome = run("new", "driver", "-o", tmp_path / "x", "--", name)
    assert 2 == outcome.status and "no driver's name" in outcome.err
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_overwritten(run: Runner, tmp_path: Path) -> None:
    """A directory with something in it, a file; an unknown kind."""
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path, tmp_path / "file"):
        outcome = run("new", "driver", "acme", "-o", place)
        assert 2 == outcome.status and "is there already" in outcome.err
    assert 2 == run("new", "planet", "acme").status
    outcome = run("new", "driver", "acme", "--encoding", "cbor")
    assert 2 == outcome.status and "'cbor' is no encoding; there are packed, tagged" in outcome.err
    assert "mine" == (tmp_path / "file").read_text()


def test_gen_to_standard_output(run: Runner) -> None:
    """One kind by itself, for all page sizes or one."""
    outcome = run("gen", "c-header", "memfd-v2")
    golden = Path(__file__).parents[1] / "golden" / "gen" / "memfd_v2.h"
    assert (0, golden.read_text()) == (outcome.status, outcome.out)
    assert "#elif PAGE_SIZE" not in run("gen", "c-header", "memfd-v2", "--page-size", "16K").out
    assert "u64 phys[2047];" in run("gen", "c-header", "memfd-v2", "--page-size", "16K").out
    for kind in ("c-codec", "c-codec-header", "c-proof", "c-fuzz", "markdown", "strategy"):
        assert 0 == run("gen", kind, "memfd-v2").status


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("c-heder", "memfd-v2"), "nothing of the kind 'c-heder'"),
        (("c-header", "memfd-v9"), "memfd-v9"),
        (("all", "memfd-v2"), "say with -o DIR"),
        (("c-header", "memfd-v2", "--check"), "say with -o DIR"),
        (("c-header", "memfd-v2", "--page-size", "8K"), "page size"),
    ],
)
def test_gen_refuses(run: Runner, words: tuple[str, ...], text: str) -> None:
    """With a reason."""
    outcome = run("gen", *words)
    assert 2 == outcome.status and text in outcome.err


def test_the_fuzz_target_of_a_driver(run: Runner, tmp_path: Path) -> None:
    """`make fuzz` builds and runs it, where there is clang."""
    clang = shutil.which("clang-14") or shutil.which("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    assert 0 == run("new", "driver", "acme", "-o", tmp_path / "acme").status
    done = make(tmp_path / "acme", "fuzz", f"CLANG={clang}", "FUZZ_SECONDS=1")
    assert 0 == done.returncode, done.stdout + done.stderr
