# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Policy: what a project makes of findings. Levels for each rule, here and in subsystems, and waivers. Pure data, applied to findings.

A level is one of allow (say nothing), warn and deny. It never hides or lowers what is misread or read too far: that takes a waiver, for
one finding, with a reason, an owner and an end (``devstate.compat.waivers``). Nor does it make evidence that is missing a pass. Facts stay
facts: outcomes are not touched, only severities.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from devstate.compat.waivers import Subject, Waiver, compares, complaints, covers, is_grave, names_of, waived
from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence

    from devstate.compat.examine import Report
    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout

    Sides = tuple[Declared, Declared]

LEVELS = {"allow": None, "warn": Severity.WARNING, "deny": Severity.ERROR}
"""The words for a level, and the severity that each stands for."""


@frozen
class Level:
    """The level of one rule (an id), and the line that says so."""

    rule: str
    level: str
    line: int = 1


@frozen
class Subsystem:
    """A part of the project with levels of its own: formats by name or compatible (patterns), and files of findings (patterns)."""

    name: str
    levels: tuple[Level, ...]
    formats: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def has(self, subject: Subject) -> bool:
        """Whether a finding is about this part."""
        names = names_of(subject.new) or names_of(subject.old)
        source = subject.finding.location.source or ""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.formats) or any(
            fnmatchcase(source, pattern) or fnmatchcase(source, f"*/{pattern}") for pattern in self.paths
        )


@frozen
class Policy:
    """What a ``devstate.toml`` says. ``source`` is its name, for complaints."""

    source: str = "devstate.toml"
    levels: tuple[Level, ...] = ()
    subsystems: tuple[Subsystem, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def level(self, subject: Subject) -> Level | None:
        """The level for a finding: that of the first subsystem that has it and names the rule, else the workspace's."""
        sets = [part.levels for part in self.subsystems if part.has(subject)]
        return next((each for levels in (*sets, self.levels) for each in levels if each.rule == subject.finding.rule), None)


@frozen
class Applied:
    """``findings`` are those that are left, in order, each with what it is about; ``complaints`` are about the policy itself."""

    findings: tuple[Subject, ...]
    complaints: tuple[Finding, ...]


def apply(
    subjects: Iterable[Subject],
    policy: Policy,
    *,
    today: datetime.date,
    compared: Sequence[tuple[Layout | None, Layout | None]] = (),
    complete: bool = False,
) -> Applied:
    """Findings under a policy. ``compared`` are the pairs that were looked at, whether they gave findings or not: a waiver for one of them
    that nothing needs is unused. ``complete`` says that there are no other pairs, so that every idle waiver is."""
    kept: list[Subject] = []
    matched: dict[Waiver, list[Subject]] = {waiver: [] for waiver in policy.waivers}
    taken: set[Waiver] = set()
    ignored: dict[Level, list[Subject]] = {}
    for subject in subjects:
        waiver = None
        for each in policy.waivers:
            if covers(each, subject):
                matched[each].append(subject)
                waiver = each if waiver is None and _holds(each, subject, today) else waiver
        if waiver is not None:
            taken.add(waiver)
            kept.append(replace(subject, finding=waived(subject.finding, waiver)))
            continue
        level = policy.level(subject)
        severity = LEVELS[level.level] if level is not None else subject.finding.severity
        if level is not None and is_grave(subject.finding) and level.level != "deny":
            ignored.setdefault(level, []).append(subject)
            severity = subject.finding.severity
        if severity is not None:
            kept.append(replace(subject, finding=replace(subject.finding, severity=severity)))
    found = [_level_complaint(policy, level, about) for level, about in ignored.items()]
    for waiver in policy.waivers:
        known = complete or any(compares(waiver, old, new) for old, new in compared)
        found += complaints(waiver, policy.source, matched[waiver], waiver in taken, known, today)
    return Applied(tuple(kept), tuple(found))


def subjects_of(report: Report, sides: Sequence[Sides]) -> list[Subject]:
    """The report's findings with the layouts that they are about, entry by entry. ``sides`` are the (old, new) pairs of sources that were
    compared; of a format that is there in several environments the first one counts."""
    old = {(each.origin, layout.name): layout for each, _ in reversed(sides) for layout in each.formats}
    new = {layout.name: layout for _, each in reversed(sides) for layout in each.formats}
    return [Subject(each.finding, old.get((next(iter(each.against), ""), each.old)), new.get(each.new)) for each in report.entries]


def apply_policy(report: Report, policy: Policy, sides: Sequence[Sides], *, today: datetime.date, complete: bool = False) -> Report:
    """A comparison's report under a policy; complaints about the policy are entries of it. Outcomes stay as they are."""
    from devstate.compat.examine import Entry

    known = [{layout.name: layout for pair in reversed(sides) for layout in pair[side].formats} for side in (0, 1)]
    pairs = [(known[0].get(old), known[1].get(new)) for old, new in report.compared]
    subjects = subjects_of(report, sides)
    kept = []
    for entry, subject in zip(report.entries, subjects, strict=True):
        left = apply([subject], policy, today=today).findings
        kept += [replace(entry, finding=each.finding) for each in left]
    whole = apply(subjects, policy, today=today, compared=pairs, complete=complete)
    against = tuple(dict.fromkeys(name for entry in report.entries for name in entry.against))
    kept += [Entry(finding, "", "", against) for finding in whole.complaints]
    return replace(report, entries=tuple(sorted(kept, key=lambda entry: -entry.finding.severity)))


def _holds(waiver: Waiver, subject: Subject, today: datetime.date) -> bool:
    """Whether a waiver that covers a finding counts: in time, of this very change, and not too broad for it."""
    broad = waiver.is_pattern and is_grave(subject.finding)
    return not broad and waiver.expires >= today and subject.print() in waiver.fingerprints


def _level_complaint(policy: Policy, level: Level, about: list[Subject]) -> Finding:
    subjects = ", ".join(sorted({each.finding.location.path or "" for each in about}))
    message = f'"{level.level}" does not cover what is misread, read too far or not known: {subjects} stands; a waiver covers one finding'
    return Finding("level-broad", Severity.WARNING, message, Location(policy.source, path=level.rule, line=level.line))
