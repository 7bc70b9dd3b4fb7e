# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory is preserved twice, in blocks of different orders.

What       Set bits of two orders cover the same memory.
Why        Both heads are stamped and all of it is reserved; when one is restored the stamps inside it are lost, and what is left
           over leaks.
Example    order 4 at 0x2390000 over single pages at 0x2398000.
Instead    Unpreserve a block before you preserve a part of it.
Reference  kho_mem_retrieve() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("preserved-overlap", "Memory is preserved twice, in blocks of different orders", Severity.WARNING, Reaction.ACCEPTED)


def related(context: Context, problem: Problem) -> tuple[tuple[int, str], ...]:
    """The words of the map whose bits may cover the memory."""
    preserved, page = context.handover.preserved, context.handover.environment.page_size
    if preserved is None or problem.pa is None:
        return ()
    heads = [(order, problem.pa - problem.pa % (page << order)) for order in sorted(preserved.map.orders)]
    places = [(order, head, preserved.word(head, order)) for order, head in heads]
    return tuple((place[0], f"bit {place[1]}: {head:#x} in order {order}") for order, head, place in places if place is not None)
