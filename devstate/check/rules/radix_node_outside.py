# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The preserved map points outside of memory.

What       A table of the radix tree holds the address of a node that is in no captured memory.
Why        The kernel walks the tree before the console is up and checks no address: a wild one is a fault that nobody sees.
Example    table[2] = 0x7ff000000000 on a machine with 512 MiB.
Instead    Hand over the tree as KHO built it, untouched.
Reference  the radix walk in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.check.tables import related
from devstate.finding import Reaction, Severity

__all__ = ("RULE", "related")

RULE = Rule("radix-node-outside", "The preserved map points outside of memory", Severity.ERROR, Reaction.DIES_EARLY)
