# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A converter fails on state that exists.

What       A record of the old version is not accepted by the step that should convert it.
Why        The upgrade fails on hosts that have such state.
Example    a memfd without folios has no entry in the page list.
Instead    A converter is total: it takes every record that the old version allows.
Reference  the handovers in tests/captures, which real kernels wrote
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS602", "old-corpus-fails", Severity.ERROR, bump=False, category="READ")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Report what the steps said of themselves."""
    for step in comparison.migrations or ():
        for failure in step.failures:
            yield RULE.finding(f"{step.old} to {step.new}: {failure}", comparison.name, Outcome.REFUSED, Outcome.OK)
