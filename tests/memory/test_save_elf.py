# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is saved opens as the same memory: to files and pipes, sparse and compressed, in both byte orders."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import EncodeError, ImageError
from devstate.memory import MemoryRegion
from devstate.memory.arena import Arena
from devstate.memory.notes import HandoverNote, Note
from devstate.memory.open import Input, open_data, open_input
from devstate.memory.save import EM_AARCH64, save_elf

NOTE = HandoverNote(fdt_pa=0x2300000, page_size=4096, release="7.3.4", extra=(("HOST", "x"),))


def region(start: int, data: bytes) -> MemoryRegion:
    return MemoryRegion(start, len(data), memoryview(data))


def saved(regions: list[MemoryRegion], note: HandoverNote | None = None, **named: object) -> Input:
    file = io.BytesIO()
    save_elf(file, regions, note, **named)  # type: ignore[arg-type]
    return open_data(memoryview(file.getvalue()))


def pieces(found: Input) -> list[tuple[int, bytes]]:
    assert found.memory is not None
    return [(r.start, bytes(found.memory.read(r.start, r.size))) for r in found.memory.regions]


class OneWay(io.BytesIO):
    """A pipe, as far as a writer can tell."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation("seek")


@given(
    st.lists(st.tuples(st.integers(0, 5), st.one_of(st.binary(min_size=1, max_size=50), st.integers(1, 200_000))), max_size=6),
    st.sampled_from(["little", "big"]),
    st.booleans(),
    st.sampled_from(["file", "pipe", "zstd"]),
)
@settings(max_examples=80, deadline=None)
def test_saved_memory_is_the_same(spec: list[tuple[int, bytes | int]], byteorder: str, noted: bool, way: str) -> None:
    """Runs of any length, with gaps or touching, zeros or not: the same bytes at the same addresses, and nothing else."""
    at, truth, regions = 0x1000, {}, []
    for gap, content in spec:
        at += gap * 1000
        data = content if isinstance(content, bytes) else bytes(content - 1) + b"\x01"
        regions.append(region(at, data))
        truth |= dict(enumerate(data, at)) if len(data) < 100 else {at + len(data) - 1: 1, at: data[0]}
        at += len(data)
    file = OneWay() if way == "pipe" else io.BytesIO()
    save_elf(file, regions[::-1], NOTE if noted else None, byteorder=byteorder, compress=way == "zstd")  # type: ignore[arg-type]
    if not regions:
        with pytest.raises(ImageError):
            open_data(memoryview(file.getvalue()))
        return
    found = open_data(memoryview(file.getvalue()))
    assert found.memory is not None
    assert (byteorder, NOTE if noted else None) == (found.memory.byteorder, found.handover)
    assert sum(r.size for r in regions) == found.memory.size
    assert truth == {pa: found.memory.read(pa, 1)[0] for pa in truth}


def test_runs_are_one_segment() -> None:
    """Adjacent regions are one PT_LOAD, and read back as one region."""
    assert [(0x1000, b"aabb"), (0x2000, b"c")] == pieces(saved([region(0x1002, b"bb"), region(0x2000, b"c"), region(0x1000, b"aa")]))


def test_more_segments_than_a_header_counts() -> None:
    """65,535 and more program headers: PN_XNUM. Just below and at the border (the note has one too)."""
    for count in (65533, 65534):
        found = saved([region(2 * pa, b"x") for pa in range(count)], NOTE)
        assert (count, NOTE) == (len(found.memory.regions), found.handover)  # type: ignore[union-attr]


def test_overlap_is_refused() -> None:
    """As PhysMemory refuses it."""
    with pytest.raises(ImageError, match="overlap"):
        save_elf(io.BytesIO(), [region(0, b"ab"), region(1, b"b")])


def test_zeros_are_holes(tmp_path: Path) -> None:
    """64 MiB of zeros take no room; the file has its full length all the same, also when zeros are last."""
    arena = Arena()
    pa = arena.alloc(64 << 20)
    arena.write(pa + (32 << 20), b"x")
    path = tmp_path / "big.core"
    arena.save(str(path))
    assert (64 << 20) + 4096 == path.stat().st_size
    assert path.stat().st_blocks * 512 < 1 << 20
    assert b"x\0" == open_input(str(path)).memory.read(pa + (32 << 20), 2)  # type: ignore[union-attr]


def test_name_decides_about_compression(tmp_path: Path) -> None:
    """``.zst`` compresses, unless the caller says otherwise."""
    arena = Arena()
    pa = arena.alloc()
    for name, compress, packed in (("a.core", None, False), ("a.core.zst", None, True), ("b.zst", False, False), ("b", True, True)):
        arena.save(str(tmp_path / name), HandoverNote(fdt_pa=pa), compress=compress)
        assert packed == (b"\x28\xb5\x2f\xfd" == (tmp_path / name).read_bytes()[:4])
        assert pa == open_input(str(tmp_path / name)).handover.fdt_pa  # type: ignore[union-attr]


def test_other_notes_go_along() -> None:
    """What capture found beside the handover, such as VMCOREINFO, is kept."""
    info = Note(b"VMCOREINFO", 0, b"OSRELEASE=7.3.4\nPAGESIZE=4096\n")
    found = saved([region(0, b"x")], NOTE, notes=[info])
    assert [NOTE.note(), info] == list(found.notes)
    assert "7.3.4" == found.memory.vmcoreinfo["OSRELEASE"]  # type: ignore[union-attr]


@pytest.mark.parametrize("note", [HandoverNote(release="a\nb"), HandoverNote(missing="\u00e4"), HandoverNote(extra=(("a=b", "c"),))])
def test_note_that_cannot_be_written(note: HandoverNote) -> None:
    """Lines of ASCII, one pair each."""
    with pytest.raises(EncodeError):
        save_elf(io.BytesIO(), [region(0, b"x")], note)


def test_interrupted_writing_is_seen(tmp_path: Path) -> None:
    """A core that was not written to its end is refused as truncated, wherever it stopped."""
    arena = Arena()
    arena.write(arena.alloc(3 * 4096), b"a" * 3 * 4096)
    arena.alloc(at=0)
    path = tmp_path / "x.core"
    arena.save(str(path))
    data = path.read_bytes()
    for length in range(1, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(ImageError):
            open_input(str(path))


@pytest.mark.skipif(not shutil.which("readelf"), reason="binutils are not installed")
def test_readelf_agrees(tmp_path: Path) -> None:
    """Another reader of ELF sees the same segments and has nothing to complain about."""
    path = str(tmp_path / "x.core")
    save_elf(path, [region(0x1000, b"a" * 10), region(0x2000, b"b" * 20)], NOTE, machine=EM_AARCH64)
    run = subprocess.run(["readelf", "-hlWn", path], capture_output=True, text=True, check=True)
    assert ("", True, True) == (run.stderr, "AArch64" in run.stdout, "devstate" in run.stdout)
    loads = [line.split() for line in run.stdout.splitlines() if line.split()[:1] == ["LOAD"]]
    assert [("0x0000000000001000", "0x00000a"), ("0x0000000000002000", "0x000014")] == [(load[3], load[4]) for load in loads]
