# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""ELF64 cores whose PT_LOAD segments carry physical addresses, in either byte order.

::

    0x00  e_ident  7f 'E' 'L' 'F', class 2 = 64 bit, data 1 = little 2 = big, version 1
    0x10  e_type u16 = 4 (core), e_machine u16          0x20  e_phoff u64       0x28  e_shoff u64
    0x36  e_phentsize u16 = 56, e_phnum u16 (0xffff = PN_XNUM: the count is sh_info, u32 at 0x2c of section header 0)
    phdr: p_type u32, p_flags u32, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align u64
    (ELF-64 object file format; include/uapi/linux/elf.h)

Read: QEMU ``dump-guest-memory``, ``/proc/vmcore``, ``/proc/kcore`` and our own captures. Facts that matter:

* ``/proc/kcore`` gives p_paddr = -1 to what is not RAM (fs/proc/kcore.c): not physical memory, left out.
* ``/proc/kcore`` and ``/proc/vmcore`` name the kernel's text twice, once inside RAM (fs/proc/kcore.c, kernel/crash_core.c); QEMU with
  ``paging=on`` names the same bytes once for each mapping. A segment wholly inside another with equal bytes, or that shares its file bytes,
  is an alias. Two segments that disagree are refused.
* p_memsz above p_filesz: the tail is **absent**, not zero. The kernel and QEMU write it for memory that the dump does not hold.

Own reader, because pyelftools takes five interpreter starts to import (54 ms measured), and these headers are 60 lines.
"""

from __future__ import annotations

from struct import iter_unpack, unpack_from

from devstate.errors import ImageError, LimitError, NotInMemoryError
from devstate.frozen import frozen
from devstate.memory.backing import MAX_FILE_OFFSET, FileBytes
from devstate.memory.notes import HandoverNote, Note, read_handover_note, read_lines, read_notes, read_page_size
from devstate.memory.physmem import ADDRESS_END, MAX_REGIONS, MemoryRegion, PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from devstate.memory.physmem import Data

MAGIC = b"\x7fELF"
EHDR_SIZE = 64
PHDR_SIZE = 56
SHDR_SIZE = 64
PN_XNUM = 0xFFFF
ET_CORE = 4
PT_LOAD = 1
PT_NOTE = 4

MAX_NOTE_BYTES = 1 << 24
"""Bytes of all note segments: the registers of 8192 processors take 3 MiB."""

_NOT_PHYSICAL = ADDRESS_END - 1


@frozen
class Core:
    """An opened core: its memory, its notes, our own note if it has one, what ``partial`` let pass, in words, and e_machine."""

    memory: PhysMemory
    notes: tuple[Note, ...]
    handover: HandoverNote | None
    cut: tuple[str, ...]
    machine: int


class _File:
    """The headers of one ELF file, checked."""

    def __init__(self, data: Data, size: int, source: str) -> None:
        self.data = data
        self.size = size
        self.source = source
        head = bytes(self.part(0, EHDR_SIZE, "ELF header"))
        if head[:4] != MAGIC or head[4] != 2 or head[5] not in (1, 2) or head[6] != 1:
            raise self.error("not a 64-bit ELF file", 0, "7f 45 4c 46 02, 01 or 02, 01", head[:7].hex(" "))
        self.byteorder: Literal["little", "big"] = "little" if head[5] == 1 else "big"
        self.sign = "<" if head[5] == 1 else ">"
        kind, self.machine, _version, _entry, self.phoff, self.shoff, _flags, _ehsize, phentsize, self.phnum = unpack_from(
            f"{self.sign}HHIQQQIHHH", head, 0x10
        )
        if kind != ET_CORE:
            raise self.error("not a core file", 0x10, f"e_type {ET_CORE} (core)", kind, "a kernel image or a program is no memory capture")
        if self.phnum == PN_XNUM:
            (self.phnum,) = unpack_from(f"{self.sign}I", self.part(self.shoff, SHDR_SIZE, "section header 0 (PN_XNUM)"), 0x2C)
        if self.phnum and phentsize != PHDR_SIZE:
            raise self.error("program headers of another size", 0x36, PHDR_SIZE, phentsize)
        if self.phnum > MAX_REGIONS:
            raise LimitError("too many program headers", source=source, offset=0x38, expected=f"at most {MAX_REGIONS}", found=self.phnum)

    def segments(self) -> list[tuple[int, int, int, int]]:
        """(p_type, p_offset, p_paddr, p_filesz) of each program header, in the order of the file."""
        table = self.part(self.phoff, self.phnum * PHDR_SIZE, f"table of {self.phnum} program headers")
        return [(kind, offset, pa, filesz) for kind, _, offset, _, pa, filesz, _, _ in iter_unpack(f"{self.sign}IIQQQQQQ", table)]

    def part(self, offset: int, size: int, what: str) -> memoryview:
        if offset + size > self.size:
            raise self.error(f"truncated in its {what}", offset, f"{size:#x} bytes", f"{max(self.size - offset, 0):#x}")
        return self.data[offset : offset + size]

    def error(self, message: str, offset: int, expected: object, found: object, advice: str | None = None) -> ImageError:
        return ImageError(message, source=self.source, offset=offset, expected=expected, found=found, advice=advice)


def open_elf(data: Data, size: int, *, source: str, partial: bool = False) -> Core:
    """Open ``size`` bytes of ``data`` as a core. With ``partial``, segments and notes that reach beyond the file are cut, not refused.

    ImageError when it is not one or is damaged; LimitError above MAX_REGIONS segments or MAX_NOTE_BYTES.
    """
    file = _File(data, size, source)
    cut: list[str] = []
    loads: list[tuple[int, int, int]] = []
    note_parts: list[tuple[int, int]] = []
    for kind, offset, pa, filesz in file.segments():
        if not filesz or kind not in (PT_LOAD, PT_NOTE) or (kind == PT_LOAD and pa == _NOT_PHYSICAL):
            continue
        if offset + filesz > size and not _is_live(data):
            if not partial:
                raise file.error(
                    f"truncated: the segment of pa {pa:#x} reaches beyond the file", offset, f"a file of {offset + filesz:#x} bytes",
                    f"{size:#x}", "the copy is not complete; --partial reads what is there",
                )  # fmt: skip
            cut.append(f"segment of pa {pa:#x} has {max(size - offset, 0):#x} of its {filesz:#x} bytes")
            filesz = size - offset
        if filesz > 0:
            (loads.append((pa, offset, filesz)) if kind == PT_LOAD else note_parts.append((offset, filesz)))
    notes = _notes(file, note_parts, partial)
    handover = read_handover_note(notes, source)
    info: dict[str, str] = next((read_lines(note.desc) for note in notes if note.name == b"VMCOREINFO"), {})
    page_size = handover.page_size if handover and handover.page_size else read_page_size(info)
    memory = PhysMemory(_regions(file, loads), source=source, byteorder=file.byteorder, page_size=page_size, vmcoreinfo=info)
    return Core(memory, notes, handover, tuple(cut), file.machine)


def _is_live(data: Data) -> bool:
    """A file that cannot be mapped (/proc/kcore) says nothing true about its size: each read finds out."""
    return isinstance(data, FileBytes)


def _notes(file: _File, parts: list[tuple[int, int]], partial: bool) -> tuple[Note, ...]:
    if sum(size for _, size in parts) > MAX_NOTE_BYTES:
        raise LimitError("notes are too long", source=file.source, expected=f"at most {MAX_NOTE_BYTES:#x} bytes")
    found: list[Note] = []
    for offset, size in parts:
        try:
            found.extend(read_notes(file.data[offset : offset + size], file.byteorder, file.source, offset))
        except (ImageError, NotInMemoryError):
            if not partial:
                raise
    return tuple(found)


def _regions(file: _File, loads: list[tuple[int, int, int]]) -> list[MemoryRegion]:
    """Segments to regions: aliases dropped, neighbours whose bytes are neighbours in the file joined."""
    if len(loads) > 1 and not any(pa for pa, _, _ in loads):
        raise file.error(
            "has no physical addresses", file.phoff, "p_paddr set", "0 in every segment", "the core of a process is no memory capture"
        )
    runs: list[list[int]] = []  # [start, end, file offset]
    compared = 0
    for pa, offset, size in sorted(loads, key=lambda load: (load[0], -load[2])):
        end = pa + size
        if end > ADDRESS_END or offset + size > MAX_FILE_OFFSET:
            raise file.error("segment leaves the 64-bit address space", offset, "pa + size below 2^64", f"{pa:#x} + {size:#x}")
        last = runs[-1] if runs else [0, -1, 0]
        if pa <= last[1] and offset - pa == last[2] - last[0]:
            last[1] = max(last[1], end)
        elif pa >= last[1]:
            runs.append([pa, end, offset])
        else:
            compared += size
            if compared > file.size or end > last[1] or not _same(file, last[2] + pa - last[0], offset, size):
                raise file.error(
                    f"segments disagree about pa {pa:#x}", offset, f"the bytes of {last[0]:#x}-{last[1]:#x}", f"{pa:#x}-{end:#x}"
                )
    if not runs:
        raise file.error("holds no physical memory", file.phoff, "a PT_LOAD segment with bytes", f"{file.phnum} headers without")
    return [MemoryRegion(start, end - start, _cut(file.data, offset, end - start)) for start, end, offset in runs]


def _same(file: _File, first: int, second: int, size: int) -> bool:
    """Whether two parts of the file hold the same bytes. Memory that is alive cannot be compared and is taken to be."""
    if isinstance(file.data, FileBytes):
        return True
    step = 1 << 20
    return all(
        bytes(file.data[first + at : first + min(at + step, size)]) == bytes(file.data[second + at : second + min(at + step, size)])
        for at in range(0, size, step)
    )


def _cut(data: Data, offset: int, size: int) -> Data:
    return data.span(offset, size) if isinstance(data, FileBytes) else data[offset : offset + size]
