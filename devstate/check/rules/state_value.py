# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A value in the subtree devstate is none that its layout allows.

What       A field of a part, or of what a part leads to, is out of its range, has a value or bit without a name, is not the constant
           that it must be, or is a text without an end.
Why        A reader that checks before it trusts refuses the object; one that does not goes on with a value that means nothing.
Example    phase is 9, and the layout knows 0 to 3.
Instead    Write values of the embedded layout only; a new meaning is a new layout.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("state-value", "A value in the subtree devstate is none that its layout allows", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """The records of every sound part, and those that they lead to."""
    if context.handover.state is None:
        return
    from devstate.handover.state_values import state_faults

    for path, pa, fault in state_faults(context.handover):
        yield RULE.finding(context.handover, f"not a value of this field ({fault.rule})", pa, path, fault.expected, fault.found)
