# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""judge: a comparison to a verdict. Rules put changes into words; the versions decide what really happens.

::

    no version tells the two apart      the outcome of the change itself: MISREAD, SHORT, REFUSED or OK
    a version on the way changed        REFUSED, and the kernel does what the reader's schema says (panic, every open fails, ...)
    the reader decodes that version     OK

An outcome becomes a severity by what is promised: MISREAD and SHORT are errors, REFUSED is one when no version says so or a window
promises that direction, and information otherwise.
"""

from __future__ import annotations

import importlib

from devstate.compat.advice import Bump, bump_of
from devstate.compat.change import UNKNOWN
from devstate.compat.rules import ALL, BY_KIND, CHECKS
from devstate.compat.versions import PREFIX, REFUSED, SAME, taken
from devstate.finding import Finding, Location, Outcome, Reaction, Severity
from devstate.frozen import frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from devstate.compat.change import Change, Comparison
    from devstate.layout.model import Layout

DIRECTIONS = ("read-old", "read-new", "both")

ONE_FILE = {Reaction.OPEN_FAILS: Reaction.RETRIEVE_FAILS}
"""A version is met when everything is read, a value inside when its file is retrieved: then less fails."""


@frozen
class Verdict:
    """What a comparison comes to. ``read_old`` and ``read_new`` are the worst over all findings, and over the versions themselves."""

    comparison: Comparison
    findings: tuple[Finding, ...]
    read_old: Outcome
    read_new: Outcome
    bump: Bump

    def worst(self) -> Severity | None:
        """The highest severity; None when there is no finding."""
        return max((finding.severity for finding in self.findings), default=None)


def rule_module(rule: str) -> ModuleType:
    """The module of the rule with this id. KeyError when there is none."""
    if rule not in ALL:
        raise KeyError(rule)
    return importlib.import_module(f"devstate.compat.rules.{rule.lower()}")


def judge(comparison: Comparison, direction: str = "both") -> Verdict:
    """Every finding, worst first, and what becomes of both directions. Severities count only ``direction``."""
    found = [_finding(comparison, change, direction) for change in comparison.changes]
    for rule in CHECKS:
        for finding in rule_module(rule).check(comparison):
            found.append(_with_reaction(comparison, finding, direction))
    found.sort(key=lambda finding: (-finding.severity, -_worst(finding, "both"), finding.rule))
    found = [_proven(finding, found) for finding in found]
    outcomes = [max([_version_outcome(comparison, newer=newer), *(_side(finding, newer) for finding in found)]) for newer in (True, False)]
    return Verdict(comparison, tuple(found), outcomes[0], outcomes[1], bump_of(comparison))


def _finding(comparison: Comparison, change: Change, direction: str) -> Finding:
    module = rule_module(BY_KIND[change.kind])
    outcomes = _effective(comparison, change, newer=True), _effective(comparison, change, newer=False)
    guarded = any(guard.changed for guard in change.guards)
    severity = _severity(comparison, module.RULE.severity, change, outcomes, direction)
    finding: Finding = module.RULE.finding(module.message(change), change.subject, *outcomes, severity, change.offset)
    finding = replace(finding, reaction=_reaction(comparison, finding, direction, by_version=guarded or change.struct is None))
    return _with_witness(comparison, change, finding, direction)


def _with_witness(comparison: Comparison, change: Change, finding: Finding, direction: str) -> Finding:
    """The finding with its proof, of the worse of the directions that count; one that its proof does not show is taken down."""
    sides = [(_side(finding, newer), newer) for newer, name in ((True, "read-old"), (False, "read-new")) if direction in ("both", name)]
    worst, newer = max(sides, key=lambda side: side[0])
    if worst < Outcome.SHORT:
        return finding
    from devstate.compat.witness import witness_of

    witness, harm = witness_of(comparison, change, newer=newer)
    if not harm and finding.severity is Severity.ERROR:
        return replace(finding, severity=Severity.WARNING, witness=witness, message=f"{finding.message}; its witness shows no harm")
    return replace(finding, witness=witness)


def _proven(finding: Finding, found: list[Finding]) -> Finding:
    """A finding that stands for others, with the proof of the worst of them."""
    if finding.witness is not None or _worst(finding, "both") < Outcome.SHORT:
        return finding
    return replace(finding, witness=next((each.witness for each in found if each.witness is not None), None))


def _effective(comparison: Comparison, change: Change, *, newer: bool) -> Outcome:
    """What really happens to the reader: the outcome of the change, unless a version comes before it."""
    raw = change.read_old if newer else change.read_new
    if not any(guard.changed for guard in change.guards):
        return raw
    reader, writer = (comparison.new, comparison.old) if newer else (comparison.old, comparison.new)
    if reader is None or writer is None:
        return Outcome.REFUSED
    if change.kind == "header" and reader.version is not None:
        return raw  # it compares another number with its own, and may even find it
    how = taken(reader, writer)
    if any(guard.changed for guard in change.guards[1:]) and how == SAME:
        return Outcome.REFUSED
    if how == PREFIX:
        return raw
    return Outcome.REFUSED if how == REFUSED else Outcome.OK


def _version_outcome(comparison: Comparison, *, newer: bool) -> Outcome:
    """What the versions alone do, whatever is behind them."""
    reader, writer = (comparison.new, comparison.old) if newer else (comparison.old, comparison.new)
    if reader is None or writer is None:
        return Outcome.OK
    inner = any(guard.changed for guard in comparison.guards[1:])
    return Outcome.REFUSED if inner or taken(reader, writer) == REFUSED else Outcome.OK


def _severity(comparison: Comparison, level: Severity, change: Change, outcomes: tuple[Outcome, Outcome], direction: str) -> Severity:
    """How bad a change is: what happens in the directions that count, and whether that was promised not to happen."""
    if not change.wire:
        return Severity.INFO if level is not Severity.WARNING else Severity.WARNING
    worst = Severity.INFO
    unguarded = not any(guard.changed for guard in change.guards)
    for name, outcome in zip(DIRECTIONS[:2], outcomes, strict=True):
        if direction not in ("both", name):
            continue
        if outcome > Outcome.REFUSED or (outcome is Outcome.REFUSED and (unguarded or name in comparison.supported)):
            worst = Severity.ERROR
        elif outcome is Outcome.OK and unguarded and not change.worst:
            worst = max(worst, Severity.WARNING)
    return worst


def _side(finding: Finding, newer: bool) -> Outcome:
    outcome = finding.read_old if newer else finding.read_new
    return Outcome.OK if outcome is None else outcome


def _worst(finding: Finding, direction: str) -> Outcome:
    sides = {"read-old": (True,), "read-new": (False,), "both": (True, False)}[direction]
    return max(_side(finding, newer) for newer in sides)


def _with_reaction(comparison: Comparison, finding: Finding, direction: str) -> Finding:
    severity = finding.severity
    if direction != "both" and finding.severity is Severity.ERROR and _worst(finding, "both") and not _worst(finding, direction):
        severity = Severity.INFO
    return replace(finding, severity=severity, reaction=_reaction(comparison, finding, direction, by_version=True))


def _reaction(comparison: Comparison, finding: Finding, direction: str, *, by_version: bool) -> Reaction | None:
    """What the kernel does in the worse of the directions that count."""
    reactions = []
    for name, newer in (("read-old", True), ("read-new", False)):
        reader: Layout | None = comparison.new if newer else comparison.old
        if direction in ("both", name):
            reactions.append((_side(finding, newer), reaction_of(reader, _side(finding, newer), by_version=by_version)))
    return max(reactions, key=lambda pair: (pair[0], pair[1] or 0))[1]


def reaction_of(reader: Layout | None, outcome: Outcome, *, by_version: bool) -> Reaction | None:
    """What the kernel does that has ``reader`` when it gets ``outcome``: by the schema when it refuses; None where nobody knows."""
    if outcome is Outcome.OK:
        return Reaction.ACCEPTED
    if outcome is not Outcome.REFUSED:
        return Reaction.SILENT_WRONG
    if reader is None or reader.carrier == UNKNOWN:
        return None
    policy = next((each for each in Reaction if str(each) == reader.on_mismatch), None)
    return policy if by_version or policy is None else ONE_FILE.get(policy, policy)


def rule_titles() -> dict[str, str]:
    """Every rule's id with its first line."""
    return {rule: (rule_module(rule).__doc__ or "").partition("\n")[0] for rule in ALL}


def places(verdict: Verdict, find: Locator) -> Verdict:
    """The verdict with every finding at its place in a file."""
    return replace(verdict, findings=tuple(replace(each, location=find(each.location)) for each in verdict.findings))


if TYPE_CHECKING:
    from collections.abc import Callable

    Locator = Callable[[Location], Location]

    Findings = Iterator[Finding]
