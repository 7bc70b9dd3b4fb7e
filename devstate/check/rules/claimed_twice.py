# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two owners claim the same memory.

What       A page belongs to two files, to a file and a struct, or twice to one list.
Why        Restoring a page takes its stamp: whoever comes second gets EIO, and whoever came first may have the other's content.
Example    pfn 0x14dd in the folio arrays of two memfds.
Instead    One owner a page.
Reference  kho_restore_page() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.folios import record_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.claims import Claim
    from devstate.handover.ownership import Shared

RULE = Rule("claimed-twice", "Two owners claim the same memory", Severity.ERROR, Reaction.RETRIEVE_FAILS)

EXPLAINED = 16
"""Shared ranges for which the fields that lead there are looked for, which takes a pass over all claims and files each; and the most such
fields for one range."""

ARRAY = " (folio array)"
"""Ends the name of a claim of a file's folio array, beside that of its folios."""


def check(context: Context) -> Iterator[Finding]:
    """Report each range that is claimed again."""
    for number, shared in enumerate(context.ownership.shared):
        message = f"{shared.start:#x}-{shared.end:#x} is claimed by {shared.first} and by {shared.second}"
        reaction = _reaction(context, shared)
        found = f"{shared.first} and {shared.second}"
        related = tuple(islice(_records(context, shared), EXPLAINED)) if number < EXPLAINED else ()
        yield RULE.finding(context.handover, message, shared.start, shared.second, "one owner", found, reaction=reaction, related=related)


def _reaction(context: Context, shared: Shared) -> Reaction:
    """What is restored cannot be restored again: EIO or EINVAL. Structs are read where they are, whoever else has the page."""
    handover, at = context.handover, shared.start
    claims = handover.claims.covering(at)
    regions = [claim for claim in claims if claim.what == "region"]
    if len(regions) > 1 or any(context.ownership.unowned_bytes >= claim.size for claim in regions):
        return Reaction.REGION_WRONG
    if _is_astray(context, {claim.path for claim in claims}):
        return Reaction.ACCEPTED
    paths = tuple(dict.fromkeys((shared.first, shared.second)))
    folios = [path for path in paths if _is_folio(context, path, at)]
    arrays = [path.removesuffix(ARRAY) for path in paths if path.endswith(ARRAY)]
    lists = [claim.path for claim in claims if claim.what == "page-list"]
    takers = [*folios, *arrays, *lists]
    if len(takers) > 1 or (takers and (lists or _is_given_back(context, claims, takers[0]))):
        return Reaction.RETRIEVE_FAILS
    return Reaction.SILENT_WRONG if takers else Reaction.ACCEPTED


def _is_given_back(context: Context, claims: list[Claim], taker: str) -> bool:
    """Whether the kernel frees one of the claims before the file ``taker`` restores it: LUO's state and sessions are freed once they are
    read, the record of a memfd when it is retrieved.
    """
    order = {file.path: number for number, file in enumerate(context.handover.files)}
    freed = [claim for claim in claims if claim.what in ("blob", "block", "record")]
    early = any(claim.path in ("LUO", "luo", "luo/session") for claim in freed)
    return early or any(order.get(claim.path, len(order)) < order.get(taker, 0) for claim in freed if claim.what == "record")


def _is_folio(context: Context, path: str, at: int) -> bool:
    """Whether a folio of the file at ``path`` holds ``at``."""
    audit = context.ownership.audits.get(path)
    return audit is not None and bisect_right(audit.extents, at) % 2 == 1


def _is_astray(context: Context, paths: set[str]) -> bool:
    """Whether one of them is a client whose blob is not its own: it is looked at, not restored, and hurts nobody."""
    luo = context.handover.luo
    if "kexec-metadata" in paths and context.handover.metadata is None:
        return True
    return "luo/flb" in paths and luo is not None and (luo.flb_header is None or luo.flb_header[1].get("pgcnt", 1) != 1)


def _records(context: Context, shared: Shared) -> Iterator[tuple[int, str]]:
    """The folio records that lead to the shared memory."""
    for claim in context.handover.claims.items:
        if claim.start == shared.start and claim.path in (shared.first, shared.second) and claim.pa is not None:
            yield claim.pa, f"the link of {claim.path}"
    for file in context.handover.files:
        if f"{file.path}{ARRAY}" in (shared.first, shared.second) and file.pages is not None and shared.start in file.pages.blocks:
            entry = file.pages.entry_pa(file.pages.blocks.index(shared.start))
            if entry is not None:
                yield entry, f"the page list of {file.path}"
        if file.path in (shared.first, shared.second):
            at = record_of(context.handover, file, shared.start)
            if at is not None:
                yield at, f"the record of {file.path}"
