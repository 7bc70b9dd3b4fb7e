# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory for a handover that is built anew beside what it carries: which preserved blocks stay as they are, and where there is room."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from devstate.frozen import frozen
from devstate.handover.content import folio_form
from devstate.handover.folios import merge
from devstate.handover.map_places import map_places
from devstate.handover.reach import content_edges, join, metadata_edges, preserved_edges, total, whole_pages
from devstate.pagetable.radix import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover

LEAST = 16 << 20
"""Bytes of room at least: metadata of a few thousand files in any form."""

TIMES = 16
"""How many times the metadata that is there a new form may take: a session of one file has two whole pages in luo-v4, a slot in luo-v5."""


@frozen
class Kept:
    """Preserved blocks that nothing is built in, as runs and as edges; ``regions`` are the edges of reserve_mem regions."""

    runs: tuple[Run, ...]
    edges: array[int]
    regions: array[int]


def kept_blocks(handover: Handover, moved: frozenset[str], *, luo: bool) -> Kept:
    """What is preserved beside all that the spec has: memory behind handles of formats that are not built, and what nobody is known to own.
    The records of the files in ``moved`` are left out; without ``luo`` those of all files are.
    """
    page = handover.environment.page_size
    strange = {file.path for file in handover.files if file.body is None or folio_form(file) is None} - moved
    items = [each for each in handover.claims.items if each.what != "state"]  # the subtree devstate is carried as it is, with its memory
    claims = [(each.start, each.size) for each in items if each.path not in strange or not luo]
    regions = whole_pages([(each.start, each.size) for each in handover.claims.items if each.what == "region"], page)
    built = join([whole_pages(claims, page), _built_metadata(handover, strange if luo else set()), content_edges(handover)])
    runs = [part for run in map_places(handover).blocks for part in _outside(run, page, built)]
    edges = merge([(run.pa, run.pa + (run.blocks * page << run.order)) for run in runs])
    return Kept(tuple(runs), edges, regions)


def _built_metadata(handover: Handover, strange: set[str]) -> array[int]:
    """Folio arrays, which are no claims."""
    page = handover.environment.page_size
    spans = []
    for file in handover.files:
        if file.pages is not None and file.path not in strange:
            spans += [(pa, file.pages.block_size) for pa in file.pages.blocks]
    return whole_pages(spans, page)


def _outside(run: Run, page: int, edges: array[int]) -> list[Run]:
    """The blocks of the run that touch none of the ranges."""
    size = page << run.order
    end = run.pa + run.blocks * size
    found: list[Run] = []
    at = run.pa
    index = bisect_right(edges, at)
    index -= index % 2  # the range that holds the address, or the next one
    while at < end:
        start = edges[index] if index < len(edges) else end
        clear = max(0, min(end, start) - at) // size
        if clear:
            found.append(Run(at, clear, run.order))
        if index >= len(edges) or start >= end:
            break
        at += max(0, edges[index + 1] - at + size - 1) // size * size
        index += 2
    return found


def window(handover: Handover) -> tuple[int, int]:
    """(address, bytes) of room for new metadata: the first gap that is large enough between what is preserved, or behind all of it."""
    page = handover.environment.page_size
    need = max(LEAST, TIMES * total(metadata_edges(handover)))
    step = max(page, 1 << 20)
    need = -(-need // step) * step
    scratch = whole_pages([(start, size) for start, size in handover.scratch or ()], page)
    taken = join([preserved_edges(handover), metadata_edges(handover), content_edges(handover), scratch])
    for end, start in zip(taken[1::2], [*taken[2::2], 1 << 64], strict=True):
        base = -(-end // step) * step
        if base + need <= start:
            return base, need
    return step, need
