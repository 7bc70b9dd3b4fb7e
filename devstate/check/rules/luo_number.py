# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The live update number is not possible.

What       liveupdate_num is 0, or larger than the number of kexecs that kexec-metadata counts.
Why        It is only logged and passed on; but a number that cannot be was not written by LUO.
Example    number 999, one kexec.
Instead    Let LUO count.
Reference  kernel/liveupdate/luo_core.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("luo-number", "The live update number is not possible", Severity.WARNING, Reaction.ACCEPTED)

COUNT_OFFSET = 69
"""Of kexec_count in kho_kexec_metadata."""


def check(context: Context) -> Iterator[Finding]:
    """Compare with the count of kexecs, which counts live updates and others."""
    handover = context.handover
    luo, metadata = handover.luo, handover.metadata
    if luo is None or luo.liveupdate_num is None or metadata is None or 1 <= luo.liveupdate_num <= metadata.kexec_count:
        return
    pa = None if luo.pa is None or luo.record is None else field_pa(luo.pa, luo.record, "liveupdate_num")
    related = ((metadata.pa + COUNT_OFFSET, "kexec_count"),)
    expected = f"1..{metadata.kexec_count}"
    message = "the live update number cannot be"
    yield RULE.finding(handover, message, pa, "luo.liveupdate_num", expected, luo.liveupdate_num, related=related)
