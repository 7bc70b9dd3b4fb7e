# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A node of the preserved map is not at a page boundary.

What       A table of the radix tree holds an address that is no multiple of the page size.
Why        The node is read shifted and runs into the following page: keys are misread, or a word of that page is taken as an
           address.
Example    child 0x21ce008.
Instead    Allocate nodes as whole pages.
Reference  the radix walk in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.check.tables import related
from devstate.finding import Reaction, Severity

__all__ = ("RULE", "related")

RULE = Rule("radix-node-misaligned", "A node of the preserved map is not at a page boundary", Severity.ERROR, Reaction.DIES_EARLY)
