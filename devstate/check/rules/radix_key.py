# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A key of the preserved map is not possible.

What       A branch of the radix tree stands for keys with more bits than a key has, or for key 0, which has no order.
Why        The reader decodes an order below 0 and an address from it; nothing refuses it on read.
Example    root table slot 4 or above on 4K pages.
Instead    Keys are 1 << (64 - PAGE_SHIFT - order) | pa >> (PAGE_SHIFT + order).
Reference  955409ba5715 refuses wide keys on write only
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.check.tables import related
from devstate.finding import Reaction, Severity

__all__ = ("RULE", "related")

RULE = Rule("radix-key", "A key of the preserved map is not possible", Severity.ERROR, Reaction.DIES_EARLY)
