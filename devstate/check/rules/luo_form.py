# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO's state is of another form than the reading kernel's.

What       The string is the reading kernel's own, and the bytes are those of another kernel with the same string.
Why        Upstream changed luo-v1 without a new string: 7.0 wants a node luo-flb that 6.19 does not write, and panics without it.
Example    6.19's luo-v1 read by 7.0.
Instead    Jump to a kernel of the form that was written.
Reference  cab056f2aae7
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.layout.release import writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("luo-form", "LUO's state is of another form than the reading kernel's", Severity.ERROR, Reaction.PANIC)


def check(context: Context) -> Iterator[Finding]:
    """Ask whether the reading release writes the form that was met."""
    handover = context.handover
    if context.release is None or handover.luo is None:
        return
    summaries = handover.registry.summaries
    same = [name for name in handover.registry.names(handover.luo.compatible) if writes(summaries[name], context.release)]
    if same and handover.luo.format not in same:
        yield RULE.finding(
            handover, f"kernel {context.release} reads another form of this string", handover.luo.pa, "luo", same[0], handover.luo.format
        )
