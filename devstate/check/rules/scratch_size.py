# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The scratch array is no whole number of entries.

What       The size of the scratch array is not a multiple of 16.
Why        The reader divides and drops the rest without a word; with no whole entry the first early allocation fails.
Example    scratch_size = 40.
Instead    Write the count times sizeof(struct kho_scratch).
Reference  kho_populate() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("scratch-size", "The scratch array is no whole number of entries", Severity.ERROR, Reaction.ACCEPTED)
