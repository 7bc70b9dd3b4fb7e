# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The kexec-metadata blob is too short.

What       The blob has fewer bytes than a version field, or than the struct of its version.
Why        The reader warns and ignores it: provenance is lost, state is not.
Example    blob-size 3: "kexec-metadata blob too small (3 bytes)".
Instead    Write all 73 bytes.
Reference  include/linux/kho/abi/kexec_metadata.h
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("metadata-size", "The kexec-metadata blob is too short", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Compare the blob with the struct."""
    subtree = context.handover.subtree("kexec-metadata")
    names = context.handover.registry.found_by("KHO subtree kexec-metadata")
    if subtree is None or subtree.blob is None or not names:
        return
    size = context.handover.registry.layout(names[0], context.handover.environment).struct().size
    if len(subtree.blob) < size:
        yield RULE.finding(
            context.handover,
            "the blob is too short",
            subtree.size_pa or subtree.pa,
            subtree.path,
            f"{size} bytes",
            f"{len(subtree.blob)} bytes",
        )
