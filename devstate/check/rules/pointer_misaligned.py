# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A page is pointed at by an address inside it.

What       The address of a block or page list is no multiple of the page size.
Why        The kernel does not check: it reads the header shifted, usually a bad count.
Example    next = 0x2368008.
Instead    Store page addresses.
Reference  kernel/liveupdate/kho_block.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("pointer-misaligned", "A page is pointed at by an address inside it", Severity.ERROR, Reaction.RETRIEVE_FAILS, by_moment=True)
