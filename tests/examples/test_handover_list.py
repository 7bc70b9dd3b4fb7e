# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""examples/handover/list.c, a program that reads a handover with generated code alone: what it prints is what `devstate inspect` knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from devstate.gen.files import generate
from devstate.handover.open import open_handover
from devstate.memory.open import open_input
from devstate.testing.prover import SANITIZED, compile_c, layouts_of
from tests.gen.test_style import faults

EXAMPLE = Path(__file__).parents[2] / "examples" / "handover"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, under ASan and UBSan."""
    where = tmp_path_factory.mktemp("list")
    codecs = []
    for name in ("kho-v4", "luo-v5", "memfd-v2"):
        for kind in ("c-header", "c-codec-header", "c-codec"):
            file, text = generate(kind, layouts_of(name))
            (where / file).write_text(text)
        codecs.append(file)
    for path in EXAMPLE.iterdir():
        shutil.copy(path, where)
    assert "" == compile_c(where, *SANITIZED, "-D_GNU_SOURCE", "list.c", *codecs, "-o", "list")
    return where / "list"


def core(path: Path, where: Path) -> Path:
    """The capture without its compression."""
    made = where / "plain.core"
    with path.open("rb") as packed, made.open("wb") as plain:
        zstandard.ZstdDecompressor().copy_stream(packed, plain)
    return made


def listed(program: Path, image: Path, root: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    done = subprocess.run([str(program), str(image), root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def truth(image: Path) -> tuple[list[str], dict[int, int], str]:
    """What `devstate inspect --json` says, as the program prints it: its lines, the blocks of each order, the root."""
    said = subprocess.run(
        [sys.executable, "-m", "devstate", "inspect", str(image), "--json"], capture_output=True, text=True, check=True
    ).stdout
    known = json.loads(said)
    lines = []
    for subtree in known["subtrees"]:
        lines.append(f"subtree {subtree['name']} {subtree['pa']} size {subtree['size']}")
        for session in known["luo"]["sessions"] if subtree["name"] == "LUO" else ():
            lines.append(f"session {session['name']}")
            for file in session["files"]:
                memfd = f" size {file['size']} folios {file['nr_folios']}" if file["compatible"] == "memfd-v2" else ""
                lines.append(f"file {session['name']} {file['token']} {file['compatible']}{memfd}")
    return lines, {int(order): blocks for order, blocks in known["preserved"]["orders"].items()}, known["kho"]["fdt_pa"]


@pytest.mark.parametrize("name", ["small-7.3", "reserve-7.3", "base-7.3", "many-7.3", "flb-7.2"])
def test_what_it_lists(program: Path, any_captures: Path, tmp_path: Path, name: str) -> None:
    """Line by line, and every preserved block at its address."""
    path = any_captures / f"{name}.core.zst"
    if not path.exists():
        pytest.skip("not among the captures that ship")
    image = core(path, tmp_path)
    lines, orders, root = truth(image)
    status, output, errors = listed(program, image, root)
    assert (0, "") == (status, errors)
    assert lines == [line for line in output.splitlines() if not line.startswith("preserved")]
    blocks = [line.split() for line in output.splitlines() if line.startswith("preserved")]
    assert orders == {order: sum(int(each[5]) for each in blocks if int(each[3]) == order) for order in {int(each[3]) for each in blocks}}
    preserved = open_handover(open_input(str(image))).preserved
    assert preserved is not None
    pairs = sorted((int(each[1], 16), int(each[1], 16) + (int(each[5]) * 4096 << int(each[3]))) for each in blocks)
    joined: list[list[int]] = []
    for start, end in pairs:
        if joined and joined[-1][1] == start:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    assert preserved.map.edges.tolist() == [edge for pair in joined for edge in pair]


def test_captures_that_were_tampered_with(program: Path, any_captures: Path, tmp_path: Path) -> None:
    """It ends: all is listed, or the first fault is named. Where Python cannot read a record, the program refuses."""
    refused = 0
    paths = sorted((any_captures / "tampered").glob("*.core.zst"))
    for path in paths:
        image = core(path, tmp_path)
        handover = open_handover(open_input(str(image)))
        status, _, errors = listed(program, image, hex(handover.fdt_pa or 0))
        assert (status, bool(errors)) in ((0, False), (1, True))
        assert "Sanitizer" not in errors and "runtime error" not in errors
        refused += status
    assert 0 < refused < len(paths)


def test_as_the_page_says(shipped: Path, tmp_path: Path) -> None:
    """The commands of docs/generated-c.md, one after the other, and what it shows of their output."""
    text = (EXAMPLE.parents[1] / "docs" / "generated-c.md").read_text()
    block = text.partition("## From the root to the leaves")[2].partition("```console\n")[2].partition("```")[0]
    core(shipped / "small-7.3.core.zst", tmp_path).rename(tmp_path / "small-7.3.core")
    (tmp_path / "examples").symlink_to(EXAMPLE.parent)
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = "\n".join(line[2:] for line in block.splitlines() if line.startswith("$ "))
    done = subprocess.run(["sh", "-ec", commands], cwd=tmp_path, env=found, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    shown = [line for line in block.splitlines() if not line.startswith("$ ") and line != "..."]
    assert len(shown) > 3
    assert set(shown) <= set(done.stdout.splitlines())


def test_wrong_calls(program: Path, tmp_path: Path) -> None:
    """No file, no core, no root there."""
    (tmp_path / "text").write_text("x" * 100)
    assert 2 == listed(program, tmp_path / "none", "0")[0]
    assert 2 == listed(program, tmp_path / "text", "0")[0]


def test_its_style() -> None:
    """That of the kernel."""
    for path in EXAMPLE.iterdir():
        assert [] == faults(path.read_text())
