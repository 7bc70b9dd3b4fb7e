# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An FLB's name is unknown, empty or stands twice.

What       No schema describes an object of this name, or the name is empty or was used before.
Why        The new kernel finds objects by name: nobody asks for an unknown one, its state is dropped, and its count underflows
           when files finish.
Example    "liveupdate-test-flb-v9".
Instead    Keep the object's name, or bump it with a schema.
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

RULE = Rule("flb-name", "An FLB's name is unknown, empty or stands twice", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Unknown names are a note: devstate may know less than the kernel."""
    handover = context.handover
    seen: set[str] = set()
    for flb in handover.luo.flbs if handover.luo is not None else ():
        pa = field_pa(flb.pa, flb.record, "name")
        if not flb.name or flb.name in seen:
            yield RULE.finding(handover, "the name is empty or stands twice", pa, flb.path, "a name of its own", repr(flb.name))
        elif flb.format is None:
            yield RULE.finding(
                handover, "no schema describes this object", pa, flb.path, "a known name", repr(flb.name), severity=Severity.INFO
            )
        seen.add(flb.name)
