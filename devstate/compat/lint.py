# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""lint: one set of formats by itself. What a C compiler, another page size, another reader or the next developer would trip over.

A format of one's own (status ``project``) is judged by the levels of the rules. What upstream has published or posted is a fact that nobody
can take back: it is information, with that reason. One thing that many formats have is one finding, with their names.
"""

from __future__ import annotations

from devstate.compat.drift import kernel_doc, structs_in_texts, versions_in_texts
from devstate.compat.judge import rule_module
from devstate.compat.owners import claimed, shared
from devstate.compat.rules import LINTS, ds301, ds304, ds501, ds504, ds505, ds601
from devstate.compat.spelling import spelled
from devstate.compat.waivers import Subject
from devstate.finding import Severity
from devstate.frozen import frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from devstate.finding import Finding
    from devstate.layout.claims import Claims
    from devstate.layout.converter import Step
    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout

REASONS = {"mainline": "upstream has it so, and published bytes stay", "posted": "it was posted so"}
"""Why nothing is to be done, by the status of a format."""

SPOKEN = ("schemas", "baselines", "headers")
"""Kinds of sources in which a field may have a text."""

STATUSES = {"project": 0, "mainline": 1, "posted": 2}
"""Of several formats with one finding, whose status decides about it: the lowest."""


@frozen
class Linted:
    """One finding, and the names of the formats that have it. ``layout`` is the first of them, None for what is about none."""

    finding: Finding
    formats: tuple[str, ...]
    layout: Layout | None = None

    @property
    def subject(self) -> Subject:
        """What a policy is applied to."""
        return Subject(self.finding, None, self.layout)


def lint(declared: Sequence[Declared], steps: Sequence[Step] = (), known: frozenset[str] = frozenset()) -> tuple[Linted, ...]:
    """Every finding about one source, worst first. ``declared`` is what it declares in each environment; ``steps`` are the converters
    that are there; ``known`` are names and compatibles of formats that other sources have."""
    found: dict[tuple[object, ...], list[tuple[Finding, Layout]]] = {}
    for index, layout in enumerate(declared[0].formats):
        twins = [each.formats[index] for each in declared if index < len(each.formats) and each.formats[index].name == layout.name]
        for finding in _of_layout(layout, twins, spoken=declared[0].kind in SPOKEN):
            found.setdefault((finding.rule, finding.location.path, finding.message), []).append((finding, layout))
    for each in declared:  # what is shared may differ on some page sizes only
        for finding, layouts in _of_set(each, steps, known):
            found.setdefault((finding.rule, finding.location.path), [(finding, layout) for layout in layouts])
    made = [_linted(each, declared[0]) for each in found.values()]
    made += [Linted(ds504.missing(text, declared[0].origin), ()) for text in declared[0].missing]
    return tuple(sorted(made, key=lambda each: (-each.finding.severity, each.finding.rule, each.finding.location.path or "")))


def _linted(found: list[tuple[Finding, Layout]], declared: Declared) -> Linted:
    """One finding about some formats: settled when none of them is one's own, placed where the first one stands."""
    finding, layout = min(found, key=lambda pair: STATUSES.get(pair[1].status, 0))
    first = found[0][1]
    return Linted(_placed(_settled(finding, layout), declared, first), tuple(each.name for _, each in found), first)


def _of_layout(layout: Layout, twins: Sequence[Layout], *, spoken: bool) -> Iterator[Finding]:
    """What one format gives by itself; ``spoken`` says that the source has texts, so that a missing one is nobody's but the author's."""
    for rule in LINTS:
        if (rule != ds501.RULE.id or len(twins) < 2) and (rule != ds505.RULE.id or spoken):
            yield from rule_module(rule).lint(layout)
    if len(twins) > 1:
        yield from ds501.across(twins)


def _of_set(declared: Declared, steps: Sequence[Step], known: frozenset[str]) -> Iterator[tuple[Finding, list[Layout]]]:
    """What the formats of one source give together."""
    by_name = {layout.name: layout for layout in declared.formats}
    for finding, names in ds301.shared(declared.formats):
        yield finding, [by_name[name] for name in names]
    yield from shared(declared.formats) if declared.kind != "headers" else ()  # there the comments say who owns what
    for finding in (*ds304.replaced(declared.formats, known), *ds601.unconverted(declared.formats, steps)):
        yield finding, [by_name[finding.location.path or ""]]


def _settled(finding: Finding, layout: Layout) -> Finding:
    """A finding about what upstream has, as the information that it is. A link to nowhere is a mistake of the schema, whoever wrote it."""
    reason = REASONS.get(layout.status)
    if reason is None or finding.rule == "DS304" or (finding.rule == "DS503" and finding.severity is Severity.ERROR):
        return finding
    return replace(finding, severity=Severity.INFO, message=f"{finding.message}; {reason}")


def _placed(finding: Finding, declared: Declared, layout: Layout) -> Finding:
    """A finding where the user has it: at its field, its struct or its format."""
    subject = finding.location.path or ""
    place = declared.place(subject) or declared.place(layout.name)
    return finding if place is None else replace(finding, location=replace(place, path=subject, offset=finding.location.offset))


def lint_texts(claims: Claims, formats: Sequence[Layout] = ()) -> tuple[Linted, ...]:
    """Every finding about the text of headers: who versions what, types as they are spelled, kernel-doc, versions in examples. Each with
    those of ``formats`` that have its struct."""
    strings = [(macro.value, macro.name) for macro in claims.macros if macro.value is not None]
    made = []
    known = {struct.name for struct in claims.structs} | {struct.name for layout in formats for struct in layout.structs}
    texts = (*kernel_doc(claims), *versions_in_texts(claims.mentions, strings), *structs_in_texts(claims.named, known))
    for finding in (*claimed(claims), *spelled(claims), *texts):
        struct = (finding.location.path or "").partition(".")[0]
        having = [layout for layout in formats if any(each.name == struct for each in layout.structs)]
        made.append(Linted(finding, tuple(layout.name for layout in having), having[0] if having else None))
    return tuple(made)


def merged(found: Iterable[Linted]) -> tuple[Linted, ...]:
    """Findings of several origins, worst first. What a compiler and the spelling both say of the type of one member is said once."""
    ordered = sorted(found, key=lambda each: (-each.finding.severity, each.finding.rule, each.finding.location.path or ""))
    types: dict[tuple[object, ...], int] = {}
    kept: list[Linted] = []
    for each in ordered:
        place = each.finding.location
        key = (place.source, place.line, place.path)
        spoken = each.finding.rule == "DS503" and place.line is not None
        if spoken and key in types:
            first = kept[types[key]]
            kept[types[key]] = replace(first, formats=first.formats or each.formats, layout=first.layout or each.layout)
            continue
        if spoken:
            types[key] = len(kept)
        kept.append(each)
    return tuple(kept)
