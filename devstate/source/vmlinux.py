# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From what a user names to the bytes of a ``.BTF`` section: a raw section, an ELF vmlinux, either of them as a zstd frame."""

from __future__ import annotations

from devstate.errors import BtfError, DecodeError, LimitError
from devstate.memory.zstd import decompress, is_zstd
from devstate.source.btf_section import MAX_SECTION
from devstate.source.elf import section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

RAW = (b"\x9f\xeb", b"\xeb\x9f")
ELF = b"\x7fELF"


def load(source: str | PathLike[str] | bytes | bytearray | memoryview) -> tuple[memoryview, str | None]:
    """The section's bytes, and the name of the file when it was one.

    OSError when the file cannot be read; BtfError when it is none of the three or has no ``.BTF``; ImageError for a damaged zstd
    frame; LimitError when it is too large.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _unwrap(memoryview(source).cast("B"), ""), None
    name = str(source)
    try:
        return _unwrap(_read(name), name), name
    except DecodeError as error:
        raise error.at(source=name) from None


def _read(name: str) -> memoryview:
    """A file's bytes. ELF and zstd files are mapped: of a vmlinux with gigabytes of DWARF only the pages with the BTF are touched."""
    with open(name, "rb") as file:
        head = file.read(8)
        if head[:4] == ELF or is_zstd(head):
            import mmap

            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        data = head + file.read(MAX_SECTION + 1 - len(head))
    if len(data) > MAX_SECTION:
        raise LimitError("the file is too large for BTF", expected=f"at most {MAX_SECTION} bytes", found="more")
    return memoryview(data)


def _unwrap(data: memoryview, name: str) -> memoryview:
    if is_zstd(data[:8]):
        data = decompress(data, source=name)
    if data[:4] == ELF:
        return section(data, ".BTF")
    if bytes(data[:2]) not in RAW:
        found = bytes(data[:4]).hex() or "no bytes"
        raise BtfError("neither BTF nor an ELF file", offset=0, expected="9feb, eb9f or 7f454c46", found=found)
    return data
