# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A subtree's recorded size is more than its format has.

What       blob-size is larger than the struct, or than the devicetree by its own totalsize.
Why        Readers check for too few bytes only, and ignore the rest; but the writer knows the size of what it wrote.
Example    blob-size 64 of a luo_ser of 32 bytes.
Instead    Register the size of the struct.
Reference  kho_retrieve_subtree() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("subtree-size", "A subtree's recorded size is more than its format has", Severity.WARNING, Reaction.ACCEPTED)
