# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A page list comes back to itself.

What       A page list's next is an earlier page of the same list.
Why        The kernel stops when total_pages is passed: EINVAL.
Example    next = its own address.
Instead    End the list with 0.
Reference  kho_restore_vmalloc() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("vmalloc-cycle", "A page list comes back to itself", Severity.ERROR, Reaction.RETRIEVE_FAILS)
