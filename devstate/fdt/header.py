# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The first 40 bytes of a flattened devicetree, and cheap ways to look at only these.

All words are big-endian::

    0x00  magic              d0 0d fe ed
    0x04  totalsize          bytes of the whole blob
    0x08  off_dt_struct      structure block
    0x0c  off_dt_strings     strings block
    0x10  off_mem_rsvmap     reserve map: pairs of u64 (address, size), ended by a size of 0
    0x14  version            17
    0x18  last_comp_version  16: a reader that knows 16 can read it
    0x1c  boot_cpuid_phys
    0x20  size_dt_strings
    0x24  size_dt_struct

Source: Devicetree Specification 0.4, 5.2. Versions before 17 have a shorter header without the last word; no kernel that
hands over state writes one.
"""

from __future__ import annotations

import struct

from devstate.errors import FdtError, LimitError
from devstate.fdt import rules
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

MAGIC = b"\xd0\x0d\xfe\xed"
VERSION = 17
LAST_COMPATIBLE = 16
HEADER = struct.Struct(">4s9I")
HEADER_SIZE = HEADER.size
RESERVE_ENTRY = struct.Struct(">QQ")


@frozen
class Header:
    """The header's words, under the specification's names; offsets and sizes are in bytes."""

    totalsize: int
    off_dt_struct: int
    off_dt_strings: int
    off_mem_rsvmap: int
    version: int
    last_comp_version: int
    boot_cpuid_phys: int
    size_dt_strings: int
    size_dt_struct: int

    def pack(self) -> bytes:
        """The 40 bytes."""
        return HEADER.pack(
            MAGIC, self.totalsize, self.off_dt_struct, self.off_dt_strings, self.off_mem_rsvmap, self.version,
            self.last_comp_version, self.boot_cpuid_phys, self.size_dt_strings, self.size_dt_struct,
        )  # fmt: skip


def totalsize(blob: Buffer) -> int | None:
    """Size in bytes that the blob claims, or None when no readable devicetree can start here: for scanning memory.

    Looks at the header only: magic, versions, and a size between the header's and ``rules.MAX_SIZE``.
    """
    view = memoryview(blob).cast("B")
    if len(view) < HEADER_SIZE or view[:4] != MAGIC:
        return None
    try:
        return header(view).totalsize
    except (FdtError, LimitError):
        return None


def header(blob: Buffer, *, source: str | None = None) -> Header:
    """The header of ``blob``, checked by itself; whether its blocks fit is the reader's question (:func:`misfits`).

    FdtError: shorter than 40 bytes, wrong magic or version. LimitError: larger than ``rules.MAX_SIZE``.
    """
    view = memoryview(blob).cast("B")
    if len(view) < HEADER_SIZE:
        raise FdtError("header is cut", source=source, offset=0, expected=f"{HEADER_SIZE} bytes", found=len(view))
    magic, *words = HEADER.unpack_from(view)
    if magic != MAGIC:
        raise FdtError("not a flattened devicetree: wrong magic", source=source, offset=0, expected=MAGIC.hex(), found=magic.hex())
    head = Header(*words)
    if head.version < VERSION:
        raise FdtError("version is too old", source=source, offset=0x14, expected=f"{VERSION} or later", found=head.version)
    if head.last_comp_version > VERSION:
        raise FdtError("version is too new", source=source, offset=0x18, expected=f"at most {VERSION}", found=head.last_comp_version)
    if head.totalsize < HEADER_SIZE:
        raise FdtError("total size is less than the header", source=source, offset=4, expected=f">= {HEADER_SIZE}", found=head.totalsize)
    if head.totalsize > rules.MAX_SIZE:
        raise LimitError("devicetree is too large", source=source, offset=4, expected=f"at most {rules.MAX_SIZE}", found=head.totalsize)
    return head


def misfits(head: Header) -> Iterator[FdtError]:
    """Blocks that do not lie between the end of the header and the total size, as libfdt's ``fdt_check_header`` sees it."""
    blocks = (
        ("reserve map", 0x10, head.off_mem_rsvmap, 0),
        ("structure block", 0x08, head.off_dt_struct, head.size_dt_struct),
        ("strings block", 0x0C, head.off_dt_strings, head.size_dt_strings),
    )
    for name, field, start, size in blocks:
        if start < HEADER_SIZE or start + size > head.totalsize:
            yield FdtError(
                f"{name} is outside the blob", offset=field,
                expected=f"within {HEADER_SIZE:#x}..{head.totalsize:#x}", found=f"{start:#x}..{start + size:#x}",
            )  # fmt: skip


def untidy(head: Header, reserve_end: int) -> Iterator[tuple[str, str, int]]:
    """Rules that the placing of the blocks breaks: (rule, message, offset of the header field)."""
    if head.off_dt_struct % 4:
        yield rules.MISALIGNED_BLOCK, f"structure block at {head.off_dt_struct:#x} is not 4-byte aligned", 0x08
    if head.off_mem_rsvmap % 8:
        yield rules.MISALIGNED_BLOCK, f"reserve map at {head.off_mem_rsvmap:#x} is not 8-byte aligned", 0x10
    blocks = (
        (head.off_mem_rsvmap, reserve_end, "reserve map", 0x10),
        (head.off_dt_struct, head.off_dt_struct + head.size_dt_struct, "structure block", 0x08),
        (head.off_dt_strings, head.off_dt_strings + head.size_dt_strings, "strings block", 0x0C),
    )
    placed = sorted(block for block in blocks if block[0] < block[1])
    reached, above = 0, "header"
    for start, end, name, field in placed:
        if start < reached:
            yield rules.OVERLAPPING_BLOCKS, f"{name} at {start:#x} overlaps the {above}, which ends at {reached:#x}", field
        reached, above = max((reached, above), (end, name))
