# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A block has an impossible number of entries.

What       A block's count is 0 or more than fits the page.
Why        The kernel refuses the set: for sessions it panics, for files every open of /dev/liveupdate fails.
Example    count 52 where 51 sessions fit.
Instead    Count what was written, and do not hand over unused blocks.
Reference  kernel/liveupdate/kho_block.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("chain-count", "A block has an impossible number of entries", Severity.ERROR, Reaction.PANIC, by_moment=True)
