# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The audit of many folio records, by columns: STEP records at a time, so that what it takes beside the records stays small.

The same as ``audit_few`` in ``folios``, to which it is held equal. What needs all records at once (indices or pages that stand twice) is
worked out only where a cheap pass says that there is something: in a sound array indices ascend and no extents overlap.
"""

from __future__ import annotations

import numpy as np

from devstate.handover.content import PFN_BITS
from devstate.handover.folios import FolioAudit, listed, merge_columns, whole
from devstate.pagetable.preserved import PA_BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array

    from numpy.typing import NDArray

    from devstate.handover.content import FolioForm
    from devstate.handover.preserved import PreservedPages

    U64s = NDArray[np.uint64]
    Bools = NDArray[np.bool_]

STEP = 1 << 17
"""Records in one step: their columns are a megabyte each, and stay in the cache."""


class ColumnAudit:
    """One audit in the making: faults are counted, extents and spans gathered as merged runs of each step."""

    def __init__(
        self, records: bytearray, preserved: PreservedPages | None, pages: int, page_size: int, byte_order: str, form: FolioForm
    ) -> None:
        self.words = np.frombuffer(records, "<u8" if byte_order == "little" else ">u8").reshape(-1, 2)
        self.preserved = preserved
        self.pages = pages
        self.page_size = page_size
        self.form = form
        self.faults: dict[str, tuple[int, int]] = {}
        self.extents: list[tuple[U64s, U64s]] = []
        self.spans: list[tuple[U64s, U64s]] = []
        self.claimed = 0
        self.highest = (-1, 0)
        """The highest index so far, and the end of its folio."""

    def run(self) -> FolioAudit:
        """Every record, then what can only be told of all together."""
        again = None if self._ascends() else repeated(self.index_of_used())
        seen = 0
        for at in range(0, len(self.words), STEP):
            seen += self._step(at, again, seen)
        extents, spans = _merged(self.extents), _merged(self.spans)
        if sum(extents[1::2]) - sum(extents[0::2]) != self.claimed:
            pfn = self.pfn(slice(None))
            numbers = np.flatnonzero(pfn)
            self._count("duplicate-pfn", repeated(pfn[numbers]), numbers)
        present, missing = whole(spans, self.pages)
        return FolioAudit(len(self.words), listed(self.faults), extents, present, missing)

    def pfn(self, part: slice) -> U64s:
        """Page frame numbers of some records."""
        return self.words[part, 0].astype(np.uint64) >> np.uint64(self.form.pfn_shift) & np.uint64((1 << PFN_BITS) - 1)

    def index_of_used(self) -> U64s:
        """The indices of the records that have a page."""
        index: U64s = self.words[self.pfn(slice(None)) != 0, 1].astype(np.uint64)
        return index

    def _ascends(self) -> bool:
        """Whether the indices of the records that have a page ascend, each above the one before."""
        last = -1
        for at in range(0, len(self.words), STEP):
            part = slice(at, at + STEP)
            index = self.words[part, 1].astype(np.uint64)[self.pfn(part) != 0]
            if len(index) and (int(index[0]) <= last or not (index[1:] > index[:-1]).all()):
                return False
            last = int(index[-1]) if len(index) else last
        return True

    def _step(self, at: int, again: Bools | None, seen: int) -> int:
        """Audit the records from ``at`` on; ``seen`` of those with a page came before. Returns how many have one here."""
        part = slice(at, at + STEP)
        pfn, first, index = self.pfn(part), self.words[part, 0].astype(np.uint64), self.words[part, 1].astype(np.uint64)
        numbers = np.flatnonzero(pfn)
        if len(numbers) < len(pfn):
            self._count("pfn-zero", pfn == 0, np.arange(len(pfn)) + at)
            pfn, first, index = pfn[numbers], first[numbers], index[numbers]
        numbers = numbers + at
        flags = first >> np.uint64(self.form.flags_shift) & np.uint64(0xFFF)
        real = pfn < np.uint64((1 << PA_BITS) // self.page_size)
        pa = np.where(real, pfn, np.uint64(0)) * np.uint64(self.page_size)
        orders = np.zeros(len(pfn), np.int8) if self.preserved is None else np.where(real, self.preserved.orders_at(pa), np.int8(-1))
        size = np.uint64(1) << np.maximum(orders, 0).astype(np.uint64)
        twice = np.zeros(len(pfn), bool) if again is None else again[seen : seen + len(pfn)]
        below, within = self._places(index, size)
        self._count("not-preserved", orders < 0, numbers)
        self._count("flags-unknown", flags & np.uint64(0xFFF & ~self.form.known) != 0, numbers)
        self._count("not-uptodate", flags & np.uint64(self.form.uptodate) != np.uint64(self.form.uptodate), numbers)
        self._count("beyond-size", index >= np.uint64(self.pages), numbers)
        self._count("duplicate-index", twice, numbers)
        self._count("unsorted", below & ~twice, numbers)
        self._count("misaligned-index", index & (size - np.uint64(1)) != 0, numbers)
        self._count("inside-another", within & ~twice, numbers)
        self._gather(pa, size, real, index)
        return len(pfn)

    def _places(self, index: U64s, size: U64s) -> tuple[Bools, Bools]:
        """Whether each index is at or below a higher one before it, and whether it is in the later pages of the folio of the highest."""
        below, within = np.zeros(len(index), bool), np.zeros(len(index), bool)
        if not len(index):
            return below, within
        highest = np.maximum.accumulate(index)
        below[1:] = index[1:] <= highest[:-1]
        at = np.maximum.accumulate(np.where(below, 0, np.arange(len(index))))
        within[1:] = (index[1:] > highest[:-1]) & (index[1:] - highest[:-1] < size[at[:-1]])
        last, end = self.highest
        if last >= 0:  # those that are no higher than what earlier steps had
            under = highest <= np.uint64(last)
            below |= index <= np.uint64(last)
            following = np.flatnonzero(~under)[:1]
            within[under] = False
            within[following] = index[following].astype(object) < end
        if int(highest[-1]) > last:
            first = int(np.argmax(index == highest[-1]))
            self.highest = int(highest[-1]), int(highest[-1]) + int(size[first])
        return below, within

    def _gather(self, pa: U64s, size: U64s, real: Bools, index: U64s) -> None:
        """Take in the memory and the places in the file that the folios have, neighbours joined."""
        self.claimed += int(size[real].sum()) * self.page_size + (0 if real.all() else 1)
        self.extents.append(_joined(pa[real], pa[real] + size[real] * np.uint64(self.page_size)))
        inside = index < np.uint64(self.pages)
        self.spans.append(_joined(index[inside], np.minimum(index[inside] + size[inside], np.uint64(self.pages))))

    def _count(self, name: str, mask: Bools, numbers: NDArray[np.int64]) -> None:
        found = int(np.count_nonzero(mask))
        if found:
            count, first = self.faults.get(name, (0, int(numbers[int(mask.argmax())])))
            self.faults[name] = (count + found, first)


def _joined(starts: U64s, ends: U64s) -> tuple[U64s, U64s]:
    """Runs of ranges that continue each other, in the order in which they stand."""
    cut = np.append(True, starts[1:] != ends[:-1])[: len(starts)]
    return starts[cut], ends[np.append(cut[1:], True)[: len(ends)]]


def _merged(parts: list[tuple[U64s, U64s]]) -> array[int]:
    none = np.zeros(0, np.uint64)
    return merge_columns(*(np.concatenate([none, *(part[side] for part in parts)]) for side in (0, 1)))


def repeated(values: U64s) -> Bools:
    """Which values occurred before, in the order of the array."""
    ordered = np.sort(values)
    if (ordered[1:] != ordered[:-1]).all():
        return np.zeros(len(values), bool)
    again = np.ones(len(values), bool)
    again[np.unique(values, return_index=True)[1]] = False
    return again

