# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From what a user names to the bytes of a ``.BTF`` section: a raw section, an ELF vmlinux, either of them as a zstd frame."""

from __future__ import annotations

from devstate.errors import BtfError, LimitError
from devstate.source.btf_section import MAX_SECTION
from devstate.source.elf import section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

MAX_UNPACKED = 512 << 20
"""What a zstd frame may unpack to: twice a vmlinux with DWARF of a small configuration. Larger ones are opened uncompressed (mmap)."""

_RAW = (b"\x9f\xeb", b"\xeb\x9f")
_ELF = b"\x7fELF"
_ZSTD = b"\x28\xb5\x2f\xfd"


def load(source: str | PathLike[str] | bytes | bytearray | memoryview) -> tuple[memoryview, str | None]:
    """The section's bytes, and the name of the file when it was one.

    OSError when the file cannot be read; BtfError when it is none of the three, or has no ``.BTF``; LimitError when it is too large.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _unwrap(memoryview(source).cast("B")), None
    name = str(source)
    try:
        return _unwrap(_read(name)), name
    except BtfError as error:
        raise error.at(source=name) from None


def _read(name: str) -> memoryview:
    """A file's bytes. An ELF file is mapped, so that of a vmlinux with gigabytes of DWARF only the pages with the BTF are touched."""
    with open(name, "rb") as file:
        head = file.read(4)
        if head == _ELF:
            import mmap

            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        limit = MAX_UNPACKED if head == _ZSTD else MAX_SECTION
        data = head + file.read(limit + 1 - len(head))
    if len(data) > limit:
        raise LimitError("the file is too large", source=name, expected=f"at most {limit} bytes", found="more")
    return memoryview(data)


def _unwrap(data: memoryview) -> memoryview:
    if data[:4] == _ZSTD:
        data = _unpack(data)
    if data[:4] == _ELF:
        return section(data, ".BTF")
    if bytes(data[:2]) not in _RAW:
        found = bytes(data[:4]).hex() or "no bytes"
        raise BtfError("neither BTF nor an ELF file", offset=0, expected="9feb, eb9f or 7f454c46", found=found)
    return data


def _unpack(data: memoryview) -> memoryview:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            raw = reader.read(MAX_UNPACKED + 1)
    except zstandard.ZstdError as error:
        raise BtfError("a zstd frame is damaged", offset=0, found=error) from None
    if len(raw) > MAX_UNPACKED:
        raise LimitError("a zstd frame unpacks to too much", offset=0, expected=f"at most {MAX_UNPACKED} bytes", found="more")
    return memoryview(raw)
