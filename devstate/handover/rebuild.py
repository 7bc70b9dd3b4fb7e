# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""rebuild: from a handover that was opened to the spec that it would be built from, every place pinned, and to its memory again.

Every page of metadata comes out as it was, byte for byte, but for what a reader has no name for:

- pages of the memory map that lead to no bit, and the links to them: the kernel leaves them behind when it unpreserves
- what stands behind a handle of a format that cannot be built (``FileSpec.handler``), and the memory behind handles of FLBs
- bytes behind the end of a blob, record, area or list in its last page, which the kernel does not clear; they are zeros here

Contents (folios, regions, memory of the subtree ``devstate``) are copied where they were captured.
"""

from __future__ import annotations

from devstate.codec.convert import values_of
from devstate.errors import EncodeError
from devstate.handover.build import LUO, MEMBLOCK, METADATA, Built, build
from devstate.handover.content import folio_form, folio_records
from devstate.handover.map_places import map_places
from devstate.handover.reach import content_edges, present, state_edges
from devstate.handover.spec import FileSpec, FlbSpec, FolioColumns, Forms, RegionSpec, SessionSpec, Spec, SubtreeSpec
from devstate.layout.model import StructType
from devstate.memory.arena import Arena
from devstate.memory.physmem import ADDRESS_END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.codec.record import Record
    from devstate.handover.model import Handover, PreservedFile, Session, Subtree

SPARE = 1 << 20
"""Bytes of the range that the new arena gives out by itself: everything is pinned, so it stays empty."""


def rebuild(handover: Handover) -> Built:
    """The handover in memory of its own, at the addresses where it was. Errors as :func:`spec_of` and :func:`build`."""
    spec, memory = spec_of(handover), handover.memory
    assert memory is not None  # spec_of() asked
    size = -(-SPARE // spec.page_size) * spec.page_size
    arena = Arena(ADDRESS_END - 2 * size, size, page_size=spec.page_size, byteorder=spec.byte_order)
    state = present(memory, state_edges(handover))
    for region in state:
        arena.alloc(region.size, at=region.start)
    built = build(spec, arena, handover.registry)
    for region in state:
        arena.write(region.start, memory.read(region.start, region.size))
    for region in present(memory, content_edges(handover)):
        arena.back(region.start, memory.read(region.start, region.size))
    return built


def spec_of(handover: Handover) -> Spec:
    """The spec of a handover that was read without a problem. EncodeError for one that is damaged or not whole."""
    if handover.problems:
        problem = handover.problems[0]
        raise EncodeError(f"a damaged handover cannot be built again: {problem.message}", source=handover.source, pa=problem.pa)
    if handover.memory is None or handover.layout is None or handover.fdt_pa is None:
        raise EncodeError("only a handover in memory can be built again", source=handover.source)
    places = map_places(handover)
    luo, metadata = handover.luo, handover.metadata
    formats = dict.fromkeys(file.format for file in handover.files if _is_built(file))
    if len(formats) > 1:
        raise EncodeError("files of several formats cannot be built together", source=handover.source, found=", ".join(map(str, formats)))
    forms = Forms(
        handover.layout.name,
        luo.format if luo is not None else None,
        next(iter(formats), None),
        metadata.previous_release if metadata is not None else None,
    )
    lists = [file.pages for file in handover.files if file.pages is not None and file.pages.blocks]
    order, most = max((each.order for each in lists), default=0), handover.environment.page_size.bit_length() - 4
    if order > most:
        message = "blocks of a folio array that no kernel makes"
        raise EncodeError(message, source=handover.source, expected=f"at most order {most}", found=order)
    per_list = max([*(each.lengths[0] for each in lists if len(each.lengths) > 1), places.per_chunk or 0])
    own = [each for each in handover.subtrees if each.name not in (MEMBLOCK, LUO, METADATA)]
    return Spec(
        forms,
        handover.environment.page_size,
        handover.environment.byte_order,
        tuple(_session(handover, session) for session in luo.sessions) if luo is not None else (),
        tuple(FlbSpec(each.name, each.data, each.count) for each in luo.flbs) if luo is not None else (),
        tuple(RegionSpec(each.name, each.size) for each in handover.regions),
        (luo.liveupdate_num or 0) if luo is not None else 0,
        metadata.kexec_count if metadata is not None else 0,
        tuple(handover.scratch or ()),
        _per_block(handover),
        per_list or None,
        order,
        tuple(_client(handover, each) for each in own),
        tuple(each.name for each in handover.subtrees),
        preserved=places.blocks,
        pins=_pins(handover) | places.pins,
        hollow=True,
    )


def _is_built(file: PreservedFile) -> bool:
    """Whether the file's format is one that can be built: a memfd, in any form."""
    return file.body is not None and folio_form(file) is not None


def _client(handover: Handover, subtree: Subtree) -> SubtreeSpec:
    if subtree.blob is None or subtree.pa is None or handover.preserved is None:
        raise EncodeError("the blob is not in the capture", source=handover.source, pa=subtree.pa, path=subtree.path)
    order, blob = handover.preserved.order_at(subtree.pa), bytes(subtree.blob)
    whole = order is not None and len(blob) <= handover.environment.page_size << order  # else it lies in several blocks
    return SubtreeSpec(subtree.name, blob, order if whole else None)


def _session(handover: Handover, session: Session) -> SessionSpec:
    return SessionSpec(session.name, tuple(_file(handover, file) for file in session.files))


def _file(handover: Handover, file: PreservedFile) -> FileSpec:
    if not _is_built(file):
        return FileSpec(file.token, handler=file.compatible, data=file.data_pa)
    return FileSpec(
        file.token,
        size=file.size or 0,
        pos=file.pos or 0,
        seals=file.seals or 0,
        folios=_folios(handover, file),
        fields=other_fields(file.body) if file.body is not None else {},
    )


def other_fields(record: Record) -> dict[str, Any]:
    """The fields of a memfd's record that are neither in every form nor made anew: feature words of a posted one."""
    known = {"pos", "size", "seals", "flags", "nr_folios", "folios"}
    return {name: value for name, value in values_of(record).items() if name not in known}


def _folios(handover: Handover, file: PreservedFile) -> FolioColumns:
    import numpy as np

    from devstate.codec.columns import columns

    records = folio_records(handover, file)
    if records is None or file.layout is None or not isinstance(file.folio_layout, StructType) or handover.preserved is None:
        raise EncodeError("the folio array is not in the capture", source=handover.source, pa=file.data_pa, path=file.path)
    found = columns(file.layout, file.folio_layout.struct, records)
    pfn = found["pfn"].astype(np.uint64)
    orders = handover.preserved.orders_at(pfn * np.uint64(handover.environment.page_size))
    if (orders < 0).any():
        raise EncodeError("a folio is not preserved", source=handover.source, pa=file.data_pa, path=file.path)
    return FolioColumns(found["index"].astype(np.uint64), pfn, found["flags"].astype(np.uint64), orders)


def _per_block(handover: Handover) -> int | None:
    """Records in a block that is not the last of its chain; None when no chain has two."""
    if handover.luo is None:
        return None
    sessions = handover.luo.sessions
    chains = [[each.pa for each in sessions], *([file.pa for file in each.files] for each in sessions)]
    most = 0
    for chain in chains:
        if len(chain) > 1:
            pages = [pa // handover.environment.page_size for pa in chain]
            first = next((at for at, page in enumerate(pages) if page != pages[0]), None)
            most = max(most, first or 0)
    return most or None


def _pins(handover: Handover) -> dict[str, int]:
    """The places of everything but the map."""
    assert handover.fdt_pa is not None  # spec_of() asked
    pins = {"kho": handover.fdt_pa}
    if handover.scratch_pa is not None:
        pins["scratch"] = handover.scratch_pa
    pins |= {f"subtree/{each.name}": each.pa for each in handover.subtrees if each.pa is not None}
    pins |= {each.path: each.start for each in handover.regions}
    luo = handover.luo
    if luo is None:
        return pins
    subtree = handover.subtree(LUO)
    if luo.record is not None and luo.pa is not None and subtree is not None and subtree.pa != luo.pa:
        pins["luo/ser"] = luo.pa
    blocks: dict[str, list[int]] = {}
    for claim in handover.claims.items:
        if claim.what == "block":
            blocks.setdefault(claim.path, []).append(claim.start)
    for path, starts in blocks.items():
        place = path if path in ("luo/session", "luo/flb") else f"{path}/files"
        pins |= {f"{place}/{number}": pa for number, pa in enumerate(starts)}
    for file in handover.files:
        if _is_built(file) and file.pages is not None:
            pins[file.path] = file.data_pa
            pins |= {f"{file.path}/list/{number}": pa for number, pa in enumerate(file.pages.lists)}
            pins |= {f"{file.path}/array/{number}": pa for number, pa in enumerate(file.pages.blocks)}
    return pins
