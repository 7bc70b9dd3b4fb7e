# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate capture: what it prints, what it refuses, and that it leaves no half file behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from livehost import LiveHost
from runner import Outcome, Runner

from devstate.handover import capture
from devstate.handover.open import open_handover
from devstate.memory.open import open_data, open_input
from devstate.memory.save import EM_X86_64


@pytest.fixture
def live_host(small: Path, tmp_path: Path) -> LiveHost:
    """small-7.3 as it would stand in a running kernel."""
    memory = open_input(str(small)).memory
    assert memory is not None
    made = LiveHost(tmp_path, memory)
    made.debugfs(cut=233)
    made.setup_data()
    made.host()
    return made


def trees(made: LiveHost) -> tuple[object, ...]:
    return ("--sys", made.sys, "--proc", made.proc)


def test_running_kernel(run: Runner, live_host: LiveHost, small: Path, tmp_path: Path) -> None:
    """The outgoing handover; the file shows no difference to what the kernel had."""
    out = tmp_path / "out.core"
    outcome = run("capture", *trees(live_host), "-o", out)
    assert (0, "") == (outcome.status, outcome.err)
    assert [
        "captured  kho-v4 side=out fdt_pa=0x2300000 release=7.3.4",
        "holds     sessions=2 files=4 regions=0",
        f"wrote     {out} metadata=106496 content=1421312 ranges=16",
        "remark    debugfs out/fdt is cut, 233 of 285 bytes: read whole from memory",
    ] == outcome.lines
    assert (0, "") == (run("diff", "--hash", small, out).status, run("diff", "--hash", small, out).out)
    note = open_input(str(out)).handover
    assert note is not None and (("SIDE", "out"),) == note.extra


def test_incoming(run: Runner, live_host: LiveHost, tmp_path: Path) -> None:
    """The other side, as far as it is still there; what is missing stands in the file too."""
    luo = live_host.handover.subtree("LUO")
    assert luo is not None and luo.pa is not None
    live_host.write(luo.pa, b"\x7fELF")
    live_host.host()
    outcome = run("capture", *trees(live_host), "--side", "in", "-o", tmp_path / "in.core")
    text = "subtree LUO: the blob is of no known format at 0x23e2000 (this kernel has taken it over and freed it)"
    assert (0, f"missing   {text}") == (outcome.status, outcome.lines[3])
    note = open_input(str(tmp_path / "in.core")).handover
    assert note is not None and text == note.missing


def test_from_input(run: Runner, small: Path, tmp_path: Path) -> None:
    """A dump is reduced in the same way; .zst compresses; the file is for its owner only."""
    out = tmp_path / "x.core.zst"
    outcome = run("capture", "--from", small, "-o", out)
    assert (0, "captured  kho-v4 fdt_pa=0x2300000 release=7.3.4") == (outcome.status, outcome.lines[0])
    assert b"\x28\xb5\x2f\xfd" == out.read_bytes()[:4]
    assert 0o600 == out.stat().st_mode & 0o777
    assert 0 == run("diff", "--hash", small, out).status


def test_from_raw_image(run: Runner, small: Path, tmp_path: Path) -> None:
    """A raw image with its base: only the pages that matter are left of it."""
    memory = open_input(str(small)).memory
    assert memory is not None
    low = [region for region in memory.regions if region.start < 0x1000_0000]  # not the scratch array
    image = bytearray(low[-1].end - 0x1400000)
    for region in low:
        image[region.start - 0x1400000 : region.end - 0x1400000] = region.data
    (tmp_path / "image").write_bytes(image)
    outcome = run("capture", "--from", tmp_path / "image", "--base", "0x1400000", "-o", tmp_path / "x.core")
    assert "wrote" in outcome.lines[2] and "metadata=102400 content=1421312" in outcome.lines[2]
    assert 0 == run("diff", "--hash", small, tmp_path / "x.core").status
    assert EM_X86_64 == open_input(str(tmp_path / "x.core")).machine


def test_standard_output(small: Path) -> None:
    """The core goes to stdout, the report to stderr."""
    words = [sys.executable, "-m", "devstate", "capture", "--from", str(small), "-o", "-", "--no-content"]
    outcome = subprocess.run(words, capture_output=True, check=True)
    assert 2 == len(open_handover(open_data(memoryview(outcome.stdout), source="stdout")).luo.sessions)  # type: ignore[union-attr]
    assert b"wrote     - metadata=106496 content=0" in outcome.stderr


def test_nothing_is_overwritten(run: Runner, small: Path, tmp_path: Path) -> None:
    """Unless --force is given; then nothing of what was there is left."""
    out = tmp_path / "x.core"
    out.write_bytes(b"precious" * 1_000_000)
    outcome = run("capture", "--from", small, "-o", out)
    assert (2, f"error: {out} is there already; --force overwrites it\n") == (outcome.status, outcome.err)
    assert out.read_bytes().startswith(b"precious")
    assert 0 == run("capture", "--from", small, "-o", out, "--force").status
    assert out.stat().st_size < 2_000_000
    assert b"precious" not in out.read_bytes()


def test_no_half_file(run: Runner, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it cannot be finished it is removed; a device is left alone."""
    monkeypatch.setattr(capture, "METADATA_MAX", 0)
    outcome = run("capture", "--from", small, "-o", tmp_path / "x.core")
    assert 2 == outcome.status and "more metadata than is held in memory" in outcome.err
    assert [] == list(tmp_path.iterdir())
    monkeypatch.undo()
    full = run("capture", "--from", small, "-o", "/dev/full", "--force")
    assert (2, "error: /dev/full: cannot be written: No space left on device\n") == (full.status, full.err)
    assert os.path.exists("/dev/full")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "SMALL", "--side", "out"), "--side belongs to the running kernel, not to --from INPUT"),
        (("--from", "SMALL", "--sys", "/"), "--sys belongs to the running kernel, not to --from INPUT"),
        (("--base", "0"), "--base belongs to --from INPUT"),
        (("--partial",), "--partial belongs to --from INPUT"),
        (("--byte-order", "big"), "--byte-order belongs to --from INPUT"),
        (("--no-content", "--preserved"), "--preserved takes contents too: it does not go with --no-content"),
        (("--from", "DEBUGFS"), "has no memory behind its pointers; a capture is made from a core or a raw image"),
        (("--from", "SMALL", "--fdt", "0x1"), "the address 0x1 of the root FDT is not in this memory"),
    ],
)
def test_wrong_usage(run: Runner, shipped: Path, small: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """Each with a sentence, and no file."""
    places = {"SMALL": str(small), "DEBUGFS": str(shipped / "debugfs-7.3" / "out")}
    outcome = run("capture", *(places.get(word, word) for word in words), "-o", tmp_path / "x.core")
    assert 2 == outcome.status
    assert message in outcome.err and outcome.err.startswith("error: ") and "Traceback" not in outcome.err
    assert [] == list(tmp_path.iterdir())


def host_shows_a_handover() -> bool:
    return os.path.isdir("/sys/kernel/debug/kho") or os.path.isdir("/sys/kernel/boot_params/setup_data")


@pytest.mark.skipif(host_shows_a_handover(), reason="this machine runs a kernel with KHO")
def test_this_machine(run: Runner, tmp_path: Path) -> None:
    """A host without a handover: one line of reason and advice, status 2."""
    outcome: Outcome = run("capture", "-o", tmp_path / "x.core")
    assert (2, "", 1) == (outcome.status, outcome.out, outcome.err.count("\n"))
    assert outcome.err.startswith("error: ") and outcome.err.rstrip().endswith(")")
    assert [] == list(tmp_path.iterdir())
