# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Waivers: one known finding that someone answers for, until a day. Plain data, and whether a finding is the one that is meant.

::

    [[waiver]]
    rule = "DS109"                       one rule, by id or name
    field = "kho_mem_bitmap.bits"        one subject; a pattern only where nothing is misread
    from = "kho-v1"                      the two formats; `format` instead of both for what lint finds
    to = "kho-v1"
    reason = "no machine upgrades from 6.17 in place"
    owner = "Ada <ada@example.org>"
    expires = 2027-01-31                 the last day on which it counts
    fingerprint = "5f0e7a6b1c2d3e4f"     of exactly this change: printed with the finding

The fingerprint covers rule, subject, outcomes, and both versions of the struct: when either changes again, the waiver is void.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from devstate.finding import Finding, Location, Outcome, Severity
from devstate.frozen import frozen, replace
from devstate.layout.baseline import fingerprint
from devstate.layout.plain import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Iterator
    from typing import Any, TextIO

    from devstate.layout.model import Layout

_PATTERN = frozenset("*?[")


@frozen
class Waiver:
    """One waiver; ``rule`` is an id. ``old`` and ``new`` are a format's name or compatible; ``old`` is None for what lint finds."""

    rule: str
    field: str
    old: str | None
    new: str
    reason: str
    owner: str
    expires: datetime.date
    fingerprints: tuple[str, ...]
    line: int = 1

    @property
    def is_pattern(self) -> bool:
        """Whether it may stand for more than one subject or format."""
        return any(_PATTERN & set(text) for text in (self.field, self.old or "", self.new))


@frozen
class Subject:
    """A finding with what it is about: ``old`` is None for a finding about ``new`` alone."""

    finding: Finding
    old: Layout | None
    new: Layout | None

    def print(self) -> str:
        """The fingerprint that a waiver must have."""
        place = self.finding.location.path or ""
        sides = [None if layout is None else _relevant(layout, place) for layout in (self.old, self.new)]
        outcomes = [str(each) for each in (self.finding.read_old, self.finding.read_new)]
        return fingerprint([self.finding.rule, place, outcomes, sides])


def _relevant(layout: Layout, place: str) -> Any:
    """What of a layout a subject is about: its struct, or everything when it is not in one."""
    structs = [struct for struct in layout.structs if struct.name == place.partition(".")[0]]
    if structs:
        return to_plain(structs[0])
    return [to_plain(layout.root), to_plain(layout.structs), layout.limits, layout.constants]


def names_of(layout: Layout | None) -> tuple[str, ...]:
    """What a waiver may call a format."""
    return () if layout is None else tuple(name for name in (layout.name, layout.compatible) if name)


def compares(waiver: Waiver, old: Layout | None, new: Layout | None) -> bool:
    """Whether the two formats are those that a waiver speaks of."""
    if (waiver.old is None) != (old is None):
        return False
    return _named(waiver.new, new) and (waiver.old is None or _named(waiver.old, old))


def _named(pattern: str, layout: Layout | None) -> bool:
    return any(fnmatchcase(name, pattern) for name in names_of(layout))


def covers(waiver: Waiver, subject: Subject) -> bool:
    """Whether a finding is of the rule, field and formats of a waiver, fingerprint aside."""
    place = subject.finding.location.path or ""
    return waiver.rule == subject.finding.rule and fnmatchcase(place, waiver.field) and compares(waiver, subject.old, subject.new)


def is_grave(finding: Finding) -> bool:
    """Whether a reader gets what was not written for it, or nobody could look: such a finding is only ever waived by its own name."""
    return max(finding.read_old or Outcome.OK, finding.read_new or Outcome.OK) >= Outcome.SHORT or finding.rule == "DS504"


def waived(finding: Finding, waiver: Waiver) -> Finding:
    """The finding as information, with who answers for it."""
    note = f"{finding.message} (waived until {waiver.expires} by {waiver.owner}: {waiver.reason})"
    return replace(finding, severity=Severity.INFO, message=note)


def stanza(subject: Subject, today: datetime.date) -> str:
    """The waiver for a finding, to be completed by a person: ninety days, no reason, no owner."""
    import datetime

    formats = [name for name in (subject.old and subject.old.name, subject.new and subject.new.name) if name]
    pair = f'from = "{formats[0]}"\nto = "{formats[1]}"' if len(formats) == 2 else f'format = "{formats[0] if formats else ""}"'
    return (
        f'[[waiver]]\nrule = "{subject.finding.rule}"\nfield = "{subject.finding.location.path or ""}"\n{pair}\nreason = ""\nowner = ""\n'
        f'expires = {today + datetime.timedelta(days=90)}\nfingerprint = "{subject.print()}"\n'
    )


def write_stanzas(subjects: Iterable[Subject], today: datetime.date, stream: TextIO) -> None:
    """Write the waiver for each error, one a finding."""
    for subject in subjects:
        if subject.finding.severity is Severity.ERROR and subject.finding.rule.startswith("DS") and subject.new is not None:
            stream.write(stanza(subject, today) + "\n")


def complaints(waiver: Waiver, source: str, matched: list[Subject], taken: bool, known: bool, today: datetime.date) -> Iterator[Finding]:
    """What is wrong with a waiver. ``matched`` are the findings it covers but for the fingerprint, ``taken`` whether one was waived,
    ``known`` whether its formats were looked at in this run: what was not looked at is not called unused."""
    what = f"{waiver.rule} {waiver.field}"

    def complaint(rule: str, message: str) -> Finding:
        return Finding(rule, Severity.ERROR, message, Location(source, path=what, line=waiver.line))

    if waiver.expires < today:
        yield complaint("waiver-expired", f"it ended on {waiver.expires}; ask {waiver.owner}, then renew it or take it out")
    elif waiver.is_pattern and any(is_grave(each.finding) for each in matched):
        graves = sorted({each.finding.location.path or "" for each in matched if is_grave(each.finding)})
        yield complaint("waiver-broad", f"a pattern does not waive what is misread: name each of {', '.join(graves)}")
    elif matched and not taken:
        prints = ", ".join(sorted({each.print() for each in matched}))
        yield complaint("waiver-unused", f"the change is another one than was waived: look at it again; its fingerprint is {prints}")
    elif not matched and known:
        yield complaint("waiver-unused", "nothing that was compared needs it; take it out")
