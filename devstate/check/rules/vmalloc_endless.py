# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A page list goes on after total_pages.

What       The list holds more blocks than total_pages calls for.
Why        kho_restore_vmalloc() refuses it: EINVAL, and the data of the file is gone.
Example    total_pages = 1, a list of 511 addresses.
Instead    Write total_pages from the list.
Reference  kho_restore_vmalloc() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("vmalloc-endless", "A page list goes on after total_pages", Severity.ERROR, Reaction.RETRIEVE_FAILS)
