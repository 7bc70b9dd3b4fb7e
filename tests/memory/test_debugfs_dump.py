# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The files of /sys/kernel/debug/kho: what is there is taken, what is damaged is said, nothing raises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import ImageError, LimitError
from devstate.memory import debugfs
from devstate.memory.open import Input, open_input

FDT = b"\xd0\x0d\xfe\xed\x00\x00\x00\x30" + bytes(40)


def side(path: Path, *, names: str = "scratch", phys: bytes | None = b"0x1000\n0x3000\n", length: bytes | None = b"0x10\n0x20\n") -> Path:
    (path / "sub_fdts").mkdir(parents=True)
    (path / "fdt").write_bytes(FDT)
    (path / "sub_fdts" / "LUO").write_bytes(b"luo")
    (path / "sub_fdts" / "kexec-metadata").write_bytes(b"meta")
    if phys is not None:
        (path / f"{names}_phys").write_bytes(phys)
    if length is not None:
        (path / f"{names}_len").write_bytes(length)
    return path


def problems(found: Input) -> list[tuple[str, str]]:
    return [(finding.rule, finding.message) for finding in found.problems]


@pytest.mark.parametrize("names", ["scratch", "bootmem"])
@pytest.mark.parametrize("prefix", ["", "kho-"])
def test_both_sides(tmp_path: Path, names: str, prefix: str) -> None:
    """Under the kernel's names or a collector's, with the scratch areas under the names of either kernel."""
    side(tmp_path / f"{prefix}out", names=names)
    side(tmp_path / f"{prefix}in", phys=None, length=None)
    found = open_input(str(tmp_path))
    assert ("debugfs", None, []) == (found.kind, found.memory, problems(found))
    assert ["out", "in"] == [dump.side for dump in found.dumps]
    assert [((0x1000, 0x10), (0x3000, 0x20)), ()] == [dump.scratch for dump in found.dumps]
    assert [
        ("out/fdt", FDT),
        ("out/sub_fdts/LUO", b"luo"),
        ("out/sub_fdts/kexec-metadata", b"meta"),
        ("in/fdt", FDT),
        ("in/sub_fdts/LUO", b"luo"),
        ("in/sub_fdts/kexec-metadata", b"meta"),
    ] == [(name, bytes(blob)) for name, blob in found.blobs]


def test_one_side_alone(tmp_path: Path) -> None:
    """A directory that is a side itself: the one with scratch areas is out."""
    assert ["out"] == [dump.side for dump in open_input(str(side(tmp_path / "a"))).dumps]
    assert ["in"] == [dump.side for dump in open_input(str(side(tmp_path / "b", phys=None, length=None))).dumps]


def test_real_dump(shipped: Path) -> None:
    """base-7.3's own files: out/fdt is cut at the size it had at boot, and that is said."""
    found = open_input(str(shipped / "debugfs-7.3"))
    assert [("debugfs-cut", "285 bytes", "233")] == [(p.rule, p.expected, p.found) for p in found.problems]
    assert ((0x15000000, 0x2000000), (0x11000000, 0x4000000), (0xF000000, 0x2000000)) == found.dumps[0].scratch
    assert ["LUO", "kexec-metadata"] == [name for name, _ in found.dumps[1].sub_fdts]
    assert str(shipped / "debugfs-7.3" / "out" / "fdt") == found.problems[0].location.source


@pytest.mark.parametrize(
    ("phys", "length", "areas", "rules"),
    [
        (b"", b"", (), []),
        (b"0x1000\n", None, (), ["debugfs-unreadable", "debugfs-scratch"]),
        (b"0x1000\n0x3000\n", b"0x10\n", ((0x1000, 0x10),), ["debugfs-scratch"]),
        (b"0x1000\nxyz\n0x2000\n", b"0x10\n0x20\n0x30\n", ((0x1000, 0x10),), ["debugfs-scratch", "debugfs-scratch"]),
        (b"0x10000000000000000\n", b"0x1\n", (), ["debugfs-scratch", "debugfs-scratch"]),
        (b"-1\n", b"\xff\n", (), ["debugfs-scratch", "debugfs-scratch"]),
    ],
)
def test_damaged_scratch_lists(
    tmp_path: Path, phys: bytes, length: bytes | None, areas: tuple[tuple[int, int], ...], rules: list[str]
) -> None:
    """Pairs are kept up to the first line that makes no sense."""
    found = open_input(str(side(tmp_path, phys=phys, length=length)))
    assert (areas, rules) == (found.dumps[0].scratch, [finding.rule for finding in found.problems])


def test_odd_files(tmp_path: Path) -> None:
    """A pipe is not waited for, a directory is not read, a dangling link and a missing directory are said."""
    side(tmp_path)
    os.mkfifo(tmp_path / "sub_fdts" / "pipe")
    (tmp_path / "sub_fdts" / "directory").mkdir()
    (tmp_path / "sub_fdts" / "link").symlink_to("nowhere")
    (tmp_path / "fdt").unlink()
    found = open_input(str(tmp_path))
    assert (None, ["LUO", "kexec-metadata"]) == (found.dumps[0].fdt, [name for name, _ in found.dumps[0].sub_fdts])
    assert 4 == len(found.problems)
    assert {"debugfs-unreadable"} == {finding.rule for finding in found.problems}
    lone = tmp_path / "lone"
    lone.mkdir()
    (lone / "fdt").write_bytes(FDT)
    assert 1 == len(open_input(str(lone)).problems)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of a file and number of subtrees: at the limit they are taken, one above it they are not."""
    side(tmp_path)
    monkeypatch.setattr(debugfs, "MAX_FILE", len(FDT))
    assert [] == problems(open_input(str(tmp_path)))
    monkeypatch.setattr(debugfs, "MAX_FILE", len(FDT) - 1)
    assert [("debugfs-unreadable", f"longer than {len(FDT) - 1:#x} bytes")] == problems(open_input(str(tmp_path)))
    monkeypatch.setattr(debugfs, "MAX_SUBTREES", 2)
    assert 2 == len(open_input(str(tmp_path)).dumps[0].sub_fdts)
    monkeypatch.setattr(debugfs, "MAX_SUBTREES", 1)
    with pytest.raises(LimitError):
        open_input(str(tmp_path))


def test_neither_side(tmp_path: Path) -> None:
    """A directory with other files is refused, with what was expected."""
    (tmp_path / "scenario.txt").write_text("x")
    with pytest.raises(ImageError, match="expected out/, in/"):
        open_input(str(tmp_path))


@given(st.binary(max_size=60), st.binary(max_size=40), st.binary(max_size=40), st.text("aZ\u00e4 .\n", min_size=3, max_size=9))
@settings(max_examples=60)
def test_any_content(tmp_path_factory: pytest.TempPathFactory, fdt: bytes, phys: bytes, length: bytes, name: str) -> None:
    """Whatever stands in the files, the blobs are what they are."""
    path = side(tmp_path_factory.mktemp("kho"), phys=phys, length=length)
    (path / "fdt").write_bytes(fdt)
    (path / "sub_fdts" / name).write_bytes(fdt)
    dump = open_input(str(path)).dumps[0]
    assert (fdt, fdt) == (dump.fdt, dict(dump.sub_fdts)[name])
