# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who owns the preserved memory: all claims together, what two of them share, and what nobody claims.

Claims of metadata come one by one from the walk, those of file contents as merged ranges from the folio audits. Ranges are
[start, end) in bytes, in arrays of edges (start and end in turn).
"""

from __future__ import annotations

from array import array

from devstate.frozen import frozen
from devstate.handover.folios import audit_file, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.folios import FolioAudit
    from devstate.handover.model import Handover

SHARED_MAX = 1000
"""Shared ranges that are listed: whoever has read a thousand knows."""


@frozen
class Shared:
    """Memory that two owners claim."""

    start: int
    end: int
    first: str
    second: str


@frozen
class Ownership:
    """``audits`` by file path; ``shared`` the first SHARED_MAX ranges that are claimed twice; ``unowned`` the edges of the
    preserved ranges that nobody claims.
    """

    audits: dict[str, FolioAudit]
    shared: tuple[Shared, ...]
    unowned: array[int]

    @property
    def unowned_bytes(self) -> int:
        """Bytes that are preserved and claimed by nobody."""
        return sum(self.unowned[1::2]) - sum(self.unowned[0::2])


def find_owners(handover: Handover) -> Ownership:
    """Audit every file and put all claims together."""
    audits: dict[str, FolioAudit] = {}
    ranges: list[tuple[int, int, str]] = [(each.start, each.start + each.size, each.path) for each in handover.claims.items]
    for file in handover.files:
        audit = audit_file(handover, file)
        if audit is not None:
            audits[file.path] = audit
            ranges += [(start, end, file.path) for start, end in _pairs(audit.extents)]
        if file.pages is not None:
            size = file.pages.block_size
            ranges += [(pa, pa + size, f"{file.path} (folio array)") for pa in file.pages.blocks]
    ranges.sort()
    page = handover.environment.page_size
    whole = merge([(start - start % page, -(-end // page) * page) for start, end, _ in ranges])
    preserved = array("Q", handover.preserved.map.edges) if handover.preserved is not None else array("Q")
    return Ownership(audits, tuple(_shared(ranges)), subtract(preserved, whole))


def _pairs(edges: array[int]) -> Iterator[tuple[int, int]]:
    each = iter(edges)
    return zip(each, each, strict=True)


def _shared(ranges: list[tuple[int, int, str]]) -> Iterator[Shared]:
    """Overlaps of sorted ranges, each with the range before that reaches furthest."""
    end, owner, found = 0, "", 0
    for start, stop, path in ranges:
        if start < end and stop > start:
            yield Shared(start, min(end, stop), owner, path)
            found += 1
            if found == SHARED_MAX:
                return
        if stop > end:
            end, owner = stop, path


def subtract(edges: array[int], other: array[int]) -> array[int]:
    """The parts of the sorted disjoint ranges ``edges`` that are in none of the sorted disjoint ranges ``other``."""
    out = array("Q")
    position = 0
    for start, end in _pairs(edges):
        at = start
        while position < len(other) and other[position + 1] <= at:
            position += 2
        cursor = position
        while cursor < len(other) and other[cursor] < end:
            if other[cursor] > at:
                out.extend((at, other[cursor]))
            at = max(at, other[cursor + 1])
            cursor += 2
        if at < end:
            out.extend((at, end))
    return out
