# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A link leads out of the captured memory.

What       A struct or list that the handover points at is not in the capture.
Why        In a filtered dump this is normal when the target is preserved. Otherwise the address is wrong: the kernel reads
           whatever is there, or faults.
Example    luo_file_ser.data = 0: physical page 0 is read as a memfd record.
Instead    Store the address of memory that you preserved.
Reference  phys_to_virt() checks nothing
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("not-in-memory", "A link leads out of the captured memory", Severity.WARNING, Reaction.ACCEPTED)


EARLIER = {"memblock": Reaction.DIES_EARLY, "kexec-metadata": Reaction.PANIC}
"""Clients that fault on a wild address before there is a console, or before there is user space."""


def reaction(context: Context, problem: Problem) -> Reaction:
    """By the moment when the kernel reads what stands there."""
    if _is_preserved(context, problem):
        return Reaction.ACCEPTED
    stage = context.reaction_at(problem.path)
    if not problem.related or not context.is_beyond(problem.related[0][0]):
        return stage
    if problem.path in EARLIER:
        return EARLIER[problem.path]
    return Reaction.OOPS if stage in (Reaction.OPEN_FAILS, Reaction.RETRIEVE_FAILS) else stage


def severity(context: Context, problem: Problem) -> Severity:
    """A target that is not even preserved is wrong, whatever the dump left out."""
    return Severity.WARNING if _is_preserved(context, problem) else Severity.ERROR


def _is_preserved(context: Context, problem: Problem) -> bool:
    preserved = context.handover.preserved
    return bool(preserved is not None and problem.related and preserved.covers(problem.related[0][0]))
