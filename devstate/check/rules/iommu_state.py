# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The records of an IOMMU unit do not say what its tables say.

What       A domain, an attachment or a table of a preserved unit differs from the unit's own tables, or one has what the other lacks; or
           the stream of a domain's page tables does not unpack to those in memory.
Why        The unit goes on translating by its tables while the new kernel believes the records: it frees, maps or flushes the wrong thing.
Example    The record attaches 00:04.0 to domain 6 at 0x2b28000; its context entry leads to 0x2b29000.
Instead    Write the records when nothing changes the tables any more, from what stands in them.
Reference  schemas/project/iommu.py
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.objects import IOMMU, has_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("iommu-state", "The records of an IOMMU unit do not say what its tables say", Severity.ERROR, Reaction.SILENT_WRONG)


def check(context: Context) -> Iterator[Finding]:
    """Each unit whose tables are in memory."""
    state = context.handover.state
    if state is None or not has_objects(context.handover, IOMMU):
        return
    from devstate.handover.iommu.packed import STREAM, verify_streams
    from devstate.handover.iommu.state import KINDS, verify_state
    from devstate.handover.objects import units_of

    for each, unit in units_of(context.handover):
        if each.head.kind not in KINDS.values():
            message = "a kind of unit that there is not"
            yield RULE.finding(context.handover, message, each.pa, f"{each.path}/kind", "1, 2 or 3", each.head.kind)
        if unit is None:
            continue
        prefix = f"{each.path}/tables-"
        raw = {part.path.removeprefix(prefix): part.data for part in state.parts if part.path.startswith(prefix) and part.format == STREAM}
        streams = {int(place): bytes(data) for place, data in raw.items() if place.isdecimal() and data is not None}
        packed = verify_streams(each.parts.get("domains", ()), streams, unit)
        for found in (*unit.findings, *verify_state(each.parts, unit), *packed):
            if found.severity > Severity.INFO and not found.rule.endswith("not-in-memory"):
                pa = each.pa if found.location.pa is None else found.location.pa
                yield RULE.finding(context.handover, found.message, pa, f"{each.path}: {found.location.path}", found.expected, found.found)
