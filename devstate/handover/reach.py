# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The memory that a handover leads to: metadata (what is walked) and content (what is only carried), as ranges of whole pages.

Ranges are [start, end) in bytes, in arrays of edges (start and end in turn), sorted, disjoint and not touching.

========  ===================================================================================================================
metadata  the root FDT, the scratch array, the pages of the memory map, blobs, blocks, records, page lists, folio arrays, and the one
          page behind a handle of a format that is not known
content   the folios of files, and reserve_mem regions
========  ===================================================================================================================
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from devstate.handover.folios import audit_files, merge
from devstate.memory.physmem import MemoryRegion
from devstate.pagetable.folios import RECORD_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.handover.model import Handover, PreservedFile
    from devstate.memory.physmem import PhysMemory

TOP = (1 << 64) - (1 << 16)
"""Addresses above this count as just below it: the end of the address space, where no machine has memory and u64 has no end for a range."""

FEW = 4096
"""Edges up to which a Python loop beats the import of numpy."""


def metadata_edges(handover: Handover, scratch: tuple[int, int] | None = None) -> array[int]:
    """What must be read to walk the handover, whether it is in the memory or not. ``scratch`` is (address, bytes) of the array."""
    page = handover.environment.page_size
    spans = [(each.start, each.size) for each in handover.claims.items if each.what != "region"]
    if scratch is not None:
        spans.append(scratch)
    if handover.preserved is not None:
        spans += [(pa, page) for pa in handover.preserved.map.node_pages]
    for file in handover.files:
        spans += _folio_array(file)
    spans += [(handle, 1) for handle in _opaque(handover)]
    return whole_pages(spans, page)


def _folio_array(file: PreservedFile) -> Iterator[tuple[int, int]]:
    """The blocks that hold the array, each no longer than what is left of it: a wrong order claims no more than the records take."""
    if file.pages is None:
        return
    left = (file.nr_folios or 0) * RECORD_SIZE
    for pa in file.pages.blocks:
        yield pa, max(min(left, file.pages.block_size), 1)
        left -= file.pages.block_size


def _opaque(handover: Handover) -> Iterator[int]:
    """Handles that no known format follows, where they are addresses of preserved memory."""
    handles = [file.data_pa for file in handover.files if file.body is None]
    handles += [flb.data for flb in handover.luo.flbs] if handover.luo is not None else []
    return (pa for pa in handles if handover.preserved is not None and handover.preserved.covers(pa))


def content_edges(handover: Handover) -> array[int]:
    """What files and regions hold."""
    page = handover.environment.page_size
    parts = [whole_pages([(each.start, each.size) for each in handover.claims.items if each.what == "region"], page)]
    parts += [audit.extents for _, audit in audit_files(handover)]
    return join(parts)


def state_edges(handover: Handover) -> array[int]:
    """Memory of parts of the subtree ``devstate``, where it is nobody else's content."""
    contents = content_edges(handover)
    spans = [(each.start, each.size) for each in handover.claims.items if each.what == "state"]
    ranges = [pages for pages in (whole_pages([span], handover.environment.page_size) for span in spans) if not _meets(pages, contents)]
    return join(ranges)


def _meets(pages: array[int], edges: array[int]) -> bool:
    """Whether one range overlaps any of others."""
    index = bisect_right(edges, pages[0])
    return index % 2 == 1 or (index < len(edges) and edges[index] < pages[1])


def preserved_edges(handover: Handover) -> array[int]:
    """All that is preserved."""
    return array("Q", handover.preserved.map.edges if handover.preserved is not None else ())


def whole_pages(spans: Iterable[tuple[int, int]], page: int) -> array[int]:
    """The pages of ``page`` bytes in which the (address, bytes) are."""
    return merge([(min(pa - pa % page, TOP - page), min(-(-(pa + size) // page) * page, TOP)) for pa, size in spans])


def join(parts: list[array[int]]) -> array[int]:
    """All ranges of sorted arrays of edges, merged."""
    edges = array("Q")
    for part in parts:
        edges.extend(part)
    if len(edges) <= FEW:
        return merge(list(zip(edges[0::2], edges[1::2], strict=True)))
    import numpy as np

    pairs = np.frombuffer(edges, np.uint64).reshape(-1, 2)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    ends = np.maximum.accumulate(pairs[:, 1])
    first = np.flatnonzero(np.append(True, pairs[1:, 0] > ends[:-1]))
    last = np.append(first[1:], len(pairs)) - 1
    joined = array("Q")
    joined.frombytes(np.column_stack((pairs[first, 0], ends[last])).tobytes())
    return joined


def total(edges: array[int]) -> int:
    """Bytes in the ranges."""
    return sum(edges[1::2]) - sum(edges[0::2])


def present(memory: PhysMemory, edges: array[int]) -> list[MemoryRegion]:
    """The parts of the ranges that are in ``memory``, as regions of its own bytes. Nothing is read."""
    found: list[MemoryRegion] = []
    regions = memory.regions
    index = 0
    for start, end in zip(edges[0::2], edges[1::2], strict=True):
        while index < len(regions) and regions[index].end <= start:
            index += 1
        at = index
        while at < len(regions) and regions[at].start < end:
            found.append(part(regions[at], max(start, regions[at].start), min(end, regions[at].end)))
            at += 1
    return found


def part(region: MemoryRegion, start: int, end: int) -> MemoryRegion:
    """The bytes of ``region`` from ``start`` up to ``end``."""
    first, last = start - region.start, end - region.start
    data = region.data[first:last] if isinstance(region.data, memoryview) else region.data.span(first, last - first)
    return MemoryRegion(start, end - start, data)
