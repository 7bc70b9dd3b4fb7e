# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""capture: from memory, live or not, to one self-contained core that holds just what a handover leads to.

::

    Origin --open_memory--> what is reachable --copy--> metadata --open_memory--> content --save_elf--> core with our note
                                                          `--- read again, compared: before it is written, and after

Memory that is alive may change while it is copied. Metadata is copied first and everything else is decided from the copy, so that a
core is consistent in itself; contents follow, straight from memory to the file.
"""

from __future__ import annotations

import os
import stat

from devstate.errors import DecodeError, LimitError, NotInMemoryError, UsageError
from devstate.frozen import frozen, replace
from devstate.handover.missing import disagreements, missing_parts
from devstate.handover.open import open_memory
from devstate.handover.ownership import subtract
from devstate.handover.reach import content_edges, join, metadata_edges, present, preserved_edges, total
from devstate.handover.root import choose_root
from devstate.handover.scratch import ENTRY, SCRATCH_MAX
from devstate.memory.notes import HandoverNote
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.memory.save import EM_X86_64, save_elf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import IO

    from devstate.handover.model import Handover
    from devstate.layout.registry import Registry
    from devstate.memory.debugfs import DebugfsDump
    from devstate.memory.open import Input

METADATA_MAX = 1 << 34
"""Bytes of metadata, which must be held in memory: 16 GiB. Folio arrays and page lists take 1/255 of the files that they describe."""

ATTEMPTS = 3
"""Copies that are made of metadata that changes: preserving a file takes the kernel less time than copying."""

MISSING_MAX = 4000
"""Characters of the note's MISSING line."""


@frozen
class Origin:
    """What a capture is made from: the memory, the root FDT in it and what else is known.

    ``scratch`` is (address, bytes) of the array. ``side`` is ``out`` or ``in`` of a running kernel, None for an input, and ``dump``
    what its debugfs shows. ``missing`` says what was not found on the way here; ``extra`` goes into the note.
    """

    memory: PhysMemory
    fdt_pa: int
    registry: Registry
    page_size: int | None = None
    scratch: tuple[int, int] | None = None
    side: str | None = None
    release: str | None = None
    machine: int = EM_X86_64
    dump: DebugfsDump | None = None
    missing: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    def open(self, memory: PhysMemory | None = None) -> Handover:
        """The handover, in this memory or in a copy of it."""
        return open_memory(memory or self.memory, fdt=self.fdt_pa, page_size=self.page_size, registry=self.registry, scratch=self.scratch)


def origin_of(source: Input, registry: Registry, *, fdt: int | None = None, page_size: int | None = None) -> Origin:
    """An opened input as what a capture is made from. UsageError when it has no memory, or no root that can be told."""
    memory = source.memory
    if memory is None:
        raise UsageError(f"{source.source}: has no memory behind its pointers; a capture is made from a core or a raw image")
    note = source.handover or HandoverNote()
    if fdt is None:
        fdt = note.fdt_pa if note.fdt_pa is not None else choose_root(memory)
    scratch = (note.scratch_pa, note.scratch_len) if note.scratch_pa is not None and note.scratch_len is not None else None
    return Origin(
        memory, fdt, registry, page_size=page_size or memory.page_size, scratch=scratch, machine=machine_of(source),
        release=note.release or memory.vmcoreinfo.get("OSRELEASE"), missing=(note.missing,) if note.missing else (), extra=note.extra,
    )  # fmt: skip


def machine_of(source: Input) -> int:
    """e_machine for a core of this memory: that of the input, x86-64 where it does not say."""
    return EM_X86_64 if source.machine is None else source.machine


@frozen
class Wanted:
    """What goes into a core beside metadata: ``content`` of files and regions, all else that is ``preserved``. ``compress``: as zstd."""

    content: bool = True
    preserved: bool = False
    compress: bool = False


@frozen
class Taken:
    """A copy of the metadata: the ``handover`` opened in it, its ``memory``, the ``edges`` that were wanted, and how many pages were seen
    to change while they were copied."""

    handover: Handover
    memory: PhysMemory
    edges: array[int]
    changed: int


@frozen
class Capture:
    """What was written: bytes of ``metadata`` and ``content``, ``regions`` of memory, what is ``missing``, and ``remarks``: what is
    worth knowing and no loss."""

    handover: Handover
    note: HandoverNote
    metadata: int
    content: int
    regions: int
    missing: tuple[str, ...]
    remarks: tuple[str, ...]


def take(origin: Origin) -> Taken:
    """Copy the metadata, until two readings agree, at most ATTEMPTS times.

    LimitError above METADATA_MAX; UsageError when the root FDT is not in the memory.
    """
    for _ in range(ATTEMPTS):
        live = origin.open()
        edges = _metadata(origin, live)
        if total(edges) > METADATA_MAX:
            raise LimitError(
                "more metadata than is held in memory", source=origin.memory.source, pa=origin.fdt_pa,
                expected=f"at most {METADATA_MAX:#x} bytes", found=f"{total(edges):#x}",
            )  # fmt: skip
        memory = _copy(origin.memory, edges)
        handover = origin.open(memory)
        changed = changed_pages(memory, origin)
        if not changed and _damage(live) == _damage(handover):
            return Taken(handover, memory, edges, 0)
    return Taken(handover, memory, edges, changed or 1)


def _metadata(origin: Origin, handover: Handover) -> array[int]:
    scratch = _scratch(origin, handover)
    return metadata_edges(handover, None if scratch is None else (scratch[0], min(scratch[1], SCRATCH_MAX * ENTRY)))


def _damage(handover: Handover) -> list[tuple[str, int | None]]:
    """Where it is damaged: a link that was set after the first walk leads out of the copy."""
    return [(problem.code, problem.pa) for problem in handover.problems]


def _scratch(origin: Origin, handover: Handover) -> tuple[int, int] | None:
    """(address, bytes) of the scratch array, as it was given or found; None when it could not be read."""
    if handover.scratch is None or handover.scratch_pa is None:
        return None
    return origin.scratch or (handover.scratch_pa, len(handover.scratch) * ENTRY)


def _copy(memory: PhysMemory, edges: array[int]) -> PhysMemory:
    """The present parts of the ranges as memory of their own. Mapped files do not change, and are not copied. What cannot be read is
    absent."""
    regions = []
    for region in present(memory, edges):
        try:
            regions.append(MemoryRegion(region.start, region.size, region.data[0 : region.size]))
        except NotInMemoryError:
            continue
    return PhysMemory(regions, source=memory.source, byteorder=memory.byteorder, page_size=memory.page_size, vmcoreinfo=memory.vmcoreinfo)


def changed_pages(copy: PhysMemory, origin: Origin) -> int:
    """How many pages of a copy are not what is in the memory now."""
    page = origin.page_size or 4096
    count = 0
    for region in copy.regions:
        try:
            now = origin.memory.read(region.start, region.size)
        except DecodeError:
            count += -(-region.size // page)
            continue
        data = region.data[0 : region.size]
        if now != data:
            count += sum(now[at : at + page] != data[at : at + page] for at in range(0, region.size, page))
    return count


def save(origin: Origin, file: IO[bytes], wanted: Wanted) -> Capture:
    """Write the core to ``file``.

    When the metadata changes while contents are copied and ``file`` can be written again, it is, at most ATTEMPTS times. Errors as take();
    OSError from writing, DecodeError when memory cannot be read that was there before.
    """
    for _ in range(ATTEMPTS):
        taken = take(origin)
        made = _save(origin, taken, file, wanted)
        changed = changed_pages(taken.memory, origin)
        if not changed:
            return made
        shaky = (f"metadata changed ({changed} pages) while contents were copied: they may not belong together",)
        if not _is_rewritable(file):
            return replace(made, missing=made.missing + shaky)
        file.seek(0)
        file.truncate()
    return _save(origin, take(origin), file, wanted, shaky)


def _is_rewritable(file: IO[bytes]) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # no descriptor: memory
        return file.seekable()


def _save(origin: Origin, taken: Taken, file: IO[bytes], wanted: Wanted, shaky: tuple[str, ...] = ()) -> Capture:
    handover, memory = taken.handover, taken.memory
    kept = preserved_edges(handover)
    reached = content_edges(handover) if wanted.content else kept[:0]
    edges = subtract(join([reached, kept]) if wanted.preserved else reached, taken.edges)
    carried = present(origin.memory, edges)
    size = sum(region.size for region in carried)
    missing = (*origin.missing, *missing_parts(handover, origin.side), *_absent("metadata", total(taken.edges) - memory.size))
    missing += (*_absent("contents", total(edges) - size), *shaky)
    if taken.changed:
        missing += (f"metadata kept changing while it was copied ({taken.changed} pages of the last copy): it may not be consistent",)
    if not wanted.content:
        missing += ("contents of files and regions: left out as asked",)
    remarks = tuple(disagreements(handover, origin.dump)) if origin.dump is not None else ()
    unreached = total(subtract(kept, join([taken.edges, reached])))
    if unreached and wanted.content and not wanted.preserved:
        remarks += (f"{unreached} preserved bytes are reached by nothing that devstate knows, and left out",)
    note = make_note(origin, handover, missing)
    regions = [*memory.regions, *carried]
    save_elf(file, regions, note, byteorder=memory.byteorder, machine=origin.machine, compress=wanted.compress)
    return Capture(handover, note, memory.size, size, len(regions), missing, remarks)


def _absent(what: str, size: int) -> tuple[str, ...]:
    return (f"{what}: {size} bytes are not in the memory that was captured",) if size else ()


def make_note(origin: Origin, handover: Handover, missing: tuple[str, ...]) -> HandoverNote:
    """Our note for this capture. The release is that of the kernel that wrote the handover: it stands in kexec-metadata."""
    release = handover.metadata.previous_release if handover.metadata is not None else origin.release
    scratch = _scratch(origin, handover) or (None, None)
    return HandoverNote(
        origin.fdt_pa, scratch[0], scratch[1], handover.environment.page_size, _line(release) or None, _line("; ".join(missing)) or None,
        origin.extra,
    )  # fmt: skip


def _line(text: str | None) -> str:
    """``text`` as one line of ASCII, not too long: names in a handover may hold anything."""
    line = (text or "").encode("unicode_escape").decode("ascii")
    return line if len(line) <= MISSING_MAX else f"{line[:MISSING_MAX]}..."
