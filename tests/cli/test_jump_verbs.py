# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate manifest, predict and matrix: arguments, forms, exit statuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from runner import Runner


def test_predict(run: Runner) -> None:
    """Go is 0, no-go is 1; the way back is asked for by itself."""
    assert (0, "7.2 -> 7.3: OK") == (run("predict", "7.2", "7.3").status, run("predict", "7.2", "7.3").lines[0])
    assert (0, 1) == (run("predict", "7.0", "6.19").status, run("predict", "7.0", "6.19", "--rollback").status)
    outcome = run("predict", "6.19", "7.0", "--json")
    assert (1, "BLOCK", 1) == (outcome.status, outcome.json["verdict"], outcome.json["exit"])
    luo = next(each for each in outcome.json["components"] if each["name"] == "LUO")
    assert ("BLOCK", "REFUSED", "panic", "node-missing") == (luo["verdict"], luo["outcome"], luo["reaction"], luo["reasons"][0]["code"])


def test_manifest_files(run: Runner, tmp_path: Path) -> None:
    """A manifest stands for its build; one that misses evidence is status 3 wherever it is used."""
    path, packed = tmp_path / "build.json", tmp_path / "build.msgpack"
    assert 0 == run("manifest", "7.3", "-o", path, "--name", "canary").status
    assert 0 == run("manifest", path, "-o", packed).status
    assert "canary -> 7.2: OK" == run("predict", packed, "7.2").lines[0]
    plain = json.loads(path.read_text())
    plain["missing"] = ["no BTF"]
    path.write_text(json.dumps(plain))
    outcome = run("predict", path, "7.3")
    assert (3, "  incomplete: canary: no BTF") == (outcome.status, outcome.lines[-1])
    assert (3, "canary: no BTF") == (run("manifest", path).status, run("manifest", path).err.strip())
    assert 3 == run("matrix", path, "7.3").status


def test_state(run: Runner, small: Path) -> None:
    """With a handover only what it carries is listed."""
    outcome = run("predict", "7.3", "7.2", "--state", small, "--json")
    assert {"carrier setup_data", "KHO root", "LUO", "kexec-metadata", "preserved files"} == {
        each["name"] for each in outcome.json["components"]
    }


def test_matrix_forms(run: Runner) -> None:
    """Text, CSV, JSON and HTML say the same."""
    assert "block:panic" in run("matrix", "6.19", "7.0").out
    rows = list(csv.DictReader(io.StringIO(run("matrix", "6.19", "7.0", "--format", "csv").out)))
    assert ["OK", "BLOCK", "OK", "OK"] == [row["verdict"] for row in rows]
    jumps = run("matrix", "6.19", "7.0", "--format", "json").json["jumps"]
    assert [row["verdict"] for row in rows] == [jump["verdict"] for jump in jumps]
    page = run("matrix", "6.19", "7.0", "--format", "html").out
    assert page.startswith("<!doctype html>") and "block:panic" in page and "http" not in page


def test_what_is_no_build(run: Runner, tmp_path: Path) -> None:
    """A missing file, a damaged one, an ELF file without strings, a word: errors of usage or input, in one line."""
    damaged = tmp_path / "m.json"
    damaged.write_text('{"manifest": 7, "formats": []}')
    elf = tmp_path / "vmlinux"
    elf.write_bytes(b"\x7fELF" + bytes(60))
    for word in ("no/such", "none.json", damaged, tmp_path, "newest"):
        outcome = run("predict", word, "7.3")
        assert (2, 1) == (outcome.status, len(outcome.err.splitlines())), word
    assert run("predict", elf, "7.3").status in (2, 3)
