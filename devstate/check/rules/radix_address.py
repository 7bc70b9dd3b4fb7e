# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The preserved map covers addresses that no machine has.

What       A set bit stands for memory beyond the physical address space.
Why        The kernel writes a stamp into the struct page of each block: there is none, and it faults before the console.
Example    a bit for physical address 1 << 57.
Instead    Preserve memory that exists.
Reference  kho_mem_retrieve() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.check.tables import related
from devstate.finding import Reaction, Severity

__all__ = ("RULE", "related")

RULE = Rule("radix-address", "The preserved map covers addresses that no machine has", Severity.ERROR, Reaction.DIES_EARLY)
