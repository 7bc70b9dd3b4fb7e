# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bytes to :class:`Fdt`: strict, iterative, bounded.

A blob has four parts, each where the header says; the usual order is this one::

    header         40 bytes                     devstate.fdt.header
    reserve map    (u64 address, u64 size)...   ended by a size of 0
    structure      tokens                       devstate.fdt.structure
    strings        NUL-terminated names of properties

The reader accepts nothing that libfdt's ``fdt_check_full`` rejects, and by default refuses more: ``devstate.fdt.rules``.
Time and memory are linear in the bytes that are there. Every error has the byte offset, and where there is one the node's path.
"""

from __future__ import annotations

from devstate.errors import DecodeError, FdtError, LimitError
from devstate.fdt import rules
from devstate.fdt.header import RESERVE_ENTRY, Header, header, misfits, untidy
from devstate.fdt.model import Fdt
from devstate.fdt.problems import Problems
from devstate.fdt.structure import Structure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from typing_extensions import Buffer


def read(blob: Buffer, *, source: str | None = None, allow: AbstractSet[str] = frozenset()) -> Fdt:
    """The devicetree at the start of ``blob`` (which may be longer: a page). ``allow`` names rules that may be broken.

    FdtError with offset and path, and with ``rule`` when it is a rule that is broken; LimitError above a limit of
    ``devstate.fdt.rules``. The bytes are copied once: memory that changes underneath cannot change what was checked.
    """
    return _read(blob, Problems(source, allow, None))


def read_partial(blob: Buffer, *, source: str | None = None, allow: AbstractSet[str] = frozenset()) -> tuple[Fdt, list[DecodeError]]:
    """What can be read of a cut or damaged blob, and every problem met on the way (none: :func:`read` gives the same tree).

    A property whose name is not there is called after the name's offset, such as ``<0x20>``; nodes that were open when reading
    had to stop end there. FdtError or LimitError when not even the header can be read.
    """
    found: list[DecodeError] = []
    return _read(blob, Problems(source, allow, found)), found


def _read(blob: Buffer, problems: Problems) -> Fdt:
    head = header(blob, source=problems.source)
    view = memoryview(blob).cast("B")[: head.totalsize]
    data = blob if isinstance(blob, bytes) and len(blob) == len(view) else bytes(view)
    size = len(data)
    if size < head.totalsize:
        problems.meet(FdtError("blob is cut", offset=size, expected=f"{head.totalsize} bytes (totalsize)", found=f"{size} bytes"))
    for error in misfits(head):
        problems.meet(error)
    reserve_map, reserve_end = _reserve_map(data, head, problems)
    for rule, message, offset in untidy(head, reserve_end):
        problems.judge(rule, message, offset)
    first, strings = head.off_dt_struct, head.off_dt_strings
    span = min(first, size), min(first + head.size_dt_struct, size)
    structure = Structure(data, span, (strings, min(strings + head.size_dt_strings, size)), problems)
    return Fdt(structure.root(), reserve_map, head.boot_cpuid_phys, header=head, blob=data)


def _reserve_map(data: bytes, head: Header, problems: Problems) -> tuple[list[tuple[int, int]], int]:
    """The entries (address, size) of the reserve map, and the offset where it ends."""
    entries: list[tuple[int, int]] = []
    pos = head.off_mem_rsvmap
    while pos + RESERVE_ENTRY.size <= len(data):
        address, size = RESERVE_ENTRY.unpack_from(data, pos)
        pos += RESERVE_ENTRY.size
        if size == 0:
            return entries, pos
        if len(entries) == rules.MAX_RESERVED:
            problems.meet(LimitError("reserve map is too long", offset=pos, expected=f"at most {rules.MAX_RESERVED} entries"))
            return entries, pos
        entries.append((address, size))
    problems.meet(FdtError("reserve map has no end", offset=pos, expected="an entry of size 0", found="the end of the blob"))
    return entries, pos
