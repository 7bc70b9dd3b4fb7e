# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO has no FLB area.

What       flbs_pa is 0. The area exists even when it is empty.
Why        Shared objects get ENODATA, and start without their state.
Example    flbs_pa = 0.
Instead    Hand over the empty area.
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

RULE = Rule("luo-flbs", "LUO has no FLB area", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Only forms with luo_ser have the field."""
    luo = context.handover.luo
    if luo is not None and luo.record is not None and luo.pa is not None and not luo.record.flbs_pa:
        yield RULE.finding(
            context.handover, "there is no FLB area", field_pa(luo.pa, luo.record, "flbs_pa"), "luo.flbs_pa", "an address", "0x0"
        )
