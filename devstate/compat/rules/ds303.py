# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The new kernel does not read the old version.

What       The version changed, rightly, and nothing says that the new kernel still decodes the old one.
Why        The upgrade is refused, in the way of the format. Inside a support window that is a broken promise, outside of it information.
Example    a kernel with memfd-v2 has no handler for memfd-v1: every open of /dev/liveupdate fails.
Instead    Keep the old decoder for a release, and say so: Versions(accepts=("memfd-v1",)).
Reference  LUO looks a handler up by its string; 7.0 to 7.1
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.versions import REFUSED, taken
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS303", "bump-without-decoder", Severity.ERROR, bump=False, category="READ")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Ask the reader's version rule."""
    old, new = comparison.old, comparison.new
    if old is None or new is None or not comparison.bumped or not comparison.needs_bump:
        return
    if taken(new, old) == REFUSED or any(guard.changed for guard in comparison.guards[1:]):
        promised = "read-old" in comparison.supported
        changed = next(guard for guard in comparison.guards if guard.changed)
        message = f"{changed.new or 'the new version'} is read, {changed.old or 'the old one'} is refused"
        yield RULE.finding(message, changed.where or new.name, Outcome.REFUSED, Outcome.OK, Severity.ERROR if promised else Severity.INFO)
