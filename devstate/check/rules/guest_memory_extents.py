# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The memory map of a guest is impossible.

What       Extents overlap or do not ascend by guest address, are empty, not of whole pages of their size, shared and private at once, or
           not as many as the guest says.
Why        A VMM that maps them gives the guest one page at two addresses, or none where it had one.
Example    extents[1] starts at gpa 0x1ff000, inside of extents[0].
Instead    Sort by guest address, merge what goes on, cut at page sizes.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.guests import guests_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.guests import Guest

RULE = Rule("guest-memory-extents", "The memory map of a guest is impossible", Severity.ERROR, Reaction.SILENT_WRONG)

TOLD_MAX = 16
BOTH = 3
"""SHARED and PRIVATE."""

END = 1 << 56
"""Beyond any memory, of host and guest."""


def check(context: Context) -> Iterator[Finding]:
    """Each guest by itself."""
    handover = context.handover
    for guest in guests_of(handover):
        total = int(guest.extents["size"].sum(dtype="uint64"))
        for name, found in (("extents", len(guest.extents)), ("owners", len(guest.owners)), ("bytes", total)):
            if getattr(guest.head, name) != found:
                message = f"the guest does not have as many {name} as it says"
                yield RULE.finding(handover, message, guest.pa, f"{guest.path}.{name}", getattr(guest.head, name), found)
        for index, message, expected, value in _wrong(guest):
            yield RULE.finding(handover, message, guest.extent_pa(index), f"{guest.path}/extents[{index}]", expected, value)


def _wrong(guest: Guest) -> Iterator[tuple[int, str, str, str]]:
    """(index, message, expected, found) of the first extents that are wrong, by each of the rules."""
    import numpy as np

    gpa, pa, size = (guest.extents[name].astype(np.uint64) for name in ("gpa", "pa", "size"))
    shift, flags = guest.extents["page_shift"].astype(np.uint64), guest.extents["flags"]
    mask = (np.uint64(1) << np.minimum(shift, np.uint64(63))) - np.uint64(1)
    end = np.uint64(END)
    outside = (size == 0) | (size > end) | (gpa > end) | (pa > end) | (shift < 12) | (shift > 34)
    for index in np.flatnonzero(outside)[:TOLD_MAX].tolist():
        yield index, "an extent that is empty, or beyond any memory", "whole pages", f"{int(size[index]):#x} bytes at {int(gpa[index]):#x}"
    for index in np.flatnonzero(~outside & (((gpa | pa | size) & mask) != 0))[:TOLD_MAX].tolist():
        found = f"gpa {int(gpa[index]):#x}, pa {int(pa[index]):#x}, {int(size[index]):#x} bytes"
        yield index, "an extent that is not of whole pages of its size", f"multiples of {1 << int(shift[index]):#x}", found
    for index in np.flatnonzero((flags & BOTH) == BOTH)[:TOLD_MAX].tolist():
        yield index, "an extent that is shared and private", "one of them, or neither", "both"
    ends = np.where(outside, gpa, gpa + size)
    for index in (np.flatnonzero(gpa[1:] < np.maximum.accumulate(ends)[:-1])[:TOLD_MAX] + 1).tolist() if len(gpa) else ():
        expected = f"a guest address from {int(ends[:index].max()):#x} on"
        yield index, "an extent inside of, or before, the one before", expected, f"{int(gpa[index]):#x}"
