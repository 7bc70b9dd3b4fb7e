# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""extract: the bytes are those of the capture, holes stay holes, nothing is overwritten or left half done."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from edited import saved
from runner import Runner

from devstate.handover.model import Handover
from devstate.handover.open import open_handover
from devstate.memory.open import open_input


@pytest.fixture(scope="module")
def handover(shipped: Path) -> Handover:
    return open_handover(open_input(str(shipped / "small-7.3.core.zst")))


def stdout(*words: object) -> bytes:
    """What a command line writes to standard output."""
    return subprocess.run([sys.executable, "-m", "devstate", *map(str, words)], capture_output=True, check=True).stdout


@pytest.mark.parametrize("name", ["small-7.3", "base-7.3", "flb-7.2"])
def test_contents(run: Runner, any_captures: Path, tmp_path: Path, name: str) -> None:
    """Every file of a capture has the hash that user space saw before the jump."""
    if not (any_captures / f"{name}.core.zst").exists():
        pytest.skip(f"{name} does not ship")
    truth = json.loads((any_captures / f"{name}.truth.json").read_text())
    for session in truth["sessions"]:
        for file in session["files"]:
            out, path = tmp_path / "content", f"luo/session/{session['name']}/{file['token']}"
            outcome = run("extract", any_captures / f"{name}.core.zst", path, "-o", out, "--force")
            assert (0, "", "") == (outcome.status, outcome.out, outcome.err)
            data = out.read_bytes()
            assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_regions(run: Runner, captures: Path, tmp_path: Path) -> None:
    """The memory of a reserve_mem region, to a file and to standard output."""
    truth = json.loads((captures / "reserve-7.3.truth.json").read_text())
    for region in truth["regions"]:
        words = ("extract", captures / "reserve-7.3.core.zst", f"memblock/{region['name']}", "-o")
        assert 0 == run(*words, tmp_path / region["name"]).status
        assert region["sha256"] == hashlib.sha256((tmp_path / region["name"]).read_bytes()).hexdigest()
    assert region["sha256"] == hashlib.sha256(stdout(*words, "-")).hexdigest()


def test_blobs(small: Path, handover: Handover) -> None:
    """A subtree's bytes, by either spelling, and the root FDT."""
    assert handover.memory is not None
    for path, pa, size in (("LUO", 0x23E2000, 32), ("subtree/kexec-metadata", 0x2306000, 73)):
        assert bytes(handover.memory.read(pa, size)) == stdout("extract", small, path, "-o", "-")
    root = stdout("extract", small, "kho", "-o", "-")
    assert bytes(handover.memory.read(0x2300000, len(root))) == root and root.startswith(b"\xd0\x0d\xfe\xed")


def test_records(small: Path, handover: Handover) -> None:
    """The struct of that name at its place, and all folio records."""
    assert handover.memory is not None and handover.luo is not None and handover.luo.pa is not None
    session, file = handover.luo.sessions[0], handover.files[2]
    assert file.pages is not None and file.nr_folios is not None
    expected = {
        "luo@luo_ser": (handover.luo.pa, 32),
        f"{session.path}@luo_session_ser": (session.pa, 80),
        f"{file.path}@luo_file_ser": (file.pa, 64),
        f"{file.path}@memfd_luo_ser": (file.data_pa, 48),
        f"{file.path}@memfd_luo_folio_ser": (file.pages.where(0), file.nr_folios * 16),
    }
    for path, (pa, size) in expected.items():
        assert pa is not None
        assert bytes(handover.memory.read(pa, size)) == stdout("extract", small, path, "-o", "-"), path


def test_what_stands_for_no_bytes(run: Runner, small: Path, tmp_path: Path) -> None:
    """Sections and sessions; a record that is not there is answered with those that are."""
    for path in ("luo", "luo/session", "luo/session/vm-alpha", "preserved", "scratch", "metadata", "memblock"):
        outcome = run("extract", small, path, "-o", tmp_path / "out")
        assert 2 == outcome.status and f"{path!r} stands for no bytes" in outcome.err
    outcome = run("extract", small, "luo/session/vm-alpha/1@nothing", "-o", tmp_path / "out")
    assert 2 == outcome.status and "it has luo_file_ser, memfd_luo_ser, memfd_luo_folio_ser" in outcome.err
    assert 2 == run("extract", small, "nothing@luo_ser", "-o", tmp_path / "out").status
    assert 2 == run("extract", small, "preserved@luo_ser", "-o", tmp_path / "out").status
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_overwritten(run: Runner, small: Path, tmp_path: Path) -> None:
    """Unless it is asked for; what was there stays as it was."""
    out = tmp_path / "out"
    out.write_bytes(b"precious" * 1000)
    outcome = run("extract", small, "LUO", "-o", out)
    assert (2, f"error: {out} is there already; --force overwrites it\n") == (outcome.status, outcome.err)
    assert b"precious" * 1000 == out.read_bytes()
    assert 0 == run("extract", small, "LUO", "-o", out, "--force").status
    assert 32 == out.stat().st_size


def test_a_place_that_cannot_be_written(run: Runner, small: Path, tmp_path: Path) -> None:
    """A missing folder, a folder, a full disk, a name that no system takes."""
    for out in (tmp_path / "none" / "out", tmp_path, "/dev/full" if os.path.exists("/dev/full") else tmp_path, "nul\0byte", "x" * 300):
        outcome = run("extract", small, "luo/session/vm-alpha/1", "-o", out, "--force")
        assert 2 == outcome.status and outcome.err.startswith("error: ") and 1 == outcome.err.count("\n")


def test_content_that_is_not_in_the_capture(run: Runner, shipped: Path, tmp_path: Path) -> None:
    """An error that names the file, and no file left behind."""
    outcome = run("extract", shipped / "tampered" / "7.3-file-count-minus1.core.zst", "luo/session/vm-alpha/1", "-o", tmp_path / "out")
    assert (2, "") == (outcome.status, outcome.out) and "not in the capture" in outcome.err
    assert [] == list(tmp_path.iterdir())


def test_an_unknown_handler_has_no_content(run: Runner, small: Path, handover: Handover, tmp_path: Path) -> None:
    """The record can still be had."""
    path = saved(small, {handover.files[0].pa: b"memfd-v9"}, tmp_path / "core")
    outcome = run("extract", path, "luo/session/vm-alpha/1", "-o", tmp_path / "out")
    assert 2 == outcome.status and "no known format has its content" in outcome.err
    assert 0 == run("extract", path, "luo/session/vm-alpha/1@luo_file_ser", "-o", tmp_path / "out").status


def test_holes_stay_holes(run: Runner, small: Path, handover: Handover, tmp_path: Path) -> None:
    """A folio without a page is a hole in the file, and refused on a stream before a byte of it is written."""
    file = handover.files[1]
    assert file.pages is not None
    first = file.pages.where(16)
    assert first is not None
    path = saved(small, {first + 16 * index: bytes(8) for index in range(200)}, tmp_path / "core")
    out = tmp_path / "out"
    assert 0 == run("extract", path, file.path, "-o", out).status
    assert (1 << 20, True) == (out.stat().st_size, out.stat().st_blocks * 512 <= 300 << 10)
    data = out.read_bytes()
    assert bytes(200 * 4096) == data[4096 : 201 * 4096] and any(data[:4096]) and any(data[201 * 4096 :])
    outcome = run("extract", path, file.path, "-o", "-")
    assert (2, "") == (outcome.status, outcome.out) and "it has a hole at 0x1000" in outcome.err


def test_a_huge_size_makes_no_huge_file(run: Runner, small: Path, handover: Handover, tmp_path: Path) -> None:
    """A damaged size costs no space, or is refused, but never fills the disk."""
    file = handover.files[0]
    for size in ((1 << 40), (1 << 64) - 1):
        path = saved(small, {file.data_pa + 8: size.to_bytes(8, "little")}, tmp_path / "core")
        outcome = run("extract", path, file.path, "-o", tmp_path / "out", "--force")
        assert outcome.status in (0, 2)
        assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_blocks * 512 < 1 << 20


def test_a_region_that_is_not_whole(run: Runner, captures: Path, tmp_path: Path) -> None:
    """Its size claims more than there is: an error, and what was written is removed."""
    handover = open_handover(open_input(str(captures / "reserve-7.3.core.zst")))
    region = handover.regions[0]
    subtree = handover.subtree("memblock")
    assert subtree is not None and subtree.fdt is not None and subtree.pa is not None
    prop = subtree.fdt.root.children[0].property("size")
    assert prop is not None and prop.offset is not None
    path = saved(captures / "reserve-7.3.core.zst", {subtree.pa + prop.offset: (1 << 40).to_bytes(8, "little")}, tmp_path / "core")
    outcome = run("extract", path, region.path, "-o", tmp_path / "out")
    assert 2 == outcome.status and not (tmp_path / "out").exists()
