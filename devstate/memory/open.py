# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Say what an input is, by its first bytes, and open it.

========================  ==========================================================================================
begins with               is
========================  ==========================================================================================
(a directory)             the files of /sys/kernel/debug/kho                                         kind "debugfs"
28 b5 2f fd               zstd: what is inside is looked at again
7f 45 4c 46               an ELF core with physical addresses                                        kind "elf"
d0 0d fe ed               a lone FDT                                                                 kind "fdt"
anything, with a base     a raw memory image                                                         kind "raw"
========================  ==========================================================================================

A base wins over every magic but that of zstd: memory may begin with anything.
"""

from __future__ import annotations

import os

from devstate.errors import ImageError
from devstate.frozen import frozen
from devstate.memory.backing import FileBytes, load
from devstate.memory.zstd import decompress, is_zstd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from devstate.finding import Finding
    from devstate.memory.debugfs import DebugfsDump
    from devstate.memory.notes import HandoverNote, Note
    from devstate.memory.physmem import Data, PhysMemory

FDT_MAGIC = b"\xd0\x0d\xfe\xed"

MAX_FDT = 1 << 32
"""Bytes of a lone FDT: its totalsize is a u32."""

_FOREIGN = {
    b"KDUMP   ": "a kdump-compressed dump: make an ELF core with makedumpfile -E, or with QEMU's dump-guest-memory without -z, -l, -s",
    b"DISKDUMP": "a diskdump: make an ELF core of it",
    b"makedumpfile": "a flattened dump (QEMU with -z, makedumpfile -F): take it without, or restore it with makedumpfile -R",
    b"EMiL": "a LiME image: take it with format=padded and give --base",
    b"QEVM": "a QEMU migration stream: use dump-guest-memory instead",
    b"\x1f\x8b": "gzip: unpack it first",
    b"\xfd7zXZ\0": "xz: unpack it first",
    b"\x9f\xeb": "BTF: that is no handover",
}
"""What else people may have at hand, and what to do with it."""


@frozen
class Input:
    """What was opened. ``kind`` is "elf", "raw", "debugfs" or "fdt"; ``source`` its name for messages.

    ``memory``    physical memory; None where there is none (debugfs, fdt)
    ``blobs``     (name, bytes): ("fdt", ...) of a lone FDT; of debugfs "out/fdt", "out/sub_fdts/NAME", "in/fdt", ...
    ``dumps``     the same of debugfs, side by side, with the scratch areas
    ``handover``  our own note (it says where the root FDT is), if there is one
    ``notes``     every ELF note
    ``problems``  what is cut, stale or missing in the input, but did not keep it from being opened
    ``machine``   e_machine of an ELF core
    """

    kind: str
    source: str
    memory: PhysMemory | None = None
    blobs: tuple[tuple[str, memoryview], ...] = ()
    dumps: tuple[DebugfsDump, ...] = ()
    handover: HandoverNote | None = None
    notes: tuple[Note, ...] = ()
    problems: tuple[Finding, ...] = ()
    machine: int | None = None


def open_input(
    path: str,
    *,
    base: int | None = None,
    partial: bool = False,
    byteorder: Literal["little", "big"] = "little",
    max_decompressed: int | None = None,
) -> Input:
    """Open the file, pipe (``-`` is standard input) or directory ``path``.

    ``base`` is the physical address of a raw image and ``byteorder`` that of its machine. ``partial`` reads what is there of a core that
    was cut short. ``max_decompressed`` (bytes) stands in for the limits of zstd input.
    ImageError when it is none of the known, LimitError when a limit is passed; both say what to do.
    """
    if path != "-" and os.path.isdir(path):
        return _open_directory(path)
    name = "standard input" if path == "-" else path
    return open_data(load(path), source=name, base=base, partial=partial, byteorder=byteorder, max_decompressed=max_decompressed)


def open_data(
    data: Data,
    *,
    source: str = "bytes",
    base: int | None = None,
    partial: bool = False,
    byteorder: Literal["little", "big"] = "little",
    max_decompressed: int | None = None,
) -> Input:
    """Open bytes that are at hand (a memoryview), as :func:`open_input` does those of a file."""
    if isinstance(data, memoryview) and is_zstd(data):
        data = decompress(data, source=source, limit=max_decompressed)
    size = data.size if isinstance(data, FileBytes) else len(data)
    head = bytes(data[:16])
    if base is not None:
        from devstate.memory.raw import open_raw

        return Input("raw", source, open_raw(data, size, base, source=source, byteorder=byteorder))
    if head.startswith(b"\x7fELF"):
        return _open_core(data, size, source, partial)
    if head.startswith(FDT_MAGIC):
        return Input("fdt", source, blobs=(("fdt", data[: min(size, MAX_FDT)]),))
    foreign = next((text for magic, text in _FOREIGN.items() if head.startswith(magic)), None)
    raise ImageError(
        "not an input that devstate knows", source=source, offset=0, expected="an ELF core, an FDT, or either in zstd",
        found=head[:8].hex(" "), advice=f"this is {foreign}" if foreign else "for a raw memory image give its physical address with --base",
    )  # fmt: skip


def _open_core(data: Data, size: int, name: str, partial: bool) -> Input:
    from devstate.memory.elf import open_elf

    core = open_elf(data, size, source=name, partial=partial)
    problems: tuple[Finding, ...] = ()
    if core.cut:
        from devstate.finding import Finding, Location, Severity

        problems = tuple(Finding("input-truncated", Severity.WARNING, text, Location(source=name)) for text in core.cut)
    return Input("elf", name, core.memory, handover=core.handover, notes=core.notes, problems=problems, machine=core.machine)


def _open_directory(path: str) -> Input:
    from devstate.memory.debugfs import open_debugfs

    dumps, problems = open_debugfs(path)
    blobs = []
    for dump in dumps:
        if dump.fdt is not None:
            blobs.append((f"{dump.side}/fdt", dump.fdt))
        blobs.extend((f"{dump.side}/sub_fdts/{name}", blob) for name, blob in dump.sub_fdts)
    return Input("debugfs", path, blobs=tuple(blobs), dumps=dumps, problems=problems)
