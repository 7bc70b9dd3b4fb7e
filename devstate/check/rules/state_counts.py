# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An object of the subtree devstate says another number of records than it has.

What       The head of an IOMMU unit, of interrupts or of an ITS counts the records of its parts, and a part has more or fewer, or is not
           there.
Why        Records were lost or added between the two: what they stand for is not taken over, or is taken over twice.
Example    The head says 4 domains, and the part domains has 3.
Instead    Write the head last.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.objects import COUNTED, has_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

TITLE = "An object of the subtree devstate says another number of records than it has"
RULE = Rule("state-counts", TITLE, Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Each object that has a head."""
    for where, names in COUNTED.items():
        if not has_objects(context.handover, where):
            continue
        from devstate.handover.objects import objects_of

        for each in objects_of(context.handover, where):
            for name in names:
                said, found = getattr(each.head, name, None), len(each.parts.get(name, ()))
                if said is not None and said != found:
                    message = f"the part {name} has another number of records"
                    yield RULE.finding(context.handover, message, each.pa, f"{each.path}.{name}", said, found)
