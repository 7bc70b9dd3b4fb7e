# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An FLB's count of files is not possible.

What       count is not the number of files of any set of handlers in this handover.
Why        The count seeds the reference count: too low and finish runs while files still use the object, too high and it never
           runs.
Example    count 3 with four memfds.
Instead    Count one for each preserved file of the handlers that the object is attached to.
Reference  kernel/liveupdate/luo_flb.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("flb-references", "An FLB's count of files is not possible", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """An object belongs to whole handlers: its count is a sum of their files."""
    handover = context.handover
    if handover.luo is None:
        return
    counts: dict[str, int] = {}
    for file in handover.files:
        counts[file.compatible] = counts.get(file.compatible, 0) + 1
    sums = {0}
    for count in counts.values():
        sums |= {each + count for each in sums}
    for flb in handover.luo.flbs:
        if flb.count not in sums - {0}:
            expected = " or ".join(map(str, sorted(sums - {0})))
            yield RULE.finding(
                handover, "the count of files cannot be", field_pa(flb.pa, flb.record, "count"), f"{flb.path}.count", expected, flb.count
            )
