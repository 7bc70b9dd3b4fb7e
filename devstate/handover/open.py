# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""open: from an input (or memory) to a Handover. Follows everything, once, and keeps going past damage.

Flow: root FDT -> memory map, subtrees -> kexec-metadata, memblock, LUO -> sessions -> files -> page lists. What could not be read is in
``problems``; exceptions are left for what leaves nothing to show (no root at all, several to choose from).
"""

from __future__ import annotations

from devstate.errors import DecodeError, UsageError
from devstate.handover.claims import Claims
from devstate.handover.follow import Follow
from devstate.handover.luo import open_luo
from devstate.handover.model import Handover, Problem
from devstate.handover.root import choose_root, open_cut_root, open_root
from devstate.handover.scratch import find_scratch, open_scratch
from devstate.handover.subtrees import open_memblock, open_metadata, open_subtree
from devstate.layout.model import PAGE_SIZES, Environment, NodeLayout
from devstate.layout.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from devstate.memory.debugfs import DebugfsDump
    from devstate.memory.open import Input
    from devstate.memory.physmem import PhysMemory


def open_handover(
    source: Input, *, fdt: int | None = None, page_size: int | None = None, registry: Registry | None = None, side: str | None = None
) -> Handover:
    """The handover in an opened input. ``fdt`` is the root's physical address when the user knows it; ``page_size`` that of the
    kernel that wrote it (else what the input says, else 4096); ``side`` ``out`` or ``in`` chooses in a debugfs directory.

    UsageError when there is no root or more than one; DecodeError when the root cannot be read at all.
    """
    registry = registry or Registry.shipped()
    if source.memory is not None:
        handover = open_memory(
            source.memory, fdt=_fdt_pa(source, fdt), page_size=page_size, registry=registry, scratch=_scratch_note(source)
        )
    elif source.kind == "debugfs":
        handover = _open_dump(_choose_dump(source, side), source.source, page_size, registry)
    else:
        handover = _new(source.source, None, page_size, registry, "little")
        follow = Follow(handover)
        open_root(follow, dict(source.blobs)["fdt"], None)
        _open_parts(follow, {})
    if source.handover is not None and source.handover.missing:
        handover.problems.append(Problem("capture-missing", f"the capture says that it lacks: {source.handover.missing}"))
    handover.problems[:0] = [
        Problem(each.rule, each.message, each.location.pa, each.location.path or each.location.source) for each in source.problems
    ]
    return handover


def open_memory(
    memory: PhysMemory,
    *,
    fdt: int | None = None,
    page_size: int | None = None,
    registry: Registry | None = None,
    scratch: tuple[int, int] | None = None,
) -> Handover:
    """The handover in physical memory. ``scratch`` is (address, bytes) of the scratch array when it is known.

    Errors as :func:`open_handover`.
    """
    fdt = choose_root(memory) if fdt is None else fdt
    handover = _new(memory.source, memory, page_size or memory.page_size, registry or Registry.shipped(), memory.byteorder)
    follow = Follow(handover)
    if not memory.contains(fdt, 40):
        raise UsageError(f"{memory.source}: the address {fdt:#x} of the root FDT is not in this memory")
    for _, blob in memory.read_present(fdt, follow.page_size):
        open_root(follow, blob, fdt)
        break
    follow.claim(fdt, follow.page_size, "/", "fdt")
    if scratch is not None:
        open_scratch(follow, *scratch)
    _open_parts(follow, {})
    find_scratch(follow)
    return handover


def _new(
    source: str, memory: PhysMemory | None, page_size: int | None, registry: Registry, byte_order: Literal["little", "big"]
) -> Handover:
    if page_size is not None and page_size not in PAGE_SIZES:
        raise UsageError(f"the page size is one of {', '.join(map(str, PAGE_SIZES))}, not {page_size}")
    return Handover(source, memory, Environment(page_size or PAGE_SIZES[0], byte_order), registry, Claims())


def _fdt_pa(source: Input, given: int | None) -> int | None:
    if given is not None:
        return given
    return source.handover.fdt_pa if source.handover is not None else None


def _scratch_note(source: Input) -> tuple[int, int] | None:
    note = source.handover
    if note is None or note.scratch_pa is None or note.scratch_len is None:
        return None
    return note.scratch_pa, note.scratch_len


def _open_parts(follow: Follow, blobs: dict[str, memoryview]) -> None:
    """Everything behind the root: the memory map, then the subtrees."""
    handover = follow.handover
    root = handover.layout.root if handover.layout is not None else None
    if isinstance(root, NodeLayout) and handover.memory_map_pa and root.properties[0].target is not None and handover.memory is not None:
        from devstate.handover.preserved import read_memory_map

        handover.preserved = read_memory_map(follow, root.properties[0].target, handover.memory_map_pa)
    for subtree in handover.subtrees:
        open_subtree(follow, subtree, blobs.get(subtree.name))
        found_by = subtree.layout.found_by if subtree.layout is not None else None
        if found_by == "KHO subtree kexec-metadata":
            handover.metadata = open_metadata(follow, subtree)
        elif found_by == "KHO subtree memblock":
            handover.regions = open_memblock(follow, subtree)
        elif found_by == "KHO subtree LUO":
            handover.luo = open_luo(follow, subtree)
        elif found_by == "KHO subtree devstate":
            from devstate.handover.state import open_state

            handover.state = open_state(follow, subtree)


def _choose_dump(source: Input, side: str | None) -> DebugfsDump:
    dumps = [dump for dump in source.dumps if dump.fdt is not None and side in (None, dump.side)]
    if len(dumps) == 1:
        return dumps[0]
    if not dumps:
        raise UsageError(f"{source.source}: no fdt file in this directory; expected the files of /sys/kernel/debug/kho")
    raise UsageError(f"{source.source}: holds the outgoing and the incoming handover; name one: {source.source}/out or {source.source}/in")


def _open_dump(dump: DebugfsDump, name: str, page_size: int | None, registry: Registry) -> Handover:
    assert dump.fdt is not None  # _choose_dump() took one that has it
    handover = _new(name, None, page_size, registry, "little")
    handover.faithful = False
    follow = Follow(handover)
    try:
        open_root(follow, dump.fdt, None)
    except DecodeError as error:
        raise error.at(source=name) from error
    blobs = dict(dump.sub_fdts)
    open_cut_root(follow, blobs)
    handover.scratch = list(dump.scratch) or None
    _open_parts(follow, blobs)
    return handover
