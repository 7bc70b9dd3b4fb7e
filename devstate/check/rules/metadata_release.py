# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The release in kexec-metadata is not the writer's.

What       previous_release is no kernel release, or one whose kernels do not write this root.
Why        It is only logged; but who trusts it judges the handover by the wrong kernel.
Example    "6.19.1" beside a root kho-v4.
Instead    Let KHO write it.
Reference  include/linux/kho/abi/kexec_metadata.h
"""

from __future__ import annotations

from devstate.check.reader import can_have_written
from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.layout.release import parse_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("metadata-release", "The release in kexec-metadata is not the writer's", Severity.WARNING, Reaction.ACCEPTED)

OFFSET = 4
"""Of previous_release in kho_kexec_metadata."""


def check(context: Context) -> Iterator[Finding]:
    """Ask whether such a kernel writes what was met."""
    handover = context.handover
    if handover.metadata is None:
        return
    text = handover.metadata.previous_release
    release = parse_release(text)
    if release is None or not can_have_written(handover, release):
        message = "no kernel release" if release is None else f"kernel {release} does not write {handover.compatible}"
        pa = handover.metadata.pa + OFFSET
        yield RULE.finding(handover, message, pa, "kexec-metadata.previous_release", "the writer's release", repr(text))
