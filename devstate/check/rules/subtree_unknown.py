# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A subtree of an unknown client.

What       The root has a node whose name and blob no schema knows.
Why        The reading kernel finds state by name: nobody asks for this one unless a driver of that name does. Its memory counts
           as unowned.
Example    node kexec-metadatb.
Instead    Declare a schema for it (--schemas).
Reference  kho_retrieve_subtree() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("subtree-unknown", "A subtree of an unknown client", Severity.INFO, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Ask the registry for each node."""
    handover = context.handover
    for subtree in handover.subtrees:
        if subtree.layout is None and not handover.registry.found_by(f"KHO subtree {subtree.name}"):
            at = None if subtree.data_pa is None else subtree.data_pa
            yield RULE.finding(handover, "no schema describes this subtree", at, f"/{subtree.name}", "a known client", subtree.name)
