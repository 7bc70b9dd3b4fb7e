# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""ELF notes: the kernel's VMCOREINFO, and our own, which says where the handover is.

A note segment is a chain of::

    namesz u32 | descsz u32 | type u32 | name, NUL-terminated, padded to 4 | desc, padded to 4

Our note has the name ``devstate`` and the type 0x4f484b. Its payload is text in the manner of VMCOREINFO, ASCII lines of ``KEY=VALUE``, so
that ``strings`` shows it and a key can be added without a new version::

    VERSION=1           this form; a reader refuses others
    FDT_PA=0x2300000    the root FDT of KHO
    SCRATCH_PA=0x...    the array of struct kho_scratch (its bytes are in the core), and its length in bytes
    SCRATCH_LEN=48
    PAGESIZE=4096       of the kernel that wrote the handover, bytes
    OSRELEASE=7.3.4     of that kernel
    MISSING=...         what could not be captured, in words

Every key but VERSION may be absent. Unknown keys are kept in ``extra``. :meth:`HandoverNote.note` makes it,
:func:`read_handover_note` reads it.
"""

from __future__ import annotations

from devstate.errors import EncodeError, ImageError, LimitError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

NOTE_NAME = b"devstate"
NOTE_TYPE = 0x4F484B
"""\"KHO\": a number that no other kind of note has, so that tools which go by the type alone take it for nothing else."""

NOTE_VERSION = 1

MAX_NOTES = 1 << 16
"""Notes in one file: a kernel writes one for each processor (at most 8192) and a handful more."""

_KNOWN = ("FDT_PA", "SCRATCH_PA", "SCRATCH_LEN", "PAGESIZE", "OSRELEASE", "MISSING")


@frozen
class Note:
    """One ELF note: ``name`` without its NUL, ``type`` as defined by the owner of that name, the raw ``desc``."""

    name: bytes
    type: int
    desc: bytes

    def pack(self, byteorder: Literal["little", "big"] = "little") -> bytes:
        """Its bytes in a note segment."""
        name = self.name + b"\0"
        head = b"".join(number.to_bytes(4, byteorder) for number in (len(name), len(self.desc), self.type))
        return head + name + bytes(-len(name) % 4) + self.desc + bytes(-len(self.desc) % 4)


@frozen
class HandoverNote:
    """Our own note. Lengths are in bytes; None where it does not say; ``extra`` are (key, value) pairs that this version does not know."""

    fdt_pa: int | None = None
    scratch_pa: int | None = None
    scratch_len: int | None = None
    page_size: int | None = None
    release: str | None = None
    missing: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def note(self) -> Note:
        """It as an ELF note. EncodeError for a text with a line break or a character outside ASCII."""
        hexed = [None if number is None else f"{number:#x}" for number in (self.fdt_pa, self.scratch_pa, self.scratch_len)]
        size = None if self.page_size is None else str(self.page_size)
        pairs = [("VERSION", str(NOTE_VERSION)), *zip(_KNOWN, (*hexed, size, self.release, self.missing), strict=True), *self.extra]
        lines = [f"{key}={value}\n" for key, value in pairs if value is not None]
        text = "".join(lines)
        if not text.isascii() or text.count("\n") != len(lines) or any("=" in key for key, _ in pairs):
            raise EncodeError("a note holds lines of ASCII", path="note", found=repr(text[:200]))
        return Note(NOTE_NAME, NOTE_TYPE, text.encode("ascii"))


def read_notes(data: memoryview, byteorder: Literal["little", "big"], source: str, offset: int) -> Iterator[Note]:
    """The notes of one segment, which stands at ``offset`` in the file. ImageError where one reaches beyond it."""
    at, count = 0, 0
    while at + 12 <= len(data):
        namesz, descsz, kind = (int.from_bytes(data[at + i : at + i + 4], byteorder) for i in (0, 4, 8))
        name_end = at + 12 + namesz
        desc = name_end + -namesz % 4
        if desc + descsz > len(data):
            raise ImageError(
                "note reaches beyond its segment", source=source, offset=offset + at, expected=f"at most {len(data) - at:#x} bytes",
                found=f"name {namesz:#x}, payload {descsz:#x}",
            )  # fmt: skip
        count += 1
        if count > MAX_NOTES:
            raise LimitError("too many notes", source=source, offset=offset + at, expected=f"at most {MAX_NOTES}")
        yield Note(bytes(data[at + 12 : name_end]).rstrip(b"\0"), kind, bytes(data[desc : desc + descsz]))
        at = desc + descsz + -descsz % 4


def read_lines(desc: bytes) -> dict[str, str]:
    """``KEY=VALUE`` lines as a dict: VMCOREINFO, and our own note. Never fails: odd bytes are shown escaped, lines without '=' left out."""
    lines = desc.rstrip(b"\0").decode("ascii", "backslashreplace").split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def read_handover_note(notes: tuple[Note, ...], source: str) -> HandoverNote | None:
    """Our own note, if the file has one. ImageError when it is not what it claims."""
    for note in notes:
        if note.name == NOTE_NAME and note.type == NOTE_TYPE:
            text = read_lines(note.desc)
            if text.get("VERSION") != str(NOTE_VERSION):
                raise ImageError(
                    "unknown version of the devstate note", source=source, path="VERSION", expected=NOTE_VERSION, found=text.get("VERSION")
                )
            fdt_pa, scratch_pa, scratch_len, page_size = (_number(text, key, source) for key in _KNOWN[:4])
            extra = tuple((key, value) for key, value in text.items() if key not in _KNOWN and key != "VERSION")
            return HandoverNote(fdt_pa, scratch_pa, scratch_len, page_size, text.get("OSRELEASE"), text.get("MISSING"), extra)
    return None


def read_page_size(text: Mapping[str, str]) -> int | None:
    """VMCOREINFO's PAGESIZE in bytes, if it is there and is a page size."""
    value = text.get("PAGESIZE", "")
    size = int(value) if value.isascii() and value.isdigit() and len(value) < 8 else 0
    return size if 4096 <= size <= 1 << 16 and size & (size - 1) == 0 else None


def _number(text: Mapping[str, str], key: str, source: str) -> int | None:
    value = text.get(key)
    if value is None:
        return None
    try:
        number = int(value, 0) if len(value) <= 20 else -1
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise ImageError("bad number in the devstate note", source=source, path=key, expected="a 64-bit number", found=repr(value[:40]))
    return number
