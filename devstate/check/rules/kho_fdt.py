# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""KHO's root devicetree is damaged.

What       The root FDT breaks the rules of a flattened devicetree: header, structure, names, nodes or properties that stand
           twice.
Why        The kernel checks only the header before it uses the tree. A damaged structure shows as "not found", so its clients
           start as if nothing was handed over.
Example    magic 0xd00dfeee instead of 0xd00dfeed: "handover FDT is invalid", KHO revival is disabled.
Instead    Rebuild the root with the kernel's own writer; keep it within one page.
Reference  kho_populate() in kernel/liveupdate/kexec_handover.c, Devicetree Specification 0.4 chapter 5
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.root import passes_header_check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("kho-fdt", "KHO's root devicetree is damaged", Severity.ERROR, Reaction.IGNORED)


def reaction(context: Context, problem: Problem) -> Reaction:
    """Behind the map the kernel finds what stands before the damage, and takes the rest as absent: other rules say what that costs."""
    handover = context.handover
    return Reaction.ACCEPTED if handover.memory_map_pa and passes_header_check(handover.fdt) else RULE.reaction
