# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An interrupt does not lead to a live entry of its own.

What       A vector, a pin, a posted interrupt or a route of preserved interrupts leads to an entry that is not there, not live, another's,
           or claimed twice; or, where the host's own interrupts are preserved too, a live entry is claimed by nobody.
Why        The device raises an interrupt that the unit refuses, or that reaches the wrong vector: a guest waits for ever, or is disturbed.
Example    Vector 3 of 00:04.0 leads to entry 23, which 00:05.0 alone may use.
Instead    Keep the remapping tables in place, and describe each vector by the entry that its message leads to.
Reference  schemas/project/interrupt.py
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.objects import INTERRUPTS, has_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("interrupt-claims", "An interrupt does not lead to a live entry of its own", Severity.ERROR, Reaction.SILENT_WRONG)


def check(context: Context) -> Iterator[Finding]:
    """All objects of interrupts together, against all units. Without tables of units in memory there is nothing to judge by."""
    if not has_objects(context.handover, INTERRUPTS):
        return
    from devstate.handover.interrupts.verify import verify_interrupts
    from devstate.handover.objects import interrupts_of, units_of

    units = [unit for _, unit in units_of(context.handover)]
    objects = interrupts_of(context.handover)
    known = [unit for unit in units if unit is not None]
    if len(known) != len(units) or not objects:
        return  # what a number stands for is not known
    complete = any(not interrupts.name for _, interrupts in objects)  # the host's own are there too
    for found in verify_interrupts([interrupts for _, interrupts in objects], known, complete=complete):
        pa = objects[0][0].pa if found.location.pa is None else found.location.pa
        severity = min(found.severity, RULE.severity)
        yield RULE.finding(
            context.handover,
            found.message,
            pa,
            f"devstate/interrupts: {found.location.path}",
            found.expected,
            found.found,
            severity=severity,
        )
