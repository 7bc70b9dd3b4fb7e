# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An FLB stands behind those that are counted.

What       The FLB area holds a further named entry behind its header's count.
Why        Objects are looked up among the counted ones: this one is not found, and starts without its state.
Example    count 2, three entries.
Instead    Count what was written.
Reference  kernel/liveupdate/luo_flb.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("flb-count", "An FLB stands behind those that are counted", Severity.WARNING, Reaction.ACCEPTED)


ENTRY = 64
HEADER = 16
"""Bytes of luo_flb_ser and of luo_flb_header_ser."""


def check(context: Context) -> Iterator[Finding]:
    """Look at the entry behind the last one."""
    luo, memory = context.handover.luo, context.handover.memory
    if luo is None or luo.flb_header is None or memory is None:
        return
    pa, header = luo.flb_header
    at = pa + HEADER + header.get("count", 0) * ENTRY
    if at + ENTRY <= pa + context.handover.environment.page_size and memory.contains(at, ENTRY) and any(memory.read(at, 1)):
        related = ((at, "the entry that is not counted"),)
        message = "an FLB stands behind those that are counted"
        yield RULE.finding(
            context.handover, message, pa + 8, "luo/flb.count", header.get("count", 0) + 1, header.get("count"), related=related
        )
