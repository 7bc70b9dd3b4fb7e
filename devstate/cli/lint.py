# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge one set of formats by itself: unportable types, holes, kernel pointers, sizes that follow the page size, missing docs and owners.

PATH is a file or package with schemas, a directory of baselines or of kernel headers, or a format by name; without one, every format
that devstate knows. What upstream has published is a fact, and is only reported as information.

--drift holds schemas, headers, a build and texts to each other, each pair. --owners shows which version covers which struct.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import open_registry
from devstate.cli.policies import add_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager
    from typing import Any, TextIO

    from devstate.compat.lint import Linted
    from devstate.finding import Severity
    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout

LEVELS = ("info", "warning", "error")
FORMATS = ("text", "json", "sarif", "github", "junit", "markdown", "dot")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("path", metavar="PATH", nargs="*", help="what to judge (default: every format that devstate knows)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="the same as PATH, for schemas of your own")
    parser.add_argument("--byte-order", choices=("little", "big"), default="little", help="byte order of the kernels (default: little)")
    parser.add_argument("--fail-on", choices=LEVELS, default="error", help="least severity that makes the exit status 1 (default: error)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report; dot is for --owners (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json (docs/lint.schema.json)")
    parser.add_argument("--owners", action="store_true", help="show which version covers which struct, and what embeds and leads to what")
    parser.add_argument("--drift", action="store_true", help="only hold the following sources to the schemas and each other")
    parser.add_argument("--headers", metavar="DIR", help="kernel headers, for --drift")
    parser.add_argument("--btf", metavar="FILE", help="a vmlinux or raw BTF, for --drift")
    parser.add_argument("--docs", metavar="DIR", help="documentation, for --drift")
    add_policy(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write the report (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write the findings; 1 when one is at or above --fail-on, 3 when evidence is missing. Errors as open_source()."""
    from devstate.errors import UsageError
    from devstate.finding import Severity

    form = "json" if arguments.json else arguments.format
    if arguments.owners:
        from devstate.cli.lint_owners import show

        return show(sources_of(arguments), form, arguments.output)
    if form == "dot":
        raise UsageError("--format dot is for --owners")
    fail_on = Severity[arguments.fail_on.upper()]
    if arguments.drift or any((arguments.headers, arguments.btf, arguments.docs)):
        from devstate.cli.lint_drift import drifting

        found, count, compared = drifting(arguments)
    else:
        sets = sources_of(arguments)
        found, count = tuple(each for declared in sets for each in linted(declared)), sum(len(declared[0].formats) for declared in sets)
        compared = [layout for declared in sets for layout in declared[0].formats]
    found = under_policy(found, compared, arguments)
    status = status_of(found, fail_on)
    with opened(arguments.output) as stream:
        write(found, count, status, form, stream, fail_on)
    return status


def opened(path: str) -> AbstractContextManager[TextIO]:
    """Standard output, or the file to write."""
    import contextlib

    return contextlib.nullcontext(sys.stdout) if path == "-" else open(path, "w", encoding="utf-8")


def sources_of(arguments: argparse.Namespace) -> list[list[Declared]]:
    """What is judged: each source in every environment."""
    from devstate.cli.sources import SHIPPED, open_in_all
    from devstate.layout.model import PAGE_SIZES, Environment

    registry = open_registry([])
    environments = [Environment(size, arguments.byte_order) for size in PAGE_SIZES]
    return [open_in_all(word, environments, registry) for word in [*arguments.path, *arguments.schemas] or [SHIPPED]]


def linted(declared: list[Declared]) -> tuple[Linted, ...]:
    """The findings about one source: its layouts and, of headers, their text."""
    import os

    from devstate.compat.lint import lint, lint_texts, merged

    first = declared[0]
    own = first.kind == "schemas" and os.path.exists(first.origin)
    registry = open_registry([first.origin] if own else [])  # a user's schemas bring their converters
    known = frozenset(name for summary in registry.summaries.values() for name in (summary.name, summary.compatible) if name)
    found = lint(declared, registry.steps, known)
    if first.kind == "headers":
        from devstate.source.claims import open_claims

        found = merged((*found, *lint_texts(open_claims(first.origin), first.formats)))
    return found


def under_policy(found: tuple[Linted, ...], compared: list[Layout], arguments: argparse.Namespace) -> tuple[Linted, ...]:
    """The findings as the project's policy leaves them, and what is wrong with that. Errors as open_policy()."""
    from devstate.cli.policies import policy_of, today
    from devstate.compat.lint import Linted
    from devstate.compat.policy import apply
    from devstate.compat.waivers import write_stanzas
    from devstate.frozen import replace

    policy = policy_of(arguments)
    left = []
    for each in found:
        left += [replace(each, finding=kept.finding) for kept in apply([each.subject], policy, today=today()).findings]
    alone = [(None, layout) for layout in compared]
    complaints = apply([each.subject for each in found], policy, today=today(), compared=alone).complaints
    if arguments.waivers:
        write_stanzas([each.subject for each in left], today(), sys.stderr)
    left += [Linted(finding, ()) for finding in complaints]
    return tuple(sorted(left, key=lambda each: -each.finding.severity))


def status_of(found: tuple[Linted, ...], fail_on: Severity) -> int:
    """The exit status that the findings stand for."""
    from devstate.cli.command import FINDINGS, INCOMPLETE, OK

    worst = max((each.finding.severity for each in found if each.finding.rule != "DS504"), default=None)
    if worst is not None and worst >= fail_on:
        return FINDINGS
    return INCOMPLETE if any(each.finding.rule == "DS504" for each in found) else OK


def write(found: tuple[Linted, ...], formats: int, status: int, form: str, stream: TextIO, fail_on: Severity) -> None:
    """Write the report in one of FORMATS."""
    findings = [each.finding for each in found]
    if form == "sarif":
        import devstate
        from devstate.compat.complaints import complaint_titles
        from devstate.compat.judge import rule_titles
        from devstate.report import sarif

        sarif.findings(findings, stream, version=devstate.__version__, rules=rule_titles() | complaint_titles())
    elif form == "junit":
        from devstate.report import junit

        junit.findings(findings, stream, suite="devstate lint", fail_on=fail_on)
    else:
        from devstate.report import lint

        getattr(lint, form)(document(found, formats, status), stream)


def document(found: tuple[Linted, ...], formats: int, status: int) -> dict[str, Any]:
    """The plain form of the findings (docs/lint.schema.json)."""
    from devstate.cli.compat import rule_name
    from devstate.report.compat import row

    rows = []
    for each in found:
        made = row(each.finding, rule_name(each.finding.rule))
        kept = {key: made[key] for key in ("rule", "name", "subject", "severity", "message", "location")}
        rows.append(kept | {"formats": list(each.formats)})
    missing = [each.finding.message for each in found if each.finding.rule == "DS504"]
    return {"findings": rows, "linted": formats, "missing": missing, "exit": status}
