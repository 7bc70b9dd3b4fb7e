# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A file's size and its folios disagree.

What       Pages of the file are in no folio (and read as zeros), or the size is negative.
Why        The kernel takes the size as it is: what no folio holds is a hole. A memfd is filled when it is preserved, so a hole is
           a loss.
Example    size 1 MiB, folios for 4 KiB; nr_folios 0 with a size.
Instead    Write size and folios from the same moment.
Reference  memfd_luo_retrieve() in mm/memfd_luo.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.errors import DecodeError
from devstate.finding import Reaction, Severity
from devstate.handover.content import file_runs
from devstate.pagetable.folios import RECORD_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.model import PreservedFile

RULE = Rule("memfd-size", "A file's size and its folios disagree", Severity.ERROR, Reaction.SILENT_WRONG)


EXPLAINED = ("pfn-zero", "beyond-size", "duplicate-index", "inside-another")
"""Faults of single records that leave a hole by themselves."""


def check(context: Context) -> Iterator[Finding]:
    """Compare the pages that folios hold with the size."""
    page = context.handover.environment.page_size
    for file in context.bodies():
        size = file.size
        if size is None or file.pages is None:
            continue
        audit = context.ownership.audits.get(file.path)
        pages = -(-size // page)
        if size >= 1 << 63:
            yield _finding(context, file, "size", "the size is negative", "a size", f"{size:#x}")
        elif not file.nr_folios and size:
            message = "the file has a size and no folios: it reads as zeros"
            yield _finding(context, file, "nr_folios", message, f"folios for {pages} pages", "0")
        elif audit is not None and audit.missing is not None and not any(name in EXPLAINED for name, _, _ in audit.faults):
            wrong = "nr_folios" if _has_more(context, file) else "size"
            message = f"page {audit.missing} of the file is in no folio: it reads as zeros"
            related = _before(context, file, audit.missing)
            yield _finding(context, file, wrong, message, f"{pages} pages", f"{audit.present} pages", related)


def _finding(
    context: Context, file: PreservedFile, field: str, message: str, expected: str, found: str, related: tuple[tuple[int, str], ...] = ()
) -> Finding:
    pa = field_pa(file.data_pa, file.body, field)
    return RULE.finding(context.handover, message, pa, f"{file.path}.{field}", expected, found, related=related)


def _has_more(context: Context, file: PreservedFile) -> bool:
    """Whether the array goes on behind its last counted record."""
    memory, end = context.handover.memory, (file.nr_folios or 0) * RECORD_SIZE
    at = file.pages.where(end) if file.pages is not None else None
    return memory is not None and at is not None and memory.contains(at, RECORD_SIZE) and any(memory.read(at, RECORD_SIZE))


def _before(context: Context, file: PreservedFile, missing: int) -> tuple[tuple[int, str], ...]:
    """The bit of the map that says how many pages the folio before the gap has: a smaller order leaves one."""
    handover = context.handover
    number = missing - 1
    try:
        runs = file_runs(handover, file)
    except DecodeError:  # another folio of the file is damaged
        return ()
    for index, pa, pages in runs:
        if index <= number < index + pages and handover.preserved is not None:
            order = handover.preserved.order_at(pa)
            place = handover.preserved.word(pa, order or 0)
            return ((pa, "the folio before the gap"),) + (((place[0], f"bit {place[1]}, order {order}"),) if place is not None else ())
    return ()
