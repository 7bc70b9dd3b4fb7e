# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reading kernel does not know LUO's compatible.

What       LUO's string is not the one that the reading kernel accepts.
Why        Kernels accept exactly their own luo-vN; an early initcall panics on any other.
Example    a 7.3 kernel finds "luo-v4" and wants "luo-v5".
Instead    Jump to a kernel that accepts this string.
Reference  luo_early_startup() in kernel/liveupdate/luo_core.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.layout.release import accepted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("luo-compatible", "The reading kernel does not know LUO's compatible", Severity.ERROR, Reaction.PANIC)


def check(context: Context) -> Iterator[Finding]:
    """Compare with what kernels of the reading release write."""
    handover = context.handover
    if context.release is None or handover.luo is None:
        return
    wanted = accepted(handover.registry, "KHO subtree LUO", context.release)
    if wanted and handover.luo.compatible not in wanted:
        message = f"kernel {context.release} does not accept this LUO state"
        yield RULE.finding(handover, message, handover.luo.pa, "luo.compatible", " or ".join(wanted), handover.luo.compatible)
