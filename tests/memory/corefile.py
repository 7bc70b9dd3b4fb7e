# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""ELF cores for tests, byte by byte from the object file format: not through the writer under test."""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack

PT_LOAD = 1
PT_NOTE = 4
ALIGN = 16


@dataclass
class Segment:
    """One program header. ``filesz``, ``memsz`` and ``offset`` follow from ``data`` unless they are set to say something else."""

    pa: int
    data: bytes = b""
    kind: int = PT_LOAD
    filesz: int | None = None
    memsz: int | None = None
    offset: int | None = None


def core(
    segments: list[Segment],
    *,
    sign: str = "<",
    kind: int = 4,
    machine: int = 62,
    extended: bool = False,
    phnum: int | None = None,
    phentsize: int = 56,
    ident: bytes = b"\x7fELF\x02",
) -> bytes:
    """A core of these segments. ``extended`` counts them in section header 0; ``phnum`` lies about their number."""
    count = len(segments) if phnum is None else phnum
    phoff = 64 + 64 * extended
    at = phoff + 56 * len(segments)
    phdrs, body = b"", b""
    for segment in segments:
        pad = -(at + len(body)) % ALIGN
        offset = at + len(body) + pad if segment.offset is None else segment.offset
        filesz = len(segment.data) if segment.filesz is None else segment.filesz
        memsz = filesz if segment.memsz is None else segment.memsz
        phdrs += pack(f"{sign}IIQQQQQQ", segment.kind, 4, offset, 0, segment.pa, filesz, memsz, ALIGN)
        body += bytes(pad) + segment.data
    head = ident + bytes([1 if sign == "<" else 2, 1]) + bytes(9)
    head += pack(f"{sign}HHI", kind, machine, 1)  # e_type, e_machine, e_version
    head += pack(f"{sign}QQQ", 0, phoff, 64 if extended else 0)  # e_entry, e_phoff, e_shoff
    head += pack(f"{sign}IHHH", 0, 64, phentsize, 0xFFFF if extended else count)  # e_flags, e_ehsize, e_phentsize, e_phnum
    head += pack(f"{sign}HHH", 64 if extended else 0, 1 if extended else 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    section = pack(f"{sign}IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0) if extended else b""  # sh_info = the count
    return head + section + phdrs + body


def note(name: bytes, kind: int, desc: bytes, sign: str = "<") -> bytes:
    """One ELF note; ``name`` with its NUL."""
    return pack(f"{sign}III", len(name), len(desc), kind) + name + bytes(-len(name) % 4) + desc + bytes(-len(desc) % 4)
