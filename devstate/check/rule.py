# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a rule is, and the shared shapes of rules.

A rule is one file in ``devstate/check/rules`` whose name is the rule's id with underscores. It has a docstring (What, Why, Example,
Instead, Reference), a ``RULE`` with level and reaction as data, and ``check(handover)``, which yields findings. A rule whose defect is
met while the handover is opened has no ``check``: the problem with its id is the finding, and ``reaction(problem)``, if there is
one, says what the kernel does at that place.
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Reaction, Severity
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover, Problem


@frozen
class Rule:
    """A rule's data. ``reaction`` is what the reading kernel does when it meets the defect, unless a finding says otherwise.

    ``by_moment``: for a problem of the opened handover the reaction depends on the moment when the kernel reads what stands there
    (``Context.reaction_at``).
    """

    id: str
    title: str
    severity: Severity
    reaction: Reaction
    by_moment: bool = False

    def finding(
        self,
        handover: Handover,
        message: str,
        pa: int | None,
        path: str | None,
        expected: object = None,
        found: object = None,
        *,
        reaction: Reaction | None = None,
        severity: Severity | None = None,
        related: tuple[tuple[int, str], ...] = (),
    ) -> Finding:
        """A finding of this rule at a place."""
        return Finding(
            self.id,
            self.severity if severity is None else severity,
            message,
            Location(handover.source, pa, None, path),
            self.reaction if reaction is None else reaction,
            None if expected is None else str(expected),
            None if found is None else str(found),
            related,
        )

    def from_problem(
        self, handover: Handover, problem: Problem, reaction: Reaction | None = None, severity: Severity | None = None
    ) -> Finding:
        """The finding that a problem of the opened handover stands for."""
        return self.finding(
            handover,
            problem.message,
            problem.pa,
            problem.path,
            problem.expected,
            problem.found,
            reaction=reaction,
            severity=severity,
            related=problem.related,
        )


def counts_at(handover: Handover, pa: int) -> tuple[tuple[int, str], ...]:
    """Where the block that holds ``pa`` says how many entries it has; nothing when that is no block with a header."""
    page = handover.environment.page_size
    start = pa - pa % page
    claim = handover.claims.at(start, "block")
    return ((start + 8, "the count of the block"),) if claim is not None and claim.size == page else ()


def bits_at(handover: Handover, pa: int) -> tuple[tuple[int, str], ...]:
    """Where the memory map would say that ``pa`` starts a preserved block: in each order that it has, as far as ``pa`` is aligned to it."""
    preserved, page = handover.preserved, handover.environment.page_size
    if preserved is None:
        return ()
    orders = [order for order in sorted({0, *preserved.map.orders}) if order == 0 or pa % (page << order) == 0]
    places = [(order, preserved.word(pa, order)) for order in orders]
    return tuple((place[0], f"bit {place[1]} of the memory map, order {order}") for order, place in places if place is not None)


def field_pa(pa: int, record: object, name: str) -> int:
    """The physical address of a field of a record that stands at ``pa``."""
    offset: int = record.layout.field(name).offset  # type: ignore[attr-defined]  # records carry their layout
    return pa + offset
