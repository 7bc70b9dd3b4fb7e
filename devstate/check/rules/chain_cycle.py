# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A chain comes back to a block that it has been at.

What       A block's next is an earlier block of the same chain.
Why        The kernel finds the loop and refuses the set: for sessions it panics, for files every open of /dev/liveupdate fails.
Example    the last session block's next = the first block.
Instead    End the chain with 0.
Reference  kernel/liveupdate/kho_block.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("chain-cycle", "A chain comes back to a block that it has been at", Severity.ERROR, Reaction.PANIC, by_moment=True)
