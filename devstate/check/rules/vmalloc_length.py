# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A page list does not hold total_pages pages.

What       The blocks of the list, 1 << order pages each, are not total_pages pages in all; or there is no list.
Why        kho_restore_vmalloc() refuses it: EINVAL, and the data of the file is gone.
Example    total_pages = 3 and two entries.
Instead    Write total_pages from the list.
Reference  kho_restore_vmalloc() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("vmalloc-length", "A page list does not hold total_pages pages", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Count the blocks of each list."""
    for file in context.bodies():
        pages = file.pages
        if pages is None or not file.nr_folios or not pages.complete:
            continue
        area = pages.record
        held = len(pages.blocks) << pages.order
        if held != area.total_pages or not held or area.order >= 32:
            wrong = "first" if not area.first else "order" if area.order and held > area.total_pages else "total_pages"
            pa = field_pa(pages.pa, area, wrong)
            end = pages.end_pa()
            related = ((end, "where the list ends"),) if end is not None else ()
            message = "the page list has another length"
            yield RULE.finding(context.handover, message, pa, f"{file.path}/folios", f"{area.total_pages} pages", held, related=related)
