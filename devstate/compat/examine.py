# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""examine: all formats of two sources, in all environments, to one report. Waivers and levels come after it, and printing after those.

One thing that is found in several environments, or against several old sources, is one entry; what is found in some of them only says so.
"""

from __future__ import annotations

from devstate.compat.change import Comparison
from devstate.compat.compare import compare
from devstate.compat.judge import judge
from devstate.compat.migrations import migrations
from devstate.compat.pairing import FormatPair, only_type, pairs_of, would_show
from devstate.compat.rules import ds501, ds504
from devstate.compat.versions import next_version
from devstate.finding import Finding, Outcome, Severity
from devstate.frozen import frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from devstate.compat.advice import Bump
    from devstate.finding import Location
    from devstate.layout.declared import Declared
    from devstate.layout.model import Environment, Layout
    from devstate.layout.registry import Registry

    Sides = tuple[Declared, Declared]
    Key = tuple[str, str, str, str, int]
    """Both formats, the rule, the subject, and which of several findings of this rule about it."""
    Found = tuple[str, Finding, FormatPair]


BUILT = ("build", "object")
"""Kinds of sources that a compiler made, for one page size and one byte order."""


@frozen
class Entry:
    """One finding where it belongs: ``old`` and ``new`` are the names of the formats, ``against`` the old sources that it was found
    against, ``only`` the environments in words, empty when it is found in all; ``pair`` are the layouts, in one of these environments."""

    finding: Finding
    old: str
    new: str
    against: tuple[str, ...]
    only: tuple[str, ...] = ()
    pair: FormatPair | None = None


@frozen
class Advice:
    """What the bump advisor says of one pair of formats."""

    old: str
    new: str
    needed: bool
    present: bool
    text: str


@frozen
class Report:
    """``read_old`` and ``read_new`` are the worst over everything, None when there was nothing to compare. ``compared`` are the pairs of
    formats, ``missing`` is what could not be found out."""

    entries: tuple[Entry, ...]
    read_old: Outcome | None
    read_new: Outcome | None
    advice: tuple[Advice, ...]
    compared: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings alone, worst first."""
        return tuple(entry.finding for entry in self.entries)

    @property
    def needed(self) -> bool:
        """Whether a version must change somewhere."""
        return any(each.needed for each in self.advice)

    @property
    def present(self) -> bool:
        """Whether versions changed wherever they must; where none must, whether any did."""
        concerned = [each for each in self.advice if each.needed] or [each for each in self.advice if each.present]
        return bool(concerned) and all(each.present for each in concerned)

    def worst(self) -> Severity | None:
        """The highest severity of what is not only missing; None when there is no such finding."""
        return max((each.severity for each in self.findings if each.rule != "DS504"), default=None)


def examine(
    sides: Sequence[Sides],
    *,
    direction: str = "both",
    supported: frozenset[str] = frozenset(),
    type_name: str | None = None,
    registry: Registry | None = None,
) -> Report:
    """Compare sources. ``sides`` are (old, new) pairs of the same two sources, one pair for each environment.

    ``direction`` and ``supported`` decide about severities; ``registry`` has the converters between published formats. LimitError or
    DecodeError for layouts that no compiler could lay out.
    """
    if type_name is not None:
        sides = [(only_type(old, type_name), only_type(new, type_name)) for old, new in sides]
    words = [environment_words([each[1].environment for each in sides], index) for index in range(len(sides))]
    run = Examination(direction, supported, whole=type_name is None, registry=registry)
    for (old, new), word in zip(sides, words, strict=True):
        run.compare(old, new, word)
    return run.report(sides[0][0].origin, sides[0][1].origin, len(sides))


class Examination:
    """One run of :func:`examine`: what was found, by format, rule and subject, and in which environments."""

    def __init__(self, direction: str, supported: frozenset[str], *, whole: bool = True, registry: Registry | None = None) -> None:
        self.direction, self.supported, self.whole, self.registry = direction, supported, whole, registry
        self.found: dict[Key, list[Found]] = {}
        self.outcomes: dict[tuple[str, str], dict[str, tuple[Outcome, Outcome]]] = {}
        self.advice: dict[tuple[str, str], Advice] = {}
        self.missing: dict[str, None] = {}

    def compare(self, old: Declared, new: Declared, word: str) -> None:
        """Take in one environment, called ``word``."""
        self.missing |= dict.fromkeys((*old.missing, *new.missing))
        orders = old.environment.byte_order, new.environment.byte_order
        if orders[0] != orders[1]:
            self.missing[f"{old.origin} is {orders[0]}-endian, {new.origin} is {orders[1]}-endian: no kernel reads both"] = None
            return
        pairs = pairs_of(old.formats, new.formats)
        gone = tuple([f"{pair.old.name}/" for pair in pairs if pair.new is None])
        for pair in pairs:
            if pair.new is None and (pair.old.name.startswith(gone) or not would_show(old, new, pair.old)):
                continue  # a part of what is gone as a whole, or nothing that this source would have
            comparison = with_migrations(comparison_of(pair, self.supported), old, new, self.registry)
            verdict = judge(comparison, self.direction)
            self.outcomes.setdefault(pair.names, {})[word] = verdict.read_old, verdict.read_new
            known = self.advice.get(pair.names)
            if known is None or (verdict.bump.needed and not known.needed):
                text = verdict.bump.advice + _edit_of_header(new, pair, verdict.bump)
                self.advice[pair.names] = Advice(*pair.names, verdict.bump.needed, verdict.bump.present, text)
            seen: dict[Key, int] = {}
            for finding in verdict.findings:
                if finding.rule == "DS307" and not self.whole:  # the version stands for more than one struct
                    continue
                key = (*pair.names, finding.rule, finding.location.path or "", 0)
                seen[key] = nth = seen.get(key, -1) + 1
                self.found.setdefault((*key[:4], nth), []).append((word, placed(finding, old, new, pair), pair))

    def report(self, old: str, new: str, environments: int) -> Report:
        """All of it; ``old`` and ``new`` are the sources as the user named them."""
        entries = [_entry(key, each, environments, old) for key, each in self.found.items()]
        entries += _differing(self.outcomes, old, entries)
        entries += [Entry(ds504.missing(text, new), "", "", (old,)) for text in self.missing]
        both = [[pair[side] for each in self.outcomes.values() for pair in each.values()] for side in (0, 1)]
        if not self.missing:  # nothing was there to be compared, and nothing is missing: no one misreads anything
            both = [[Outcome.OK, *side] for side in both]
        return Report(
            _ordered(entries), max(both[0], default=None), max(both[1], default=None), tuple(self.advice.values()),
            tuple(self.outcomes), tuple(self.missing),
        )  # fmt: skip


def _edit_of_header(new: Declared, pair: FormatPair, bump: Bump) -> str:
    """The line of a header that says the next version: the macro stands where the format does."""
    if new.kind != "headers" or pair.new is None or pair.new.compatible is None or not bump.needed or bump.present:
        return ""
    place = dict(new.places).get(pair.new.name)
    macro = next((subject for subject, where in new.places if where == place and subject.isupper()), None)
    if place is None or macro is None:
        return ""
    return f'\nin {place}: #define {macro} "{next_version(pair.new.compatible)}"'


def _ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The worst first."""
    return tuple(sorted(entries, key=lambda entry: (-entry.finding.severity, -_worst(entry.finding), entry.finding.rule)))


def comparison_of(pair: FormatPair, supported: frozenset[str] = frozenset()) -> Comparison:
    """The comparison of a pair; of a format without a counterpart, that there is none."""
    if pair.new is None:
        return Comparison(pair.old, None, (), pair.old.environment, supported=supported)
    return compare(pair.old, pair.new, ancestors=pair.ancestors, supported=supported)


def with_migrations(comparison: Comparison, old: Declared, new: Declared, registry: Registry | None) -> Comparison:
    """The comparison with the converters that are declared between its formats, where both are written down as schemas."""
    was, now = comparison.old, comparison.new
    steps = (*(registry.steps if registry is not None else ()), *old.steps, *new.steps)
    if was is None or now is None or not steps or not {old.kind, new.kind} <= {"schemas", "baselines"}:
        return comparison
    own = {each.name: each for each in (*old.formats, *new.formats)}
    known = own.keys() | (registry.summaries.keys() if registry is not None else set())

    def find(name: str) -> Layout:
        return own[name] if name in own or registry is None else registry.layout(name, comparison.environment)

    told = [step for step in steps if step.source in known and step.target in known]
    return replace(comparison, migrations=migrations(told, was, now, find))


def environment_words(environments: Sequence[Environment], index: int) -> str:
    """What tells one environment from the others in a report: ``16K pages``."""
    one = environments[index]
    pages = f"{one.page_size // 1024}K pages"
    orders = {each.byte_order for each in environments}
    return f"{pages}, {one.byte_order}-endian" if len(orders) > 1 else pages


def placed(finding: Finding, old: Declared, new: Declared, pair: FormatPair) -> Finding:
    """A finding at its place in the new source; of what is gone, in the old one."""
    subject = finding.location.path or ""
    first, second = (new, old) if pair.new is not None else (old, new)
    exact = dict(first.places).get(subject) or dict(second.places).get(subject)
    place = exact or first.place(subject) or _format_place(first, pair) or second.place(subject)
    if place is None:
        return finding
    return replace(finding, location=replace(place, path=subject, offset=finding.location.offset))


def _format_place(declared: Declared, pair: FormatPair) -> Location | None:
    names = [each.name for each in (pair.new, pair.old) if each is not None]
    roots = [each.root for each in (pair.new, pair.old) if each is not None and isinstance(each.root, str)]
    return next((place for place in map(declared.place, [*names, *roots]) if place is not None), None)


def _entry(key: Key, found: list[Found], environments: int, against: str) -> Entry:
    """One entry of a finding that was made in some environments."""
    where = [word for word, _, _ in found]
    _, finding, pair = max(found, key=lambda each: (each[1].severity, _worst(each[1])))
    if len(where) == environments:
        return Entry(finding, key[0], key[1], (against,), (), pair)
    finding = replace(finding, message=f"{finding.message} (only with {' and '.join(where)})")
    return Entry(finding, key[0], key[1], (against,), tuple(where), pair)


def _differing(outcomes: dict[tuple[str, str], dict[str, tuple[Outcome, Outcome]]], against: str, entries: list[Entry]) -> list[Entry]:
    """What is not the same in all environments, as bad as the worst of what is found in some of them only."""
    made = []
    for names, by_word in outcomes.items():
        if len(set(by_word.values())) > 1:
            levels = [each.finding.severity for each in entries if (each.old, each.new) == names and each.only]
            finding = replace(ds501.differing(names[1] or names[0], by_word), severity=max(levels, default=Severity.INFO))
            made.append(Entry(finding, *names, (against,)))
    return made


def _worst(finding: Finding) -> Outcome:
    return max(finding.read_old or Outcome.OK, finding.read_new or Outcome.OK)


def joined(reports: Sequence[Report]) -> Report:
    """One report of several that are against different old sources."""
    entries: dict[tuple[object, ...], Entry] = {}
    for entry in (each for report in reports for each in report.entries):
        key = (entry.finding, entry.old, entry.new, entry.only)
        known = entries.get(key)
        entries[key] = entry if known is None else replace(known, against=tuple(dict.fromkeys((*known.against, *entry.against))))
    return Report(
        _ordered(entries.values()),
        max((each.read_old for each in reports if each.read_old is not None), default=None),
        max((each.read_new for each in reports if each.read_new is not None), default=None),
        tuple(dict.fromkeys(each for report in reports for each in report.advice)),
        tuple(dict.fromkeys(each for report in reports for each in report.compared)),
        tuple(dict.fromkeys(each for report in reports for each in report.missing)),
    )
