# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Something that is needed lies in memory that is not preserved.

What       A struct, block, page list, array or region of the handover is not covered by the preserved memory map.
Why        The next kernel gives the page to its allocator before it reads it. What it then finds is luck; restoring the page
           fails for certain. A real 7.3 followed the links of what stood in a lost block by then, and oopsed, three times out of three.
Example    the memfd record at 0x2363000 without its bit: seals read as garbage, EOPNOTSUPP.
Instead    Preserve the memory before you store its address.
Reference  kho_restore_page() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, bits_at
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.claims import Claim

RULE = Rule("page-not-preserved", "Something that is needed lies in memory that is not preserved", Severity.ERROR, Reaction.RETRIEVE_FAILS)


REACTIONS = {"fdt": Reaction.ACCEPTED, "blob": Reaction.ACCEPTED, "region": Reaction.REGION_WRONG}
"""What is read before the page can be given away, or is neither checked nor reserved."""


def check(context: Context) -> Iterator[Finding]:
    """Look up every claim in the map."""
    handover = context.handover
    if handover.preserved is None:
        return
    page = handover.environment.page_size
    for claim in handover.claims.items:
        first = claim.start - claim.start % page
        pieces = (
            [(claim.start, claim.size)] if claim.what == "region" else [(at, page) for at in range(first, claim.start + claim.size, page)]
        )
        missing = next((at for at, size in pieces if not handover.preserved.covers(at, size)), None)
        if missing is not None:
            yield _finding(context, claim, missing)


def _finding(context: Context, claim: Claim, at: int) -> Finding:
    handover = context.handover
    related = ((at, "the page that is not preserved"), *bits_at(handover, at))
    message = f"the {claim.what} of {claim.path} at {claim.start:#x} is in memory that is not preserved"
    return RULE.finding(
        handover, message, claim.pa or at, claim.path, "preserved", f"page {at:#x} is not", reaction=_reaction(claim), related=related
    )


def _reaction(claim: Claim) -> Reaction:
    if claim.what in REACTIONS or not claim.path.startswith("luo/session"):
        return REACTIONS.get(claim.what, Reaction.ACCEPTED)
    return Reaction.OOPS if claim.what == "block" else Reaction.RETRIEVE_FAILS  # its links are followed, whatever is there now
