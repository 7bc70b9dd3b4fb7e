# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Private memory of a guest is in two places.

What       Extents of two guests, or of one, overlap in physical memory, and one of them is private.
Why        What is private to a guest is nobody else's, not even the guest's own under another address.
Example    extents[0] of vm0 and extents[4] of vm1 are both at 0x1fc00000.
Instead    Memory that is meant to be the same in two places is shared in both.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.guests import PRIVATE, guests_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("guest-memory-twice", "Private memory of a guest is in two places", Severity.ERROR, Reaction.SILENT_WRONG)

TOLD_MAX = 16


def check(context: Context) -> Iterator[Finding]:
    """All extents of all guests by their place in memory."""
    handover = context.handover
    guests = [guest for guest in guests_of(handover) if len(guest.extents)]
    if not guests:
        return
    import numpy as np

    pa, size, flags = (np.concatenate([each.extents[name] for each in guests]).astype(np.uint64) for name in ("pa", "size", "flags"))
    index = np.concatenate([np.arange(len(each.extents)) for each in guests])
    whose = np.concatenate([np.full(len(each.extents), number) for number, each in enumerate(guests)])
    order = np.argsort(pa, kind="stable")
    most = np.uint64(1 << 62)  # two of them are still a number
    starts, ends = pa[order], (np.minimum(pa, most) + np.minimum(size, most))[order]
    reach = np.maximum.accumulate(ends)
    furthest = np.maximum.accumulate(np.where(np.append(True, ends[1:] > reach[:-1]), np.arange(len(ends)), 0))
    private = ((flags & np.uint64(PRIVATE)) != 0)[order]
    meets = (starts[1:] < reach[:-1]) & (ends[1:] > starts[1:]) & (private[1:] | private[furthest[:-1]])
    for at in (np.flatnonzero(meets)[:TOLD_MAX] + 1).tolist():
        here, there = int(order[at]), int(order[furthest[at - 1]])
        one, other = (f"{guests[int(whose[each])].path}/extents[{int(index[each])}]" for each in (here, there))
        guest = guests[int(whose[here])]
        message = f"memory at {int(pa[here]):#x} is also in {other}"
        yield RULE.finding(handover, message, guest.extent_pa(int(index[here])), one, "memory of its own", other)
