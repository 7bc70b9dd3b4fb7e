# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two owners claim the same memory.

What       A page belongs to two files, to a file and a struct, or twice to one list.
Why        Restoring a page takes its stamp: whoever comes second gets EIO, and whoever came first may have the other's content.
Example    pfn 0x14dd in the folio arrays of two memfds.
Instead    One owner a page.
Reference  kho_restore_page() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.folios import record_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.ownership import Shared

RULE = Rule("claimed-twice", "Two owners claim the same memory", Severity.ERROR, Reaction.RETRIEVE_FAILS)

EXPLAINED = 16
"""Shared ranges for which the fields that lead there are looked for, which takes a pass over all claims and files each."""


def check(context: Context) -> Iterator[Finding]:
    """Report each range that is claimed again."""
    for number, shared in enumerate(context.ownership.shared):
        message = f"{shared.start:#x}-{shared.end:#x} is claimed by {shared.first} and by {shared.second}"
        reaction = _reaction(shared)
        found = f"{shared.first} and {shared.second}"
        related = tuple(_records(context, shared)) if number < EXPLAINED else ()
        yield RULE.finding(context.handover, message, shared.start, shared.second, "one owner", found, reaction=reaction, related=related)


def _reaction(shared: Shared) -> Reaction:
    """Page lists are restored by one and refused to the other; contents and records are taken over without a word."""
    paths = (shared.first, shared.second)
    if all(path.startswith("memblock/") for path in paths):
        return Reaction.REGION_WRONG
    return Reaction.RETRIEVE_FAILS if any(path.endswith(" (folio array)") for path in paths) else Reaction.SILENT_WRONG


def _records(context: Context, shared: Shared) -> Iterator[tuple[int, str]]:
    """The folio records that lead to the shared memory."""
    for claim in context.handover.claims.items:
        if claim.start == shared.start and claim.path in (shared.first, shared.second) and claim.pa is not None:
            yield claim.pa, f"the link of {claim.path}"
    for file in context.handover.files:
        if f"{file.path} (folio array)" in (shared.first, shared.second) and file.pages is not None and shared.start in file.pages.blocks:
            entry = file.pages.entry_pa(file.pages.blocks.index(shared.start))
            if entry is not None:
                yield entry, f"the page list of {file.path}"
        if file.path in (shared.first, shared.second):
            at = record_of(context.handover, file, shared.start)
            if at is not None:
                yield at, f"the record of {file.path}"
