# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The version changed and nothing else did.

What       Another version, and neither a byte nor a meaning that a layout shows is different.
Why        Kernels refuse what they could read.
Example    kho-v3 and kho-v4 have the same bytes.
Instead    Keep the version. If a meaning changed that no layout shows, say so in the schema.
Reference  0349ff288705, kho-v3 to kho-v4; composite strings of the RFC of 2026-06-05
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS307", "needless-bump", Severity.WARNING, bump=False, category="READ")


def check(comparison: Comparison) -> Iterator[Finding]:
    """A changed version without a change behind it."""
    if comparison.bumped and not comparison.needs_bump and comparison.new is not None:
        for guard in comparison.guards:
            if guard.changed:
                message = f"{guard.old or 'no version'} became {guard.new or 'none'}, and nothing that a layout shows did"
                yield RULE.finding(message, guard.where or comparison.new.name, Outcome.REFUSED, Outcome.REFUSED)
