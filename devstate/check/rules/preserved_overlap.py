# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory is preserved twice, in blocks of different orders.

What       Set bits of two orders cover the same memory.
Why        Both heads are stamped and all of it is reserved; when one is restored the stamps inside it are lost, and what is left
           over leaks.
Example    order 4 at 0x2390000 over single pages at 0x2398000.
Instead    Unpreserve a block before you preserve a part of it.
Reference  kho_mem_retrieve() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("preserved-overlap", "Memory is preserved twice, in blocks of different orders", Severity.WARNING, Reaction.ACCEPTED)
