# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""No converter leads from the old version to the new one.

What       Converters are declared, and no chain of them joins the two versions.
Why        Old state cannot be brought to the new form, before the jump or after it.
Example    memfd-v1 to v2 is there, v2 to v3 is not.
Instead    Write the step that is missing; devstate gives a stub.
Reference  luo-v1 to luo-v5, four steps within one series
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.words import names_text
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.compat.change import Comparison
    from devstate.finding import Finding
    from devstate.layout.converter import Step
    from devstate.layout.model import Layout

RULE = Rule("DS601", "migration-missing", Severity.ERROR, bump=False, category="READ")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Follow the declared steps."""
    if comparison.migrations is None or comparison.old is None or comparison.new is None or not comparison.bumped:
        return
    known, pending = {comparison.old.name}, [comparison.old.name]
    for name in pending:
        for step in comparison.migrations:
            if step.old == name and step.new not in known:
                known.add(step.new)
                pending.append(step.new)
    if comparison.new.name not in known:
        reached = names_text(sorted(known - {comparison.old.name})) or "nothing"
        message = f"converters lead from {comparison.old.name} to {reached}, not to {comparison.new.name}"
        yield RULE.finding(message, comparison.new.name, Outcome.REFUSED, Outcome.REFUSED)


def unconverted(formats: Sequence[Layout], steps: Sequence[Step]) -> Iterator[Finding]:
    """Formats that replace another one without a converter from it."""
    up = {(step.source, step.target) for step in steps if not step.down}
    for layout in formats:
        before = [each for each in formats if layout.replaces is not None and layout.replaces in (each.name, each.compatible)]
        if before and not any((each.name, layout.name) in up for each in before):
            message = f"no converter leads from {names_text(each.name for each in before)} to it"
            yield RULE.finding(message, layout.name, severity=Severity.WARNING)
