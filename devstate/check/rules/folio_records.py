# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A record of a file's folio array is wrong.

What       A folio's pfn is 0, not the head of a preserved block, or used before; its index is beyond the file, used before, out
           of order or not a multiple of its pages; its flags are unknown or lack UPTODATE.
Why        A pfn of 0, a missing UPTODATE or an index beyond the size reads as zeros, without a message. A folio that cannot be
           restored is EIO, an index used before is EEXIST. A folio at the last index that there is (2^64-1) stays when the file is
           closed, and the kernel stops there.
Example    record 3 with pfn 0: page 3 of the guest's memory is zeros.
Instead    Write the array from the page cache, under its lock.
Reference  memfd_luo_retrieve_folios() in mm/memfd_luo.c, shmem_undo_range() in mm/shmem.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, bits_at, field_pa
from devstate.finding import Reaction, Severity
from devstate.handover.content import folio_form

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.model import PreservedFile

RULE = Rule("folio-records", "A record of a file's folio array is wrong", Severity.ERROR, Reaction.SILENT_WRONG)


TEXTS = {
    "pfn-zero": ("pfn is 0: the page reads as zeros", "a page frame number", Reaction.SILENT_WRONG, Severity.ERROR),
    "not-preserved": ("the folio is not the head of a preserved block", "a preserved page", Reaction.RETRIEVE_FAILS, Severity.ERROR),
    "flags-unknown": ("unknown flags", "DIRTY, UPTODATE", Reaction.ACCEPTED, Severity.WARNING),
    "not-uptodate": ("UPTODATE is not set: the page reads as zeros", "UPTODATE", Reaction.SILENT_WRONG, Severity.ERROR),
    "beyond-size": ("the index is beyond the size of the file", "an index in the file", Reaction.SILENT_WRONG, Severity.ERROR),
    "duplicate-index": ("the index was used before", "an index of its own", Reaction.RETRIEVE_FAILS, Severity.ERROR),
    "unsorted": ("the index is below one before it", "ascending indices", Reaction.SILENT_WRONG, Severity.WARNING),
    "misaligned-index": ("the index is no multiple of the folio's pages", "an aligned index", Reaction.SILENT_WRONG, Severity.ERROR),
    "inside-another": ("the index is inside the folio before", "an index behind it", Reaction.RETRIEVE_FAILS, Severity.ERROR),
    "duplicate-pfn": ("the page was used before", "a page of its own", Reaction.RETRIEVE_FAILS, Severity.ERROR),
}
"""For each fault of an audit: message, what is expected, reaction, severity."""

LAST = (1 << 64) - 1
"""The index that shmem_undo_range() does not come to: clear_inode() finds a page left."""

FIELDS = {"pfn-zero": 0, "not-preserved": 0, "duplicate-pfn": 0, "flags-unknown": 0, "not-uptodate": 0}
"""Offset in the record of what is at fault; indices are at 8."""


def check(context: Context) -> Iterator[Finding]:
    """One finding a file and fault, at the first record, with the count."""
    for file in context.bodies():
        audit = context.ownership.audits.get(file.path)
        names = {name for name, _, _ in audit.faults} if audit is not None else set()
        for name, count, first in audit.faults if audit is not None else ():
            if name == "unsorted" and "beyond-size" in names:
                continue
            if name == "pfn-zero" and audit is not None and audit.missing is None and file.body is not None:
                pa = field_pa(file.data_pa, file.body, "nr_folios")
                message = f"{count} empty records behind the last folio: the kernel skips them"
                where = f"{file.path}.nr_folios"
                yield RULE.finding(
                    context.handover, message, pa, where, first, file.nr_folios, reaction=Reaction.ACCEPTED, severity=Severity.WARNING
                )
                continue
            yield _finding(context, file, name, count, first)


def _finding(context: Context, file: PreservedFile, name: str, count: int, first: int) -> Finding:
    handover = context.handover
    message, expected, reaction, severity = TEXTS[name]
    at = file.pages.where(first * 16) if file.pages is not None else None
    pa = None if at is None else at + FIELDS.get(name, 8)
    raw = bytes(handover.memory.read(at, 16)) if at is not None and handover.memory is not None else bytes(16)
    order = handover.environment.byte_order
    word, index = int.from_bytes(raw[:8], order), int.from_bytes(raw[8:], order)
    form = folio_form(file)
    pfn, flags = form.split(word) if form is not None else (0, 0)
    related: tuple[tuple[int, str], ...] = ()
    if name == "not-preserved" and handover.preserved is not None:
        page = pfn * handover.environment.page_size
        related = ((page, "the page that is not preserved"), *bits_at(handover, page))
    if name == "beyond-size" and file.body is not None:
        related = ((field_pa(file.data_pa, file.body, "size"), "the size of the file"),)
    if name == "beyond-size" and count > 1 and file.body is not None:
        pa, message = field_pa(file.data_pa, file.body, "size"), "the size of the file is below its folios"
    if name == "beyond-size" and index == LAST:
        message, reaction = "the folio at this index stays when the file is closed", Reaction.OOPS
    found = f"pfn {pfn:#x}, flags {flags:#x}, index {index} ({count} of {audit_count(file)} records)"
    return RULE.finding(
        handover,
        f"record {first}: {message}",
        pa,
        f"{file.path}/folios[{first}]",
        expected,
        found,
        reaction=reaction,
        severity=severity,
        related=related,
    )


def audit_count(file: PreservedFile) -> int:
    """Records of the file's array."""
    return file.nr_folios or 0
