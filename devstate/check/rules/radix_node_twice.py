# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A node of the preserved map is reached twice.

What       Two slots of the radix tree hold the same node, or a node leads back to one above it.
Why        Its bits are read under two keys: blocks that nobody preserved are stamped, whether or not there is memory.
Example    table[0] and table[1] both hold 0x21d0000.
Instead    Give each node one parent.
Reference  the radix walk in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.check.tables import leaf_is_beyond, related
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

__all__ = ("RULE", "related")

RULE = Rule("radix-node-twice", "A node of the preserved map is reached twice", Severity.ERROR, Reaction.DIES_EARLY)


def reaction(context: Context, problem: Problem) -> Reaction:
    """A leaf that is read again stands for other blocks: where there is memory, they are reserved for nobody."""
    return Reaction.ACCEPTED if leaf_is_beyond(context, problem) is False else RULE.reaction
