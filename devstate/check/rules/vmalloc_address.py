# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An entry of a page list is no page address.

What       The low bits of an address in a page list are set.
Why        The kernel makes a page frame number of it and drops them; but the writer stores addresses of pages.
Example    entry 0x2863008.
Instead    Store the address of the page.
Reference  kho_restore_vmalloc() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("vmalloc-address", "An entry of a page list is no page address", Severity.WARNING, Reaction.ACCEPTED)
