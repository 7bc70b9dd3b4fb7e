# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A subtree's devicetree is damaged.

What       The blob of a subtree is a flattened devicetree that breaks the rules.
Why        Its client does not find its nodes, or reads others.
Example    memblock with a cut structure block: every region is allocated afresh.
Instead    Write the blob with the kernel's sequential writer, and finish it.
Reference  the client's code, Devicetree Specification 0.4 chapter 5
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.root import passes_header_check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("subtree-fdt", "A subtree's devicetree is damaged", Severity.ERROR, Reaction.ACCEPTED, by_moment=True)


def reaction(context: Context, problem: Problem) -> Reaction:
    """Damage behind the last region costs nothing: what is preserved has its owners."""
    stage = context.reaction_at(problem.path)
    subtree = context.handover.subtree("memblock")
    sound = stage is Reaction.REGION_WRONG and subtree is not None and passes_header_check(subtree.fdt)
    whole = sound and context.handover.regions and not context.ownership.unowned
    return Reaction.ACCEPTED if whole else stage
