# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a rule is. One file in ``devstate/compat/rules`` each, named as its id; the docstring says What, Why, Example, Instead, Reference.

A rule with ``kinds`` speaks of changes of these kinds: ``message(change)`` puts one into words. A rule with ``check(comparison)`` finds
things that are no single change; one with ``lint(layout)`` looks at one layout by itself. Level and required bump are data.
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Outcome, Severity
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

CATEGORIES = ("BYTES", "READ", "ROLLBACK", "SOURCE")
"""How strict a promise is: the bytes never change; the new kernel reads the old; the old one reads the new; the source is in order."""


@frozen
class Rule:
    """A rule's data. ``severity`` is its level where outcome and support do not decide; ``bump`` whether what it finds needs a version."""

    id: str
    name: str
    severity: Severity
    kinds: tuple[str, ...] = ()
    bump: bool = True
    category: str = "BYTES"

    def finding(
        self,
        message: str,
        subject: str,
        read_old: Outcome = Outcome.OK,
        read_new: Outcome = Outcome.OK,
        severity: Severity | None = None,
        offset: int | None = None,
    ) -> Finding:
        """A finding of this rule; where that is in a file, and what a kernel does about it, is added by who knows."""
        place = Location(None, None, offset, subject)
        return Finding(self.id, self.severity if severity is None else severity, message, place, read_old=read_old, read_new=read_new)


def was_and_is(change: Change) -> str:
    """What a change took away and brought, in one clause."""
    if change.old in ("", "nothing"):
        return f"new: {change.new}"
    if change.new in ("", "nothing"):
        return f"gone: {change.old}"
    return f"{change.old} became {change.new}"


def moved(change: Change) -> str:
    """What moved along, as a clause to append."""
    from devstate.compat.words import names_text

    return f"; with it {names_text(change.folded)} moved" if change.folded else ""
