# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A vmalloc area has flags that the kernel does not know.

What       A bit of kho_vmalloc.flags has no name.
Why        The reader drops unknown bits without a word.
Example    flags = 0x8001.
Instead    Use VM_ALLOC and HUGE_VMAP only.
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

RULE = Rule("vmalloc-flags", "A vmalloc area has flags that the kernel does not know", Severity.WARNING, Reaction.ACCEPTED)


VM_ALLOC = 1
"""KHO_VMALLOC_ALLOC, which the kernel sets for every area that it preserves this way."""


def check(context: Context) -> Iterator[Finding]:
    """Mask the known bits away."""
    for file in context.bodies():
        if file.pages is None:
            continue
        area = file.pages.record
        known = area.layout.field("flags").known_bits
        if area.flags & ~known:
            pa = field_pa(file.pages.pa, area, "flags")
            yield RULE.finding(
                context.handover, "unknown flags of the vmalloc area", pa, f"{file.path}/folios", f"bits of {known:#x}", f"{area.flags:#x}"
            )
        elif not area.flags & VM_ALLOC and area.first:
            pa = field_pa(field_pa(file.data_pa, file.body, "folios"), area, "flags")
            message = "the area is not said to be one of vmalloc"
            yield RULE.finding(context.handover, message, pa, f"{file.path}/folios", f"{VM_ALLOC:#x} among them", f"{area.flags:#x}")
