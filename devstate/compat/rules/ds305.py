# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The new kernel accepts fewer old versions.

What       The least version that a reader takes went up, or a version that it decoded is no longer listed.
Why        Kernels that still write the older version cannot be upgraded from.
Example    it accepted 1, now 2, while the stable release writes 1.
Instead    Drop a decoder only after the window that promised it has passed.
Reference  minimum_version_id of QEMU, the same idea
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.versions import version_of
from devstate.compat.words import names_text
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS305", "min-accepted-raised", Severity.ERROR, bump=False, category="READ")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Compare what both sides say that they accept."""
    old, new = comparison.old, comparison.new
    if old is None or new is None:
        return
    before, after = old.versions, new.versions
    severity = Severity.ERROR if "read-old" in comparison.supported else Severity.WARNING
    if before.min_accepted is not None and after.min_accepted is not None and after.min_accepted > before.min_accepted:
        refused = old.version is not None and old.version[1] < after.min_accepted
        outcome = Outcome.REFUSED if refused else Outcome.OK
        message = f"accepted from version {before.min_accepted}, now from {after.min_accepted}"
        yield RULE.finding(message, new.name, outcome, Outcome.OK, severity)
    dropped = [each for each in before.accepts if each not in after.accepts and each != version_of(new)]
    if dropped:
        yield RULE.finding(f"no longer accepted: {names_text(dropped)}", new.name, severity=severity)
