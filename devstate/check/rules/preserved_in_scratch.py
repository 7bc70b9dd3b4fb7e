# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Preserved memory lies in a scratch area.

What       A preserved range overlaps an area from which the next kernel allocates before it has read the map.
Why        The content may be overwritten before anybody can protect it; whether it is depends on luck.
Example    page 0x9805000 preserved, scratch 0x9800000-0xa800000.
Instead    Never preserve memory that was allocated from scratch (CMA).
Reference  kho_preserve_pages() under CONFIG_KEXEC_HANDOVER_DEBUG
"""

from __future__ import annotations

from array import array

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.folios import merge
from devstate.handover.ownership import subtract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("preserved-in-scratch", "Preserved memory lies in a scratch area", Severity.ERROR, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Hold each scratch area against the map."""
    handover = context.handover
    if handover.scratch is None or handover.preserved is None:
        return
    areas = merge([(start, start + size) for start, size in handover.scratch if size])
    edges = array("Q", handover.preserved.map.edges)
    inside = subtract(edges, subtract(edges, areas))
    for start, end in zip(inside[0::2], inside[1::2], strict=True):
        word = handover.preserved.word(start)
        related = ((word[0], f"bit {word[1]} of the memory map"),) if word is not None else ()
        message = f"preserved memory {start:#x}-{end:#x} is scratch"
        yield RULE.finding(handover, message, start, "preserved", "outside of scratch", f"{end - start} bytes", related=related)
