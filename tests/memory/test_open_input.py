# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""open_input: what an input is, is told by its bytes; every capture opens."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import zstandard
from corefile import Segment, core

from devstate.errors import DecodeError, ImageError, LimitError
from devstate.memory import backing
from devstate.memory.open import Input, open_data, open_input

FDT = b"\xd0\x0d\xfe\xed" + bytes(44)
CORE = core([Segment(0x1000, b"memory" * 10)])


@pytest.mark.parametrize(
    ("data", "base", "kind"),
    [(CORE, None, "elf"), (FDT, None, "fdt"), (b"anything", 0x4000, "raw"), (CORE, 0x4000, "raw"), (FDT, 0, "raw")],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_kinds_are_told_by_the_bytes(tmp_path: Path, data: bytes, base: int | None, kind: str, compressed: bool) -> None:
    """Whatever the name; inside zstd as outside of it; and a base makes it a raw image."""
    path = tmp_path / "input.bin"
    path.write_bytes(zstandard.compress(data) if compressed else data)
    found = open_input(str(path), base=base)
    assert (kind, str(path)) == (found.kind, found.source)
    if kind == "fdt":
        assert (None, [("fdt", FDT)]) == (found.memory, [(name, bytes(blob)) for name, blob in found.blobs])
    if kind == "raw":
        assert found.memory is not None
        assert data == found.memory.read(base or 0, len(data))


@pytest.mark.parametrize(("base", "fits"), [((1 << 64) - 8, True), ((1 << 64) - 7, False), (-1, False), (1 << 80, False)])
def test_raw_image_has_64_bit_addresses(base: int, fits: bool) -> None:
    """At the last address it fits, one above it is refused."""
    if fits:
        assert base == open_data(memoryview(b"anything"), base=base).memory.regions[0].start  # type: ignore[union-attr]
    else:
        with pytest.raises(ImageError, match="64-bit"):
            open_data(memoryview(b"anything"), base=base)


def test_raw_image_of_the_other_byte_order() -> None:
    """A raw image says nothing of its order: the caller does."""
    found = open_data(memoryview(bytes(7) + b"\x01"), base=0, byteorder="big").memory
    assert found is not None
    assert 1 == found.u64(0)


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"no magic at all", "--base"),
        (b"", None),
        (b"K", "--base"),
        (b"KDUMP   " + bytes(9), "kdump"),
        (b"EMiL", "LiME"),
        (b"makedumpfile" + bytes(9), "flattened"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"QEVM", "migration"),
    ],
)
def test_unknown_bytes_are_refused_with_advice(tmp_path: Path, data: bytes, advice: str | None) -> None:
    """What it begins with is shown, and what to do."""
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        open_input(str(path))
    assert str(path) == caught.value.source
    assert advice is None or (caught.value.advice and advice in caught.value.advice)
    with pytest.raises(DecodeError):
        open_data(memoryview(data))


@pytest.mark.parametrize("path", ["/nonexistent", "/dev/null", "a\0b", "\udcff", "/proc/self/mem"])
def test_unreadable_paths(path: str) -> None:
    """No file, a device, a name that cannot be one, a file that says it is empty and is not: refused, never read for ever."""
    with pytest.raises(DecodeError):
        open_input(path)


def test_directory_that_is_no_handover(tmp_path: Path) -> None:
    """The error says what was expected in it."""
    with pytest.raises(ImageError, match="debugfs"):
        open_input(str(tmp_path))


def test_standard_input() -> None:
    """``-`` reads a pipe to its end, and maps a file that is redirected."""
    script = "from devstate.memory.open import open_input as o; i = o('-'); print(i.kind, i.source, bytes(i.memory.read(0x1000, 6)))"
    for data in (CORE, zstandard.compress(CORE)):
        run = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
        assert b"elf standard input b'memory'\n" == run.stdout
    with tempfile.TemporaryFile() as file:
        file.write(CORE)
        file.flush()
        run = subprocess.run([sys.executable, "-c", script], stdin=file, capture_output=True, check=True)
    assert b"elf standard input b'memory'\n" == run.stdout


def test_named_pipe(tmp_path: Path) -> None:
    """A pipe with a name, as a shell's process substitution makes it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    feeder = threading.Thread(target=path.write_bytes, args=(CORE,))
    feeder.start()
    assert "elf" == open_input(str(path)).kind
    feeder.join()


def test_limit_on_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is read, one byte above it is refused."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for limit, fits in ((len(CORE), True), (len(CORE) - 1, False)):
        monkeypatch.setattr(backing, "MAX_STREAM", limit)
        feeder = threading.Thread(target=path.write_bytes, args=(CORE,))
        feeder.start()
        if fits:
            assert "elf" == open_input(str(path)).kind
        else:
            with pytest.raises(LimitError):
                open_input(str(path))
        feeder.join()


def test_socket_is_no_path(tmp_path: Path) -> None:
    """A socket cannot be opened by name."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        with pytest.raises(ImageError):
            open_input(str(tmp_path / "s"))


def check(directory: Path, name: str) -> Input:
    """Open a capture and hold what is known without decoding against its truth."""
    truth = json.loads((directory / f"{name}.truth.json").read_text())
    found = open_input(str(directory / f"{name}.core.zst"))
    assert found.memory is not None
    assert int(truth["fdt_pa"], 16) in list(found.memory.find_pages(b"\xd0\x0d\xfe\xed"))
    if truth.get("scratch_pa") is not None:
        assert truth["scratch_len"] == 16 * len(truth["scratch"])
        areas = [int(number, 16) for area in truth["scratch"] for number in area]
        assert areas == [found.memory.u64(int(truth["scratch_pa"], 16) + 8 * i) for i in range(len(areas))]
    return found


@pytest.mark.parametrize("name", ["empty-7.3", "small-7.3"])
def test_shipped_captures(shipped: Path, name: str) -> None:
    """The two that ship."""
    assert ("elf", ()) == (check(shipped, name).kind, check(shipped, name).problems)


@pytest.mark.parametrize("name", ["base-7.3", "many-7.3", "reserve-7.3", "flb-7.2", "iommu-machine-7.3"])
def test_all_captures(captures: Path, name: str) -> None:
    """The rest."""
    assert ("elf", ()) == (check(captures, name).kind, check(captures, name).problems)


def test_tampered_captures(shipped: Path) -> None:
    """Each has the bytes that its case says were written, and an FDT where it says."""
    cases = json.loads((shipped / "tampered" / "cases.json").read_text())
    for name, case in cases.items():
        if not case["core"]:
            continue
        memory = open_input(str(shipped / "tampered" / f"{name}.core.zst")).memory
        assert memory is not None
        assert memory.contains(int(case["fdt_pa"], 16), 48)
        for write in filter(None, case["writes"]):
            new = bytes.fromhex(write["new"])
            if memory.contains(int(write["pa"], 16), len(new)):
                assert new == memory.read(int(write["pa"], 16), len(new)), name


def test_start_up_imports_nothing_heavy() -> None:
    """Opening an uncompressed core must not cost what it does not need: no zstd, no numpy, no typing, no re."""
    script = (
        "import sys; before = set(sys.modules); import devstate.memory.open, devstate.memory.elf, devstate.memory.arena; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True, text=True).stdout.split()
    unwanted = {"typing", "re", "dataclasses", "json", "numpy", "construct", "inspect", "pathlib", "enum", "zstandard", "argparse"}
    assert set() == set(loaded) & unwanted
