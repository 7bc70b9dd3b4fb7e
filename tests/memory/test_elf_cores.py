# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""ELF cores: what QEMU, /proc/vmcore and /proc/kcore write, and what damage does to them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from corefile import PT_NOTE, Segment, core, note

from devstate.errors import DecodeError, ImageError, LimitError, NotInMemoryError
from devstate.memory import elf, notes
from devstate.memory.backing import FileBytes
from devstate.memory.notes import HandoverNote
from devstate.memory.open import Input, open_data

SIGNS = pytest.mark.parametrize("sign", ["<", ">"])
TEXT = b"OSRELEASE=7.3.4\nPAGESIZE=65536\nno equals\nSYMBOL(x)=ff=1\n"


def opened(data: bytes, *, partial: bool = False) -> Input:
    return open_data(memoryview(data), source="t.core", partial=partial)


def regions(found: Input) -> list[tuple[int, int]]:
    assert found.memory is not None
    return [(region.start, region.end) for region in found.memory.regions]


def read(found: Input, pa: int, size: int) -> bytes:
    assert found.memory is not None
    return bytes(found.memory.read(pa, size))


@SIGNS
@pytest.mark.parametrize("extended", [False, True])
def test_segments_become_regions(sign: str, extended: bool) -> None:
    """Both byte orders, and both ways to count program headers, give the bytes at their physical addresses."""
    found = opened(core([Segment(0x2000, b"two" * 8), Segment(0x1000, b"one" * 8)], sign=sign, extended=extended))
    assert ("elf", [(0x1000, 0x1018), (0x2000, 0x2018)]) == (found.kind, regions(found))
    assert (b"oneone", b"twotwo") == (read(found, 0x1000, 6), read(found, 0x2000, 6))
    assert {"<": "little", ">": "big"}[sign] == found.memory.byteorder  # type: ignore[union-attr]


@SIGNS
def test_vmcoreinfo_is_read(sign: str) -> None:
    """The kernel's own note tells the page size and the release; lines that are no pairs are left out."""
    segment = Segment(0, note(b"CORE\0", 1, bytes(337), sign) + note(b"VMCOREINFO\0", 0, TEXT, sign), PT_NOTE)
    found = opened(core([segment, Segment(0x1000, b"x")], sign=sign))
    assert found.memory is not None
    assert {"OSRELEASE": "7.3.4", "PAGESIZE": "65536", "SYMBOL(x)": "ff=1"} == found.memory.vmcoreinfo
    assert 65536 == found.memory.page_size
    assert [(b"CORE", 1, 337), (b"VMCOREINFO", 0, len(TEXT))] == [(n.name, n.type, len(n.desc)) for n in found.notes]


@pytest.mark.parametrize("value", ["", "0", "4095", "4097", "131072", "-4096", "4096x", "\u0664\u0660\u0669\u0666", "9" * 5000])
def test_page_size_that_is_none(value: str) -> None:
    """Nonsense in VMCOREINFO is not believed, and is no reason to refuse the memory."""
    segment = Segment(0, note(b"VMCOREINFO\0", 0, f"PAGESIZE={value}\n".encode()), PT_NOTE)
    assert None is opened(core([segment, Segment(0x1000, b"x")])).memory.page_size  # type: ignore[union-attr]


@SIGNS
def test_own_note_is_read(sign: str) -> None:
    """Our note says where the root FDT is; it comes back as it was packed, with what this version does not know."""
    wanted = HandoverNote(0x2300000, 0x1EBF0000, 48, 16384, "7.3.4", "the contents of files", (("HOST", "a=b"),))
    packed = wanted.note()
    found = opened(core([Segment(0, note(packed.name + b"\0", packed.type, packed.desc, sign), PT_NOTE), Segment(0, b"x")], sign=sign))
    assert (wanted, 16384) == (found.handover, found.memory.page_size)  # type: ignore[union-attr]
    assert note(packed.name + b"\0", packed.type, packed.desc, sign) == packed.pack("little" if sign == "<" else "big")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"", "VERSION"),
        (b"VERSION=2\n", "VERSION"),
        (b"VERSION=1\nFDT_PA=x\n", "FDT_PA"),
        (b"VERSION=1\nFDT_PA=-1\n", "FDT_PA"),
        (b"VERSION=1\nFDT_PA=0x10000000000000000\n", "FDT_PA"),
        (b"VERSION=1\nSCRATCH_LEN=" + b"9" * 9000 + b"\n", "SCRATCH_LEN"),
    ],
)
def test_own_note_that_is_not_ours(text: bytes, path: str) -> None:
    """A note with our name and another content is refused, with the key that is wrong."""
    packed = note(notes.NOTE_NAME + b"\0", notes.NOTE_TYPE, text)
    with pytest.raises(ImageError) as caught:
        opened(core([Segment(0, packed, PT_NOTE), Segment(0, b"x")]))
    assert path == caught.value.path


@SIGNS
def test_kcore_segments_that_are_not_ram(sign: str) -> None:
    """/proc/kcore: p_paddr -1 is vmalloc space and the like; the kernel's text stands inside RAM a second time."""
    ram = bytes(range(256))
    text = [Segment(0x1020, ram[0x20:0x40]), Segment(0x1000, ram[:0x10])]
    found = opened(core([Segment((1 << 64) - 1, b"vmalloc"), *text, Segment(0x1000, ram)], sign=sign))
    assert [(0x1000, 0x1100)] == regions(found)
    assert ram == read(found, 0x1000, 256)


def test_segments_that_disagree() -> None:
    """An alias with other bytes, or one that sticks out, would be two truths."""
    with pytest.raises(ImageError, match="disagree about pa 0x1020"):
        opened(core([Segment(0x1000, bytes(256)), Segment(0x1020, b"x")]))
    with pytest.raises(ImageError, match="disagree about pa 0x10ff"):
        opened(core([Segment(0x1000, bytes(256)), Segment(0x10FF, bytes(2))]))


def test_aliases_are_compared_in_linear_time() -> None:
    """Many aliases of one large segment cannot make the comparison longer than the file."""
    big = Segment(0x1000, bytes(1 << 16))
    alias = [Segment(0x1000 + at, filesz=0x8000, offset=64 + 56 * 5) for at in range(1, 5)]
    with pytest.raises(ImageError, match="disagree"):
        opened(core([big, *alias]))


def test_same_file_bytes_twice() -> None:
    """QEMU with paging=on: one header for each mapping, all of the same bytes, overlapping as they like."""
    at = 240  # where the bytes of the first segment come to stand behind three program headers
    parts = [Segment(0x1018, filesz=40, offset=at + 24), Segment(0x1020, filesz=4, offset=at + 32)]
    found = opened(core([Segment(0x1000, bytes(range(64)), filesz=32), *parts]))
    assert [(0x1000, 0x1040)] == regions(found)
    assert bytes(range(64)) == read(found, 0x1000, 64)


def test_neighbours_in_memory_and_file_are_one_region() -> None:
    """So that a read over their seam needs no copy; neighbours only in memory stay two."""
    found = opened(core([Segment(0x1000, b"a" * 16), Segment(0x1020, b"c" * 16), Segment(0x1010, b"b" * 16), Segment(0x1030, b"d" * 16)]))
    assert [(0x1000, 0x1010), (0x1010, 0x1020), (0x1020, 0x1030), (0x1030, 0x1040)] == regions(found)
    found = opened(core([Segment(0x1000, b"a" * 16), Segment(0x1010, b"b" * 16), Segment(0x1030, b"c" * 16)]))
    assert [(0x1000, 0x1020), (0x1030, 0x1040)] == regions(found)
    assert b"ab" == read(found, 0x100F, 2)


def test_tail_beyond_the_file_bytes_is_absent() -> None:
    """p_memsz above p_filesz: memory that the dump does not hold. It is not made up as zeros."""
    nothing = Segment(0x3000, b"", memsz=4096, offset=(1 << 64) - 1)
    found = opened(core([Segment(0x1000, b"abcd", memsz=4096), nothing, Segment(0x4000, b"x")]))
    assert [(0x1000, 0x1004), (0x4000, 0x4001)] == regions(found)
    with pytest.raises(NotInMemoryError):
        read(found, 0x1000, 5)


def test_truncated_core_is_refused_unless_partial() -> None:
    """A segment that reaches beyond the file is a copy cut short; with partial, what is there is read and the cut is reported."""
    data = core([Segment(0x1000, b"a" * 64), Segment(0x2000, b"b" * 64)])
    for cut in (1, 64, 65, 100):
        with pytest.raises(ImageError, match="truncated"):
            opened(data[:-cut])
    found = opened(data[:-10], partial=True)
    assert [(0x1000, 0x1040), (0x2000, 0x2036)] == regions(found)
    assert [("input-truncated", "segment of pa 0x2000 has 0x36 of its 0x40 bytes")] == [(p.rule, p.message) for p in found.problems]
    assert [(0x1000, 0x103F)] == regions(opened(data[: -64 - 1], partial=True))


@pytest.mark.parametrize(
    ("data", "message", "offset"),
    [
        (core([Segment(0, b"x")], ident=b"\x7fELF\x01"), "not a 64-bit ELF", 0),
        (core([Segment(0, b"x")], kind=2), "not a core", 16),
        (core([Segment(0, b"x")], phentsize=32), "another size", 0x36),
        (core([Segment(0, b"x")], phnum=2000), "program headers", 64),
        (core([]), "holds no physical memory", 64),
        (core([Segment(0x1000, b"")]), "holds no physical memory", 64),
        (core([Segment((1 << 64) - 1, b"x")]), "holds no physical memory", 64),
        (core([Segment(0, b"x"), Segment(0, b"y")]), "no physical addresses", 64),
        (core([Segment((1 << 64) - 2, b"abc")]), "64-bit address space", None),
        (core([Segment(0, note(b"X\0", 1, b"abcd")[:-1], PT_NOTE), Segment(0, b"x")]), "beyond its segment", None),
    ],
)
def test_damaged_headers(data: bytes, message: str, offset: int | None) -> None:
    """Each is refused with the file, the offset, and what was expected."""
    with pytest.raises(ImageError, match=message) as caught:
        opened(data)
    assert "t.core" == caught.value.source
    assert caught.value.expected
    if offset is not None:
        assert offset == caught.value.offset


def test_data_encoding_that_is_none() -> None:
    """EI_DATA is 1 or 2."""
    data = bytearray(core([Segment(0, b"x")]))
    data[5] = 3
    with pytest.raises(ImageError, match="not a 64-bit ELF"):
        opened(bytes(data))


def test_bad_notes_do_not_hide_the_memory_from_partial() -> None:
    """With partial, a broken note segment is passed over."""
    data = core([Segment(0, b"\xff" * 12, PT_NOTE), Segment(0x1000, b"x")])
    assert [(0x1000, 0x1001)] == regions(opened(data, partial=True))


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, notes and bytes of notes: at the limit they are taken, one above it is refused."""
    packed = note(b"X\0", 1, b"abcd")
    data = core([Segment(0, packed + packed, PT_NOTE), Segment(0x1000, b"x"), Segment(0x3000, b"x")])
    for module, name, limit in ((elf, "MAX_REGIONS", 3), (notes, "MAX_NOTES", 2), (elf, "MAX_NOTE_BYTES", 2 * len(packed))):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, limit)
            assert 2 == len(regions(opened(data)))
            patch.setattr(module, name, limit - 1)
            with pytest.raises(LimitError):
                opened(data)


def live(path: Path, data: bytes) -> tuple[FileBytes, int]:
    """A file opened as one that cannot be mapped."""
    path.write_bytes(data)
    return FileBytes(os.open(path, os.O_RDONLY), 0, 1 << 47, str(path)), len(data)


def test_file_that_cannot_be_mapped(tmp_path: Path) -> None:
    """/proc/kcore: only what is asked for is read, and a segment as long as the address space costs nothing until then."""
    data = core([Segment(0x100000000, b"ram" * 100), Segment(0x1000, b"low", filesz=1 << 40), Segment((1 << 64) - 1, b"", filesz=1 << 46)])
    found = open_data(live(tmp_path / "kcore", data)[0], source="kcore")
    assert [(0x1000, 0x1000 + (1 << 40))] == regions(found)[:1]
    assert b"low" == read(found, 0x1000, 3)
    with pytest.raises(NotInMemoryError):
        read(found, 0x1000 + (1 << 30), 4096)


def test_live_notes_and_pages(tmp_path: Path) -> None:
    """Notes are read from such a file too, and pages are found in it."""
    page = b"\xd0\x0d\xfe\xed" + bytes(4092)
    data = core([Segment(0, note(b"VMCOREINFO\0", 0, TEXT), PT_NOTE), Segment(0x10000, bytes(4096) + page + page)])
    found = open_data(live(tmp_path / "kcore", data)[0], source="kcore").memory
    assert found is not None
    assert ("7.3.4", [0x11000, 0x12000]) == (found.vmcoreinfo["OSRELEASE"], list(found.find_pages(b"\xd0\x0d\xfe\xed")))


def test_live_file_closes_with_its_last_region(tmp_path: Path) -> None:
    """The descriptor lives as long as a region needs it, and no longer."""
    backing, _ = live(tmp_path / "kcore", core([Segment(0x1000, b"x" * 16)]))
    fd = backing.fd
    found = open_data(backing, source="kcore")
    del backing
    assert b"x" == read(found, 0x1000, 1)
    del found
    with pytest.raises(OSError):
        os.fstat(fd)


@SIGNS
def test_every_prefix_fails_cleanly(sign: str) -> None:
    """No prefix of a core is a core, and each is refused with an error of ours; with partial it may open."""
    packed = note(b"VMCOREINFO\0", 0, TEXT, sign)
    data = core([Segment(0, packed, PT_NOTE), Segment(0x1000, b"a" * 40), Segment(0x2000, b"b" * 40)], sign=sign, extended=True)
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            opened(data[:length])
        try:
            opened(data[:length], partial=True)
        except DecodeError:
            continue
