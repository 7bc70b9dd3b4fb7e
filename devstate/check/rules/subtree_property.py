# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A subtree's property is missing or has a wrong length.

What       preserved-data or blob-size of a client's node is absent, not 8 bytes long, or the address is 0.
Why        The lookup fails with EINVAL for this client: LUO panics, memblock allocates its regions afresh, others start without
           their state.
Example    node LUO without blob-size: "missing or invalid blob-size property", then panic.
Instead    Let KHO add the subtree: kho_add_subtree() writes both properties.
Reference  kho_retrieve_subtree() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("subtree-property", "A subtree's property is missing or has a wrong length", Severity.ERROR, Reaction.ACCEPTED, by_moment=True)
