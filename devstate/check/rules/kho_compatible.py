# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reading kernel does not know the root's compatible.

What       The root compatible is unknown, no string, or not the one that the reading kernel accepts.
Why        Kernels accept exactly their own kho-vN. With any other the machine boots as if nothing was handed over: guests are
           gone.
Example    a 7.3 kernel finds "kho-v3" and wants "kho-v4".
Instead    Jump to a kernel that accepts this root.
Reference  kho_populate() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.layout.release import accepted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.model import Handover

RULE = Rule("kho-compatible", "The reading kernel does not know the root's compatible", Severity.ERROR, Reaction.IGNORED)


def check(context: Context) -> Iterator[Finding]:
    """Compare with what kernels of the reading release write."""
    handover = context.handover
    if context.release is None or handover.layout is None or handover.layout.found_by is None:
        return
    wanted = accepted(handover.registry, handover.layout.found_by, context.release)
    if wanted and handover.compatible not in wanted:
        message = f"kernel {context.release} does not accept this root"
        yield RULE.finding(handover, message, _compatible_pa(handover), "/compatible", " or ".join(wanted), handover.compatible)


def _compatible_pa(handover: Handover) -> int | None:
    prop = handover.fdt.root.property("compatible") if handover.fdt is not None else None
    return None if prop is None or prop.offset is None or handover.fdt_pa is None else handover.fdt_pa + prop.offset
