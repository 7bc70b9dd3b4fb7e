# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate pt pack and unpack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runner import Runner

from devstate.cli.command import FINDINGS, OK, UNUSABLE
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping

GIB = 1 << 30


def options(domain: dict[str, object]) -> list[object]:
    """The command line's words for a domain of a truth file."""
    words: list[object] = ["--format", domain["format"], "--top", domain["top_table_pa"], "--levels", domain["levels"]]
    words += ["--top-entries", domain["top_table_entries"], "--granule", domain.get("granule", 4096)]
    return [*words, *(["--sign-extended"] if domain.get("sign_extended") else [])]


def saved(path: Path) -> list[object]:
    """A core with some tables, and the words to name them."""
    arena = Arena()
    table = build(arena, "vtd-second-stage", [Mapping(n * GIB, (n + 8) * GIB + 0x1000, 0x5000, 3) for n in range(400)], 4)
    arena.save(str(path))
    return ["--format", "vtd-second-stage", "--top", f"{table.top_table:#x}", "--levels", 4]


@pytest.mark.parametrize("name", ["mod-formats", "intel48"])
def test_there_and_back(run: Runner, shipped: Path, tmp_path: Path, name: str) -> None:
    """What is written back walks as before; moved, too, with the options that unpack prints."""
    core = shipped / "iommu" / f"{name}.core.zst"
    for domain in json.loads((shipped / "iommu" / f"{name}.truth.json").read_text())["domains"][-3:]:
        words = options(domain)
        assert OK == run("pt", "pack", *words, "-o", tmp_path / "stream", "--force", core).status
        assert OK == run("pt", "unpack", tmp_path / "stream", "-o", tmp_path / "back.core", "--force").status
        before, after = (run("pt", "walk", *words, "--json", each) for each in (core, tmp_path / "back.core"))
        assert before.json == after.json
        outcome = run("pt", "unpack", tmp_path / "stream", "-o", tmp_path / "moved.core", "--force", "--relocate", "1T")
        (line,) = (line for line in outcome.out.splitlines() if line.startswith("try"))
        assert before.json == run(*line.split()[2:], "--json").json


def test_text_and_streams(run: Runner, tmp_path: Path) -> None:
    """What is printed; - for standard output; a FILE that is there."""
    words = saved(tmp_path / "core")
    outcome = run("pt", "pack", *words, "-o", tmp_path / "stream", tmp_path / "core", "--jobs", 2)
    size = (tmp_path / "stream").stat().st_size
    assert f"pages=802 chunks=4 bytes={size} of {802 * 4096} of tables\n" in outcome.out
    assert "pages   level 0 400\npages   level 1 400\npages   level 2 1\npages   level 3 1\n" in outcome.out
    again = run("pt", "pack", *words, "-o", tmp_path / "stream", tmp_path / "core")
    assert UNUSABLE == again.status
    assert "is there already; --force overwrites it" in again.err
    assert size == (tmp_path / "stream").stat().st_size
    assert "is there already" in run("pt", "unpack", tmp_path / "stream", "-o", tmp_path / "core").err
    assert "--jobs is 1 to 256" in run("pt", "pack", *words, "-o", "x", "--jobs", 0, tmp_path / "core").err


def test_damage(run: Runner, tmp_path: Path) -> None:
    """Refused with its place; with --partial the rest is written, and 1 is the status."""
    words = saved(tmp_path / "core")
    run("pt", "pack", *words, "-o", tmp_path / "stream", tmp_path / "core")
    data = bytearray((tmp_path / "stream").read_bytes())
    data[64 + 100] ^= 1
    (tmp_path / "stream").write_bytes(data)
    refused = run("pt", "unpack", tmp_path / "stream", "-o", tmp_path / "back")
    assert UNUSABLE == refused.status
    assert "offset 0x40: chunk 0, of 256 pages from" in refused.err
    assert not (tmp_path / "back").exists()
    partial = run("pt", "unpack", tmp_path / "stream", "-o", tmp_path / "back", "--partial")
    assert (FINDINGS, True) == (partial.status, (tmp_path / "back").exists())
    assert "pages=546\n" in partial.out
    assert "256 of 802 pages are not there" in partial.err


def test_what_is_no_stream(run: Runner, tmp_path: Path) -> None:
    """Empty, other bytes, not there."""
    for name, data in (("empty", b""), ("other", b"x" * 100)):
        (tmp_path / name).write_bytes(data)
        outcome = run("pt", "unpack", tmp_path / name, "-o", tmp_path / "out")
        assert UNUSABLE == outcome.status
        assert "no page-table stream" in outcome.err
    assert UNUSABLE == run("pt", "unpack", tmp_path / "absent", "-o", tmp_path / "out").status


def test_a_table_that_is_not_there(run: Runner, tmp_path: Path) -> None:
    """Named; left out with --incomplete. No half-written stream stays."""
    words = saved(tmp_path / "core")
    words[words.index("--top") + 1] = "0x5000000000"
    outcome = run("pt", "pack", *words, "-o", tmp_path / "stream", tmp_path / "core")
    assert UNUSABLE == outcome.status
    assert "the top table is not in the capture" in outcome.err
    assert not (tmp_path / "stream").exists()
    assert OK == run("pt", "pack", *words, "-o", tmp_path / "stream", "--incomplete", tmp_path / "core").status
