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

HANDLERS_MAX = 32
"""Handlers of one handover that are told apart: kernels have a handful, and of many more any count is a sum."""

LISTED_MAX = 64
"""Files up to which the possible counts are listed."""


def check(context: Context) -> Iterator[Finding]:
    """An object belongs to whole handlers: its count is a sum of their files."""
    handover = context.handover
    if handover.luo is None:
        return
    counts: dict[str, int] = {}
    for file in handover.files:
        counts[file.compatible] = counts.get(file.compatible, 0) + 1
    if len(counts) > HANDLERS_MAX:
        return
    sums = 1  # bit n: a set of handlers has n files
    for count in counts.values():
        sums |= sums << count
    total = sums.bit_length() - 1
    for flb in handover.luo.flbs:
        if not 0 < flb.count <= total or not sums >> flb.count & 1:
            listed = [str(each) for each in range(1, min(total, LISTED_MAX) + 1) if sums >> each & 1]
            expected = " or ".join(listed) if total <= LISTED_MAX else f"a sum of files of handlers, at most {total}"
            yield RULE.finding(
                handover, "the count of files cannot be", field_pa(flb.pa, flb.record, "count"), f"{flb.path}.count", expected, flb.count
            )
