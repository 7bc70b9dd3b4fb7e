# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reserve_mem region's property is missing or has a wrong length.

What       start or size of a region is absent or not 8 bytes long.
Why        The kernel does not adopt the region and allocates it afresh, without a message: the content is lost.
Example    size of 4 bytes.
Instead    Write both as native u64.
Reference  reserve_mem_kho_revive() in mm/memblock.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("memblock-property", "A reserve_mem region's property is missing or has a wrong length", Severity.ERROR, Reaction.REGION_WRONG)
