# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A subtree's blob is of no known format.

What       A client that devstate knows has a blob with another version string or number, or too few bytes for one.
Why        The client refuses it: LUO panics, memblock allocates afresh, kexec-metadata warns.
Example    kexec-metadata with version 2: "version 2 not supported (expected 1)".
Instead    Jump to a kernel that knows the format.
Reference  the client's code under kernel/liveupdate and mm
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("subtree-format", "A subtree's blob is of no known format", Severity.ERROR, Reaction.ACCEPTED)


def reaction(context: Context, problem: Problem) -> Reaction:
    """By the moment when the kernel reads what stands there."""
    return context.reaction_at(problem.path)


def severity(context: Context, problem: Problem) -> Severity:
    """What costs a line in the log and no state is a warning."""
    return Severity.WARNING if reaction(context, problem) is Reaction.ACCEPTED else Severity.ERROR
