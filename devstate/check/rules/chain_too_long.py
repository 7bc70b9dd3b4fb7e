# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A chain has too many blocks.

What       More than 10000 blocks, KHO_MAX_BLOCKS.
Why        The kernel refuses the set: for sessions it panics, for files every open of /dev/liveupdate fails.
Example    10001 blocks.
Instead    Split the set.
Reference  kernel/liveupdate/kho_block.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("chain-too-long", "A chain has too many blocks", Severity.ERROR, Reaction.PANIC, by_moment=True)
