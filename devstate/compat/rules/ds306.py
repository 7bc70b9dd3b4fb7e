# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Older kernels can no longer read what the new one writes.

What       The least reader that a writer asks for went up.
Why        The way back to kernels below it is gone.
Example    readers from 3 on could read it, now from 4 on.
Instead    Raise it when the window that promises the way back has passed.
Reference  the reader version of Delta tables, the same idea
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS306", "min-reader-raised", Severity.WARNING, bump=False, category="ROLLBACK")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Compare what both sides ask of a reader."""
    old, new = comparison.old, comparison.new
    if old is None or new is None or old.versions.min_reader is None or new.versions.min_reader is None:
        return
    before, after = old.versions.min_reader, new.versions.min_reader
    if after > before:
        refused = old.version is not None and old.version[1] < after
        severity = Severity.ERROR if "read-new" in comparison.supported else Severity.WARNING
        outcome = Outcome.REFUSED if refused else Outcome.OK
        yield RULE.finding(f"readers from version {before} on, now from {after} on", new.name, Outcome.OK, outcome, severity)
