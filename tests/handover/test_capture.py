# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""capture: a reduced core opens to the same handover with the same bytes; memory that changes is noticed; damage is carried, not fatal."""

from __future__ import annotations

import io
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest
from edited import edited
from hypothesis import given, settings
from hypothesis import strategies as st
from livehost import memory_of, pages

from devstate.check.run import check
from devstate.errors import DevstateError, LimitError, UsageError
from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import write
from devstate.handover import capture
from devstate.handover.capture import Capture, Origin, Wanted, origin_of, save
from devstate.handover.content import file_sha256
from devstate.handover.difference import differences
from devstate.handover.folios import audit_few, audit_many
from devstate.handover.model import Handover, PreservedFile
from devstate.handover.open import open_handover, open_memory
from devstate.layout.registry import Registry
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.backing import FileBytes
from devstate.memory.open import Input, open_data, open_input

ALL = ["small-7.3", "empty-7.3", "base-7.3", "many-7.3", "reserve-7.3", "flb-7.2", "iommu-machine-7.3"]


def captured(origin: Origin, wanted: Wanted | None = None) -> tuple[Capture, Input]:
    """What save() says, and its core opened again."""
    out = io.BytesIO()
    made = save(origin, out, wanted or Wanted())
    return made, open_data(memoryview(out.getvalue()), source="captured")


def origin(path: Path) -> Origin:
    return origin_of(open_input(str(path)), Registry.shipped())


def hashed(handover: Handover, file: PreservedFile) -> str | None:
    return file_sha256(handover, file) if file.pages is not None else None


@pytest.mark.parametrize("name", ALL)
def test_equals_the_original(any_captures: Path, name: str) -> None:
    """Field by field and content by content, every page with the bytes that it had, and no page that was not there."""
    path = any_captures / f"{name}.core.zst"
    if not path.exists():
        pytest.skip(f"{name} does not ship")
    before = open_handover(open_input(str(path)))
    made, source = captured(origin(path))
    after = open_handover(source)
    assert [] == differences(before, after, content=hashed)
    assert (before.fdt_pa, before.scratch_pa, before.scratch) == (after.fdt_pa, after.scratch_pa, after.scratch)
    assert ([], ()) == (after.problems, made.missing)
    assert before.memory is not None and after.memory is not None
    old, new = pages(before.memory), pages(after.memory)
    assert new == {pa: old[pa] for pa in new}
    assert len(new) * 4096 == made.metadata + made.content
    if name != "flb-7.2":  # it preserves pages of subsystems that only the kernel's own tests know
        assert (old.keys(), ()) == (new.keys(), made.remarks)


def test_all_that_is_preserved(captures: Path) -> None:
    """With ``preserved`` the pages go along that no known format leads to; without, they are counted."""
    path = captures / "flb-7.2.core.zst"
    made, source = captured(origin(path))
    assert ("8400896 preserved bytes are reached by nothing that devstate knows, and left out",) == made.remarks
    made, more = captured(origin(path), Wanted(preserved=True))
    before = open_input(str(path)).memory
    assert before is not None and more.memory is not None and source.memory is not None
    assert (pages(before), ()) == (pages(more.memory), made.remarks)
    assert pages(source.memory).keys() < pages(more.memory).keys()


NOTE = "capture-missing"
"""What only a capture has: its own word on what it lacks."""


def test_judged_the_same(any_captures: Path) -> None:
    """check finds in a capture what it finds in the original, at the same places, tampered or not, and predicts the same."""

    def judged(handover: Handover) -> tuple[object, ...]:
        report = check(handover)
        return report.predicted, sorted((each.rule, each.location.pa or 0, each.severity) for each in report.findings if each.rule != NOTE)

    for path in sorted([*any_captures.glob("*.core.zst"), *any_captures.glob("tampered/*.core.zst")]):
        _, source = captured(origin(path), Wanted(preserved=True))
        assert judged(open_handover(open_input(str(path)))) == judged(open_handover(source)), path.name


def test_without_content(any_captures: Path) -> None:
    """As a filtered dump: everything can be walked, no page of a file or region is there, and the note says so."""
    for name in ("small-7.3", "reserve-7.3"):
        path = any_captures / f"{name}.core.zst"
        if not path.exists():
            continue
        before = open_handover(open_input(str(path)))
        made, source = captured(origin(path), Wanted(content=False))
        after = open_handover(source)
        assert [] == differences(before, after)
        assert (0, ("contents of files and regions: left out as asked",)) == (made.content, made.missing)
        assert source.handover is not None and made.missing[0] == source.handover.missing
        with pytest.raises(DevstateError):
            file_sha256(after, after.files[0])
        assert after.memory is not None and not any(after.memory.contains(region.start) for region in after.regions)


def test_capture_of_a_capture(shipped: Path) -> None:
    """Gives the same file, byte for byte, note included."""
    first, second = io.BytesIO(), io.BytesIO()
    save(origin(shipped / "small-7.3.core.zst"), first, Wanted())
    save(origin_of(open_data(memoryview(first.getvalue())), Registry.shipped()), second, Wanted())
    assert first.getvalue() == second.getvalue()


def test_note(shipped: Path) -> None:
    """Where everything is, the release of the kernel that wrote it, the page size, the machine."""
    made, source = captured(origin(shipped / "small-7.3.core.zst"))
    assert source.handover == made.note
    note = made.note
    assert (0x2300000, 0x1EBF0000, 48, 4096, "7.3.4", None) == (
        note.fdt_pa, note.scratch_pa, note.scratch_len, note.page_size, note.release, note.missing,
    )  # fmt: skip
    assert 62 == source.machine


def test_machine_is_kept(shipped: Path) -> None:
    """A core of another machine becomes a core of that machine."""
    out = io.BytesIO()
    save(Origin(edited(shipped / "small-7.3.core.zst", {}), 0x2300000, Registry.shipped(), machine=183), out, Wanted())
    assert 183 == int.from_bytes(out.getvalue()[18:20], "little")


def test_missing_is_handed_on(shipped: Path) -> None:
    """What a capture lacks, a capture of it lacks too, and says so."""
    out = io.BytesIO()
    save(origin(shipped / "small-7.3.core.zst"), out, Wanted(content=False))
    made, _ = captured(origin_of(open_data(memoryview(out.getvalue())), Registry.shipped()))
    assert 0 == made.content
    assert "contents of files and regions: left out as asked" == made.missing[0]
    assert any(text.startswith("contents: 1421312 bytes are not in the memory") for text in made.missing)


def test_names_in_the_note(shipped: Path) -> None:
    """Text of the handover, which may hold anything, becomes one line of ASCII in the note, of bounded length."""
    release = "7.3\n\x1b[31m\N{SNOWMAN}"
    missing = ("x" * capture.MISSING_MAX + "y",)
    handover = open_handover(open_input(str(shipped / "small-7.3.core.zst")))
    handover.metadata = None
    note = capture.make_note(Origin(memory_of([(0, bytes(4096))]), 0, Registry.shipped(), release=release), handover, missing)
    assert r"7.3\n\x1b[31m\u2603" == note.release
    assert "x" * capture.MISSING_MAX + "..." == note.missing
    assert note.note().desc.isascii()


def test_handles_of_unknown_formats(shipped: Path) -> None:
    """The page behind the handle of a file whose format nobody knows is taken when it is preserved."""
    path = shipped / "small-7.3.core.zst"
    file = open_handover(open_input(str(path))).files[0]
    made, source = captured(Origin(edited(path, {file.pa: b"unknown-v1\0"}), 0x2300000, Registry.shipped()))
    assert "unknown-v1" == open_handover(source).files[0].compatible
    assert source.memory is not None and source.memory.contains(file.data_pa, 4096)
    # What was behind it (page list, folio array, page of the file) is reached by nothing now.
    assert ("12288 preserved bytes are reached by nothing that devstate knows, and left out",) == made.remarks


def test_input_without_memory(shipped: Path) -> None:
    """The files of debugfs hold no memory to reduce."""
    with pytest.raises(UsageError, match="has no memory behind its pointers"):
        origin_of(open_input(str(shipped / "debugfs-7.3" / "out")), Registry.shipped())


# ---- kho-v1 ----


def chunked(page: int = 4096) -> PhysMemory:
    """A kho-v1 root whose map is a chunk with one bitmap, of half a kilobyte and not at a page boundary; it preserves two pages."""
    root = Node("", {"compatible": b"kho-v1\0", "preserved-memory-map": pack("<Q", 0x20000)})
    bitmap = bytearray(512)
    bitmap[4] = 0b11  # pages 32 and 33
    chunk = pack("<QIIQQ", 0, 0, 1, 0, 0x31200)
    regions = [
        (0x10000, write(Fdt(root)).ljust(page, b"\0")),
        (0x20000, chunk.ljust(page, b"\0")),
        (0x31000, (bytes(512) + bytes(bitmap)).ljust(page, b"\0")),
        (0x31000 + page, b"\xaa" * page * 3),
    ]
    return memory_of(regions)


def test_chunks_and_bitmaps() -> None:
    """The map of kho-v1: its chunk pages and the pages of its bitmaps go along."""
    before = open_memory(chunked())
    _, source = captured(Origin(chunked(), 0x10000, Registry.shipped()))
    after = open_handover(source)
    assert before.preserved is not None and after.preserved is not None
    assert list(before.preserved.map.edges) == list(after.preserved.map.edges) == [0x20000, 0x22000]
    assert source.memory is not None and [0x10000, 0x20000, 0x31000] == list(pages(source.memory))
    assert [] == after.problems


# ---- memory that changes ----


Change = Callable[[int], bytes | None]

METADATA_PA, LUO_PA = 0x2306000, 0x23E2000
"""Where kexec-metadata and luo_ser are in small-7.3."""


class Changing:
    """small-7.3 as a file that cannot be mapped, and whose memory changes while it is read."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.fd = os.open(path, os.O_RDWR)
        self.origin = origin_of(open_data(FileBytes(self.fd, 0, 1 << 47, "kcore"), source="kcore"), Registry.shipped())
        self.patch = patch

    def write(self, pa: int, data: bytes) -> None:
        """Change memory now."""
        region = next(region for region in self.origin.memory.regions if region.start <= pa < region.end)
        assert isinstance(region.data, FileBytes)
        os.pwrite(self.fd, data, region.data.start + pa - region.start)

    def on_read(self, pa: int, change: Change) -> None:
        """From now on, write what ``change`` returns for the number of a read, before that read."""
        pread, reads = os.pread, 0

        def changed(file: int, size: int, offset: int) -> bytes:
            nonlocal reads
            if file == self.fd:
                reads += 1
                new = change(reads)
                if new is not None:
                    self.write(pa, new)
            return pread(file, size, offset)

        self.patch.setattr(os, "pread", changed)

    def after_save(self, pa: int, data: bytes) -> None:
        """Change memory once, when contents were written for the first time."""
        save_once = capture._save

        def then_change(*arguments: object) -> Capture:
            made = save_once(*arguments)  # type: ignore[arg-type]  # handed on
            self.patch.setattr(capture, "_save", save_once)
            self.write(pa, data)
            return made

        self.patch.setattr(capture, "_save", then_change)


@pytest.fixture
def changing(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Changing:
    path = tmp_path / "kcore"
    with path.open("wb") as file:
        save(origin(shipped / "small-7.3.core.zst"), file, Wanted())
    return Changing(path, monkeypatch)


def test_memory_that_stands_still(changing: Changing) -> None:
    """A live file gives the same as a mapped one."""
    made, source = captured(changing.origin)
    assert ((), "7.3.4") == (made.missing, source.handover.release if source.handover else None)


@pytest.mark.parametrize("when", range(1, 62, 4))
def test_memory_that_changes_once(changing: Changing, when: int) -> None:
    """Whenever it does, the core holds the later state, whole, and nothing is amiss."""
    changing.on_read(METADATA_PA + 4, lambda read: b"7.3.5\0" if read == when else None)
    made, source = captured(changing.origin)
    after = open_handover(source)
    assert after.metadata is not None
    assert ("7.3.5", "7.3.5") == (after.metadata.previous_release, made.note.release)
    assert not any("kept changing" in text for text in made.missing)


@pytest.mark.parametrize("when", range(1, 20))
def test_sessions_that_appear(changing: Changing, when: int) -> None:
    """Whenever LUO's link is set, what it leads to is in the core: pages that the first walk did not know of are copied too."""
    whole = bytes(changing.origin.memory.read(LUO_PA + 16, 8))
    changing.write(LUO_PA + 16, bytes(8))
    changing.on_read(LUO_PA + 16, lambda read: whole if read == when else None)
    made, source = captured(changing.origin)
    after = open_handover(source)
    assert after.luo is not None
    assert ([], 4, 1421312) == (after.problems, len(after.files), made.content)


def test_memory_that_never_stands_still(changing: Changing) -> None:
    """The attempts are limited, and the note says what is wrong."""
    changing.on_read(METADATA_PA + 4, lambda read: b"7.3.%d\0" % (read % 10))
    made, source = captured(changing.origin)
    assert any(text.startswith("metadata kept changing while it was copied (1 pages") for text in made.missing)
    assert any(text.startswith("metadata changed (1 pages) while contents were copied") for text in made.missing)
    assert source.handover is not None and "may not be consistent" in (source.handover.missing or "")


def test_links_that_come_and_go(changing: Changing) -> None:
    """A copy whose links lead out of it is no copy, though its pages stand still: that is said when no attempt is better."""
    whole = bytes(changing.origin.memory.read(LUO_PA + 16, 8))
    real = capture._copy

    def set_meanwhile(memory: PhysMemory, edges: array[int]) -> PhysMemory:
        changing.write(LUO_PA + 16, whole)
        return real(memory, edges)

    def unset_before(self: Origin, memory: PhysMemory | None = None) -> Handover:
        if memory is None:
            changing.write(LUO_PA + 16, bytes(8))
        return opened(self, memory)

    opened = Origin.open
    changing.patch.setattr(capture, "_copy", set_meanwhile)
    changing.patch.setattr(Origin, "open", unset_before)
    assert 1 == capture.take(changing.origin).changed


def test_change_while_contents_are_written(changing: Changing) -> None:
    """The core is written anew, and nothing of the longer one before is left behind it."""
    changing.after_save(LUO_PA + 16, bytes(8))
    out, again = io.BytesIO(), io.BytesIO()
    made = save(changing.origin, out, Wanted())
    save(changing.origin, again, Wanted())
    assert ((), 0) == (made.missing, made.content)
    assert again.getvalue() == out.getvalue()


def test_change_while_a_pipe_is_written(changing: Changing) -> None:
    """What is written once cannot be written again: it is said, though the note cannot."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    changing.after_save(METADATA_PA + 4, b"7.3.5\0")
    made = save(changing.origin, Pipe(), Wanted())
    assert ("metadata changed (1 pages) while contents were copied: they may not belong together",) == made.missing
    assert made.note.missing is None


def test_memory_that_vanishes(shipped: Path) -> None:
    """What cannot be read any more when it is copied is missing, and said."""
    memory = edited(shipped / "small-7.3.core.zst", {})
    opened = open_memory(memory)
    assert opened.metadata is not None
    gone = FileBytes(os.open(os.devnull, os.O_RDONLY), 0, 1 << 40, "gone")
    regions = [MemoryRegion(region.start, region.size, region.data) for region in memory.regions if region.start != 0x2859000]
    regions.append(MemoryRegion(0x7000_0000, 4096, gone))
    made, _ = captured(Origin(PhysMemory(regions), 0x2300000, Registry.shipped(), scratch=(0x7000_0000, 48)))
    assert made.note.scratch_pa is None
    assert made.missing and made.missing[0].startswith("scratch array: ")


# ---- limits and damage ----


def test_limit_of_the_scratch_array(shipped: Path) -> None:
    """An array that claims a terabyte takes the pages of as many entries as are read."""
    memory = edited(shipped / "small-7.3.core.zst", {})
    regions = [*memory.regions, MemoryRegion(0x7000_0000, 2 << 20, memoryview(bytes(2 << 20)))]
    made, _ = captured(Origin(PhysMemory(regions), 0x2300000, Registry.shipped(), scratch=(0x7000_0000, 1 << 40)))
    assert 102400 + (1 << 20) == made.metadata


def test_limit_of_metadata(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is taken, above it refused."""
    size = captured(origin(shipped / "small-7.3.core.zst"))[0].metadata
    monkeypatch.setattr(capture, "METADATA_MAX", size)
    captured(origin(shipped / "small-7.3.core.zst"))
    monkeypatch.setattr(capture, "METADATA_MAX", size - 1)
    with pytest.raises(LimitError, match="more metadata than is held in memory"):
        captured(origin(shipped / "small-7.3.core.zst"))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_handovers(shipped: Path, data: st.DataObject) -> None:
    """With any few words of metadata changed, capturing ends in a core that opens to the same damaged handover, or in one of our errors."""
    path = shipped / "small-7.3.core.zst"
    whole = origin(path)
    metadata = list(capture.take(whole).memory.regions)
    writes = {}
    for _ in range(data.draw(st.integers(1, 4))):
        region = data.draw(st.sampled_from(metadata))
        pa = region.start + 8 * data.draw(st.integers(0, min(region.size // 8 - 1, 40)))
        word = data.draw(st.sampled_from([0, 1, (1 << 64) - 1, 1 << 63, 0x2300000, 0x2300001]) | st.integers(0, (1 << 64) - 1))
        writes[pa] = word.to_bytes(8, "little")
    changed = Origin(edited(path, writes), 0x2300000, Registry.shipped(), scratch=(0x1EBF0000, 48))
    try:
        made, source = captured(changed)
    except DevstateError:
        return
    before, after = changed.open(), open_handover(source)
    assert [] == differences(before, after)
    assert {problem.code for problem in before.problems} == {problem.code for problem in after.problems} - {NOTE}
    assert bool(before.problems) <= bool(made.missing)
    assert not any("changed" in text for text in made.missing)


def test_wide_addresses(shipped: Path) -> None:
    """Addresses at the very end of 64 bits are not in the memory; they break nothing."""
    path = shipped / "small-7.3.core.zst"
    file = open_handover(open_input(str(path))).files[0]
    assert file.pages is not None
    for writes in ({file.pages.lists[0] + 8: pack("<Q", (1 << 64) - 4096)}, {file.data_pa + 32: pack("<Q", (1 << 64) - 4096)}):
        made, _ = captured(Origin(edited(path, writes), 0x2300000, Registry.shipped()))
        assert made.missing
    made, _ = captured(Origin(edited(path, {file.pages.blocks[0]: pack("<Q", (1 << 64) - 1)}), 0x2300000, Registry.shipped()))
    assert ((), 1421312 - 4096) == (made.missing, made.content)


@pytest.mark.parametrize("page", [4096, 1 << 16])
def test_folios_beyond_any_memory(page: int) -> None:
    """Both forms of the audit leave out what no machine can address, and keep the last page that one could."""
    last = (1 << 56) // page - 1
    records = bytearray(b"".join(pack("<QQ", pfn, index) for index, pfn in enumerate([last, last + 1, (1 << 52) - 1, 7])))
    audits = [audit(records, None, 4, page, "little") for audit in (audit_few, audit_many)]
    assert audits[0] == audits[1]
    assert [7 * page, 8 * page, (1 << 56) - page, 1 << 56] == list(audits[0].extents)
