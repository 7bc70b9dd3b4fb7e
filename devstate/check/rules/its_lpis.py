# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An LPI of an ITS is mapped twice, or leads nowhere.

What       Two events of a preserved ITS are mapped to one LPI, one event has two records, or a number is no LPI.
Why        Both devices raise the same interrupt; the driver of one of them gets what the other's device meant, and its own never.
Example    Event 0 of device 0x20 and event 3 of device 0x28 are both mapped to LPI 8200.
Instead    Write one record for each mapping that the ITS has, after the last command was taken.
Reference  schemas/project/interrupt_its.py
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.objects import ITS, has_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("its-lpis", "An LPI of an ITS is mapped twice, or leads nowhere", Severity.ERROR, Reaction.SILENT_WRONG)


def check(context: Context) -> Iterator[Finding]:
    """Each ITS, by its records."""
    if not has_objects(context.handover, ITS):
        return
    from devstate.handover.interrupts.its import verify_its
    from devstate.handover.objects import objects_of

    for each in objects_of(context.handover, ITS):
        lpis = each.parts.get("lpis", ())
        for found in verify_its(lpis, {lpi.collection for lpi in lpis}):
            yield RULE.finding(context.handover, found.message, each.pa, f"{each.path}: {found.location.path}", found.expected, found.found)
