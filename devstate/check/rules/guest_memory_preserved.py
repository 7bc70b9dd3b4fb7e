# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Guest memory is not preserved.

What       An extent of a guest is not covered by the preserved memory map.
Why        The next kernel gives these pages to its allocator: the guest goes on with somebody else's bytes.
Example    gpa 0x40000000 is at 0x1fc00000, of whose 512 pages the map has 511.
Instead    Preserve the memory before it is described, and describe what is preserved.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule, bits_at
from devstate.finding import Reaction, Severity
from devstate.handover.guests import guests_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("guest-memory-preserved", "Guest memory is not preserved", Severity.ERROR, Reaction.SILENT_WRONG)

TOLD_MAX = 16
"""Extents that are named of one guest; the rest is counted."""


def check(context: Context) -> Iterator[Finding]:
    """Look all extents up in the ranges of the map at once."""
    handover = context.handover
    if handover.state is None or handover.preserved is None:
        return
    import numpy as np

    edges = np.asarray(handover.preserved.map.edges, np.uint64)
    for guest in guests_of(handover):
        pa, size = (guest.extents[name].astype(np.uint64) for name in ("pa", "size"))
        at = np.searchsorted(edges, pa, side="right")
        ends = np.append(edges, np.uint64(0))[np.minimum(at, len(edges))]
        covered = (at % 2 == 1) & (size <= ends - pa)
        bad = np.flatnonzero(~covered & (size > 0))
        more = f" ({len(bad)} extents are not)" if len(bad) > TOLD_MAX else ""
        for index in bad[:TOLD_MAX].tolist():
            start, length = int(pa[index]), int(size[index])
            first = start if int(at[index]) % 2 == 0 else int(ends[index])
            message = f"guest address {int(guest.extents['gpa'][index]):#x} is at {start:#x}, which is not preserved{more}"
            path, expected, found = f"{guest.path}/extents[{index}]", f"{length:#x} bytes preserved", f"page {first:#x} is not"
            yield RULE.finding(handover, message, guest.extent_pa(index), path, expected, found, related=bits_at(handover, first))
