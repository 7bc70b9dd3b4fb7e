# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nr_folios is more than the folio array holds.

What       nr_folios records of 16 bytes are more than the pages of the vmalloc area.
Why        The kernel does not compare: it reads past the area into its guard page and faults; the session's lock stays held.
Example    257 folios in one page of 256 records.
Instead    Write nr_folios from the array.
Reference  memfd_luo_retrieve_folios() in mm/memfd_luo.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("memfd-folios", "nr_folios is more than the folio array holds", Severity.ERROR, Reaction.OOPS)


def check(context: Context) -> Iterator[Finding]:
    """Compare the bytes."""
    handover = context.handover
    for file in context.bodies():
        if file.pages is None or file.nr_folios is None or file.body is None or not file.pages.complete:
            continue
        room = (len(file.pages.blocks) << file.pages.order) * handover.environment.page_size // 16
        if file.nr_folios > room and len(file.pages.blocks) << file.pages.order == file.pages.total_pages and room:
            pa = field_pa(file.data_pa, file.body, "nr_folios")
            yield RULE.finding(
                handover, "more folios than the array holds", pa, f"{file.path}.nr_folios", f"at most {room}", file.nr_folios
            )
