# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who owns the preserved memory: all claims together, what two of them share, and what nobody claims.

Claims of metadata come one by one from the walk, those of file contents as merged ranges from the folio audits. Ranges are
[start, end) in bytes, in arrays of edges (start and end in turn). Few ranges are put together in plain Python, many by columns: both
forms give the same.
"""

from __future__ import annotations

from array import array

from devstate.frozen import frozen
from devstate.handover.folios import ADDRESS_END, FEW, audit_files, merge, merge_columns

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


class Spans:
    """Ranges with their owners, in columns: ``owners`` are numbers in ``names``."""

    __slots__ = ("ends", "names", "owners", "starts")

    def __init__(self) -> None:
        self.starts = array("Q")
        self.ends = array("Q")
        self.owners = array("Q")
        self.names: list[str] = []

    def add(self, name: str, starts: array[int], ends: array[int]) -> None:
        """Take in the ranges of one owner."""
        self.starts.extend(starts)
        self.ends.extend(ends)
        self.owners.extend(array("Q", [len(self.names)]) * len(starts))
        self.names.append(name)

    def pages(self, page: int) -> array[int]:
        """The whole pages that the ranges touch, as merged edges."""
        if len(self.starts) <= FEW:
            pairs = [(start, end) for start, end in zip(self.starts, self.ends, strict=True) if start < end]
            return merge([(start - start % page, -(-end // page) * page) for start, end in pairs])
        import numpy as np

        size = np.uint64(page)
        starts, ends = np.frombuffer(self.starts, np.uint64), np.frombuffer(self.ends, np.uint64)
        ends = np.where(ends > starts, np.minimum(ends, np.uint64(ADDRESS_END - 2 * page)), np.uint64(0))
        return merge_columns(starts - starts % size, ends + (size - ends % size) % size)

    def shared(self) -> Iterator[Shared]:
        """Overlaps of the ranges, each with the range before that reaches furthest; the first SHARED_MAX, ascending."""
        if len(self.starts) <= FEW:
            yield from self._shared_few()
            return
        import numpy as np

        starts, ends, owners = (np.frombuffer(each, np.uint64) for each in (self.starts, self.ends, self.owners))
        sort = np.lexsort((owners, ends, starts))
        starts, ends, owners = starts[sort], ends[sort], owners[sort]
        reach = np.maximum.accumulate(ends)
        furthest = np.maximum.accumulate(np.where(np.append(True, ends[1:] > reach[:-1]), np.arange(len(ends)), 0))
        again = np.flatnonzero((starts[1:] < reach[:-1]) & (ends[1:] > starts[1:]))[:SHARED_MAX] + 1
        for at in again.tolist():
            first, second = (self.names[int(owners[each])] for each in (furthest[at - 1], at))
            yield Shared(int(starts[at]), int(min(reach[at - 1], ends[at])), first, second)

    def _shared_few(self) -> Iterator[Shared]:
        end, owner, found = 0, 0, 0
        for start, stop, number in sorted(zip(self.starts, self.ends, self.owners, strict=True)):
            if start < end and stop > start:
                yield Shared(start, min(end, stop), self.names[owner], self.names[number])
                found += 1
                if found == SHARED_MAX:
                    return
            if stop > end:
                end, owner = stop, number


def find_owners(handover: Handover) -> Ownership:
    """Audit every file and put all claims together."""
    spans = Spans()
    for claim in handover.claims.items:
        if claim.start < ADDRESS_END:
            spans.add(claim.path, array("Q", [claim.start]), array("Q", [min(claim.start + claim.size, ADDRESS_END)]))
    audits: dict[str, FolioAudit] = {}
    for file, audit in audit_files(handover):
        audits[file.path] = audit
        spans.add(file.path, audit.extents[0::2], audit.extents[1::2])
    for file in handover.files:
        if file.pages is not None:
            size = file.pages.block_size
            ends = array("Q", [min(pa + size, ADDRESS_END) for pa in file.pages.blocks])
            spans.add(f"{file.path} (folio array)", file.pages.blocks, ends)
    preserved = array("Q", handover.preserved.map.edges) if handover.preserved is not None else array("Q")
    unowned = subtract(preserved, spans.pages(handover.environment.page_size))
    if handover.state is not None and unowned:
        from devstate.handover.guests import kept_elsewhere

        unowned = subtract(unowned, kept_elsewhere(handover))
    return Ownership(audits, tuple(spans.shared()), unowned)


def subtract(edges: array[int], other: array[int]) -> array[int]:
    """The parts of the sorted disjoint ranges ``edges`` that are in none of the sorted disjoint ranges ``other``."""
    return subtract_few(edges, other) if len(edges) + len(other) <= FEW else subtract_many(edges, other)


def subtract_few(edges: array[int], other: array[int]) -> array[int]:
    """The same, range by range."""
    out = array("Q")
    position = 0
    for start, end in zip(edges[0::2], edges[1::2], strict=True):
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


def subtract_many(edges: array[int], other: array[int]) -> array[int]:
    """The same by columns: at each edge of either, who covers what follows."""
    import numpy as np

    out = array("Q")
    if edges == other:  # all that is preserved is owned, as it should be
        return out
    points = np.concatenate((np.frombuffer(edges, np.uint64), np.frombuffer(other, np.uint64)))
    sort = np.argsort(points, kind="stable")  # two sorted runs: one merge
    points = points[sort]
    first = sort < len(edges)
    inside = (np.cumsum(first) % 2 == 1) & (np.cumsum(~first) % 2 == 0)
    last = np.append(points[1:] != points[:-1], True)[: len(points)]
    points, inside = points[last], inside[last]
    out.frombytes(points[np.flatnonzero(np.diff(inside, prepend=False))].tobytes())
    return out
