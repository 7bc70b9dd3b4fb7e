# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kexec-metadata has a version that the reader does not know.

What       The version field is not the one of the known struct.
Why        The reader warns and ignores it: provenance is lost, state is not.
Example    version 2: "version 2 not supported (expected 1)".
Instead    Write version 1 for as long as there is a kernel that only knows that.
Reference  include/linux/kho/abi/kexec_metadata.h
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.subtrees import links_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("metadata-version", "kexec-metadata has a version that the reader does not know", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Read the version where it always stands."""
    handover = context.handover
    subtree = handover.subtree("kexec-metadata")
    names = handover.registry.found_by("KHO subtree kexec-metadata")
    if subtree is None or subtree.blob is None or len(subtree.blob) < 4 or not names:
        return
    wanted = handover.registry.layout(names[0], handover.environment).version
    found = int.from_bytes(subtree.blob[0:4], handover.environment.byte_order)
    if wanted is not None and found != wanted[1]:
        message, path = "the version is unknown", f"{subtree.path}.version"
        yield RULE.finding(handover, message, subtree.pa, path, wanted[1], found, related=links_to(subtree))
