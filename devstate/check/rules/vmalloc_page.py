# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A page of a vmalloc area is not preserved.

What       An address in a page list is in no preserved block.
Why        kho_restore_vmalloc() fails on it: EINVAL, and the data of the file is gone.
Example    entry 0x2363000 whose bit is clear.
Instead    Preserve the area as a whole, with kho_preserve_vmalloc().
Reference  kho_restore_vmalloc() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, bits_at
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("vmalloc-page", "A page of a vmalloc area is not preserved", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Look up each block of each list, one finding a file."""
    preserved = context.handover.preserved
    for file in context.bodies() if preserved is not None else ():
        if file.pages is None or preserved is None:
            continue
        for number, pa in enumerate(file.pages.blocks):
            if not preserved.covers(pa, file.pages.block_size):
                related = ((pa, "the page that is not preserved"), *bits_at(context.handover, pa))
                at = file.pages.entry_pa(number)
                yield RULE.finding(
                    context.handover,
                    f"block {number} of the folio array is not preserved",
                    at,
                    f"{file.path}/folios",
                    "preserved",
                    f"{pa:#x}",
                    related=related,
                )
                break
