# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The folio array of one file, held against what the reading kernel does with it.

An audit walks the records in the order in which ``memfd_luo_retrieve_folios()`` (mm/memfd_luo.c) does: a pfn of 0 is skipped, any other
must be the head of a preserved block, whose order says how many pages the folio has; it is put into the page cache at its index.
Two forms give the same audit: plain Python for the few records of a small file (importing numpy would cost more than all of
the check), numpy for many.
"""

from __future__ import annotations

import struct
from array import array

from devstate.frozen import frozen
from devstate.handover.content import MEMFD, PFN_BITS, folio_form, folio_records
from devstate.pagetable.folios import RECORD_SIZE
from devstate.pagetable.preserved import PA_BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy
    import numpy.typing

    from devstate.handover.content import FolioForm
    from devstate.handover.model import Handover, PreservedFile
    from devstate.handover.preserved import PreservedPages

FEW = 4096
"""Records up to which the plain form is quicker than importing numpy."""

ADDRESS_END = (1 << 64) - 1
"""Ends of ranges are cut here, so that they fit into 64 bits: the last byte of the address space is nobody's memory."""

AUDITED_TIMES = 2
"""Folio arrays that belong to one file each are in the memory once; with twice as much, arrays that overlap are still told."""

FAULTS = (
    "pfn-zero",
    "not-preserved",
    "flags-unknown",
    "not-uptodate",
    "beyond-size",
    "duplicate-index",
    "unsorted",
    "misaligned-index",
    "inside-another",
    "duplicate-pfn",
)
"""What can be wrong with a record. ``beyond-size``: its index is not in the file; ``misaligned-index``: no multiple of its pages;
``inside-another``: its index is one of the later pages of the folio before."""


@frozen
class FolioAudit:
    """``faults``: for each of FAULTS that occurs, (name, how many records, the first one's number). ``extents`` are the bytes of
    memory that the folios take, start and end in turn, sorted and merged, up to PA_BITS, which no machine exceeds. ``present`` counts
    the pages of the file that some folio holds, ``missing`` is the first page that none does (None when the file is whole).
    """

    count: int
    faults: tuple[tuple[str, int, int], ...]
    extents: array[int]
    present: int
    missing: int | None


def audit_file(handover: Handover, file: PreservedFile) -> FolioAudit | None:
    """The audit of a file's folios; None when the array is not (wholly) there or the file has none."""
    records, form = folio_records(handover, file), folio_form(file)
    if records is None or form is None or file.size is None:
        return None
    page_size = handover.environment.page_size
    pages = -(-file.size // page_size)
    few = len(records) <= FEW * RECORD_SIZE
    return (audit_few if few else audit_many)(records, handover.preserved, pages, page_size, handover.environment.byte_order, form)


def audit_files(handover: Handover) -> Iterator[tuple[PreservedFile, FolioAudit]]:
    """The audit of each file that has one, as long as the arrays together claim no more than AUDITED_TIMES the memory that is there."""
    left = AUDITED_TIMES * handover.memory.size if handover.memory is not None else 0
    for file in handover.files:
        size = (file.nr_folios or 0) * RECORD_SIZE
        audit = audit_file(handover, file) if size <= left else None
        if audit is not None:
            left -= size
            yield file, audit


def audit_few(
    records: bytearray, preserved: PreservedPages | None, pages: int, page_size: int, byte_order: str, form: FolioForm = MEMFD
) -> FolioAudit:
    """The audit, record by record."""
    faults: dict[str, tuple[int, int]] = {}
    extents: list[tuple[int, int]] = []
    spans: list[tuple[int, int]] = []
    seen: set[int] = set()
    heads: set[int] = set()
    last, last_end = -1, 0
    for number, (word, index) in enumerate(struct.iter_unpack("<QQ" if byte_order == "little" else ">QQ", records)):
        pfn, flags = form.split(word)
        found = []
        if pfn == 0:
            found.append("pfn-zero")
        else:
            order = preserved.order_at(pfn * page_size) if preserved is not None else 0
            if order is None:
                found.append("not-preserved")
            if pfn in heads:
                found.append("duplicate-pfn")
            heads.add(pfn)
            size = 1 << (order or 0)
            if pfn < (1 << PA_BITS) // page_size:
                extents.append((pfn * page_size, (pfn + size) * page_size))
            if flags & ~form.known:
                found.append("flags-unknown")
            if form.uptodate and not flags & form.uptodate:
                found.append("not-uptodate")
            if index >= pages:
                found.append("beyond-size")
            if index in seen:
                found.append("duplicate-index")
            elif last < index < last_end:
                found.append("inside-another")
            elif index <= last:
                found.append("unsorted")
            if index % size:
                found.append("misaligned-index")
            seen.add(index)
            if index > last:
                last, last_end = index, index + size
            spans.append((index, min(index + size, pages)))
        for fault in found:
            count, first = faults.get(fault, (0, number))
            faults[fault] = (count + 1, first)
    merged = merge(extents)
    present, missing = whole(merge(spans), pages)
    return FolioAudit(len(records) // RECORD_SIZE, listed(faults), merged, present, missing)


def audit_many(
    records: bytearray, preserved: PreservedPages | None, pages: int, page_size: int, byte_order: str, form: FolioForm = MEMFD
) -> FolioAudit:
    """The audit by columns."""
    from devstate.handover.foliocolumns import ColumnAudit

    return ColumnAudit(records, preserved, pages, page_size, byte_order, form).run()


def record_of(handover: Handover, file: PreservedFile, pa: int) -> int | None:
    """The address of the last record of ``file`` whose folio starts at ``pa``; None when there is none."""
    records, form = folio_records(handover, file), folio_form(file)
    if records is None or form is None or file.pages is None:
        return None
    pfn, order = pa // handover.environment.page_size, handover.environment.byte_order
    if len(records) <= FEW * RECORD_SIZE:
        words = "<QQ" if order == "little" else ">QQ"
        numbers = [number for number, (word, _) in enumerate(struct.iter_unpack(words, records)) if form.split(word)[0] == pfn]
    else:
        import numpy as np

        column = np.frombuffer(records, "<u8" if order == "little" else ">u8")[0::2] >> np.uint64(form.pfn_shift)
        numbers = np.flatnonzero(column & np.uint64((1 << PFN_BITS) - 1) == np.uint64(pfn)).tolist()
    return file.pages.where(numbers[-1] * RECORD_SIZE) if numbers else None


def listed(faults: dict[str, tuple[int, int]]) -> tuple[tuple[str, int, int], ...]:
    """The faults {name: (count, first)} in the order of FAULTS."""
    return tuple((name, *faults[name]) for name in FAULTS if name in faults)


def merge(pairs: list[tuple[int, int]]) -> array[int]:
    """Sorted, disjoint ranges that do not touch, start and end in turn; empty ranges are left out, and what is above ADDRESS_END."""
    out = array("Q")
    for start, end in sorted(pairs):
        end = min(end, ADDRESS_END)
        if end <= start:
            continue
        if out and start <= out[-1]:
            out[-1] = max(out[-1], end)
        else:
            out.extend((start, end))
    return out


def merge_columns(starts: numpy.typing.NDArray[numpy.uint64], ends: numpy.typing.NDArray[numpy.uint64]) -> array[int]:
    """The same as :func:`merge`, from the columns of starts and ends; none of them is cut.

    A range begins where all that began before has ended: starts and ends can be sorted by themselves.
    """
    import numpy as np

    out = array("Q")
    keep = ends > starts
    if not keep.any():
        return out
    first, last = (np.sort(each if keep.all() else each[keep]) for each in (starts, ends))
    cut = np.flatnonzero(np.append(True, first[1:] > last[:-1]))
    edges = np.column_stack((first[cut], last[np.append(cut[1:], len(first)) - 1]))
    out.frombytes(edges.tobytes())
    return out


def whole(spans: array[int], pages: int) -> tuple[int, int | None]:
    """(pages of the file that the spans hold, first that they do not)."""
    present = sum(spans[1::2]) - sum(spans[0::2])
    if present == pages:
        return present, None
    return present, spans[1] if spans and spans[0] == 0 else 0
