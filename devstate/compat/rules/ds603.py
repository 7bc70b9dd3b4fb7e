# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The way back loses something.

What       A converter to the older version drops what that version has no place for.
Why        The old kernel goes on without it, and does not know.
Example    memfd-v2 to v1 loses the seals.
Instead    Declare the loss, and refuse the way back where it matters.
Reference  memfd-v1 has no seals
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.words import names_text
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS603", "rollback-lossy", Severity.WARNING, bump=False, category="ROLLBACK")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Report what the steps declare."""
    for step in comparison.migrations or ():
        if step.loses:
            # No outcome: kernels run no converters. What the old kernel does with the new bytes is for the other rules to say.
            yield RULE.finding(f"{step.old} to {step.new} loses {names_text(step.loses)}", comparison.name)
