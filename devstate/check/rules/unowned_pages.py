# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Preserved memory that nothing reachable owns.

What       The memory map preserves pages that no struct, list, file or region of this handover leads to.
Why        They stay reserved for ever, a leak; or something was lost that should lead to them, which other findings then say.
Example    page 0x7fff000 is preserved, and claimed by nobody.
Instead    Unpreserve what you free.
Reference  kho_preserve_pages() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.preserved import PreservedPages

RULE = Rule("unowned-pages", "Preserved memory that nothing reachable owns", Severity.INFO, Reaction.ACCEPTED)


LISTED = 8
"""Ranges that are named; the total counts all."""


def check(context: Context) -> Iterator[Finding]:
    """One finding with the total and the first ranges."""
    handover, owners = context.handover, context.ownership
    if handover.preserved is None or not owners.unowned:
        return
    pairs = list(zip(owners.unowned[0 : 2 * LISTED : 2], owners.unowned[1 : 2 * LISTED : 2], strict=True))
    related = [(start, f"{end - start} bytes that nobody owns") for start, end in pairs]
    related += [bit for start, _ in pairs for bit in _bits(handover.preserved, start)]
    pages = owners.unowned_bytes // handover.environment.page_size
    if context.is_beyond(owners.unowned[-2]):
        wild, message = owners.unowned[-2], "preserved pages are beyond the memory of the machine: they have no struct page to be stamped"
        yield RULE.finding(
            handover,
            message,
            wild,
            "preserved",
            "memory that exists",
            f"{wild:#x}",
            reaction=Reaction.DIES_EARLY,
            severity=Severity.ERROR,
            related=tuple(_bits(handover.preserved, wild)),
        )
    message = f"{pages} preserved pages are owned by nothing reachable, the first at {pairs[0][0]:#x}"
    yield RULE.finding(handover, message, pairs[0][0], "preserved", "0 pages", f"{pages} pages", related=tuple(related))


def _bits(preserved: PreservedPages, pa: int) -> list[tuple[int, str]]:
    order = preserved.order_at(pa)
    place = preserved.word(pa, order) if order is not None else None
    return [] if place is None else [(place[0], f"bit {place[1]} of the memory map preserves {pa:#x}, order {order}")]
