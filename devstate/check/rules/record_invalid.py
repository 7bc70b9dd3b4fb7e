# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A record cannot be decoded.

What       The bytes at an address do not hold the struct that the schema says.
Why        The kernel reads them all the same.
Example    a flexible array longer than its area.
Instead    Write the struct that the compatible stands for.
Reference  the source that the schema names
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("record-invalid", "A record cannot be decoded", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def reaction(context: Context, problem: Problem) -> Reaction:
    """By the moment when the kernel reads what stands there."""
    return context.reaction_at(problem.path)
