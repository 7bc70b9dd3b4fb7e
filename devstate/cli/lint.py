# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge one set of formats by itself: unportable types, holes, kernel pointers, sizes that follow the page size, missing docs and owners.

PATH is a file or package with schemas, a directory of baselines or of kernel headers, or a format by name; without one, every format
that devstate knows. What upstream has published is a fact, and is only reported as information.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import open_registry
from devstate.cli.policies import add_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any, TextIO

    from devstate.compat.lint import Linted
    from devstate.finding import Severity
    from devstate.layout.declared import Declared

LEVELS = ("info", "warning", "error")
FORMATS = ("text", "json", "sarif", "github", "junit", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("path", metavar="PATH", nargs="*", help="what to judge (default: every format that devstate knows)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="the same as PATH, for schemas of your own")
    parser.add_argument("--byte-order", choices=("little", "big"), default="little", help="byte order of the kernels (default: little)")
    parser.add_argument("--fail-on", choices=LEVELS, default="error", help="least severity that makes the exit status 1 (default: error)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json (docs/lint.schema.json)")
    add_policy(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write the report (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write the findings; 1 when one is at or above --fail-on, 3 when evidence is missing. Errors as open_source()."""
    from devstate.finding import Severity

    fail_on = Severity[arguments.fail_on.upper()]
    sets = sources_of(arguments)
    found = under_policy(tuple(each for declared in sets for each in linted(declared)), sets, arguments)
    status = status_of(found, fail_on)
    form = "json" if arguments.json else arguments.format
    linted_formats = sum(len(declared[0].formats) for declared in sets)
    if arguments.output == "-":
        write(found, linted_formats, status, form, sys.stdout, fail_on)
    else:
        with open(arguments.output, "w", encoding="utf-8") as file:
            write(found, linted_formats, status, form, file, fail_on)
    return status


def sources_of(arguments: argparse.Namespace) -> list[list[Declared]]:
    """What is judged: each source in every environment."""
    from devstate.cli.sources import SHIPPED, open_in_all
    from devstate.layout.model import PAGE_SIZES, Environment

    registry = open_registry([])
    environments = [Environment(size, arguments.byte_order) for size in PAGE_SIZES]
    return [open_in_all(word, environments, registry) for word in [*arguments.path, *arguments.schemas] or [SHIPPED]]


def linted(declared: list[Declared]) -> tuple[Linted, ...]:
    """The findings about one source."""
    import os

    from devstate.compat.lint import lint

    own = declared[0].kind == "schemas" and os.path.exists(declared[0].origin)
    registry = open_registry([declared[0].origin] if own else [])  # a user's schemas bring their converters
    known = frozenset(name for summary in registry.summaries.values() for name in (summary.name, summary.compatible) if name)
    return lint(declared, registry.steps, known)


def under_policy(found: tuple[Linted, ...], sets: list[list[Declared]], arguments: argparse.Namespace) -> tuple[Linted, ...]:
    """The findings as the project's policy leaves them, and what is wrong with that. Errors as open_policy()."""
    from devstate.cli.policies import policy_of, today
    from devstate.compat.lint import Linted
    from devstate.compat.policy import apply
    from devstate.compat.waivers import write_stanzas
    from devstate.frozen import replace

    policy = policy_of(arguments)
    compared = [(None, layout) for declared in sets for layout in declared[0].formats]
    left = []
    for each in found:
        left += [replace(each, finding=kept.finding) for kept in apply([each.subject], policy, today=today()).findings]
    complaints = apply([each.subject for each in found], policy, today=today(), compared=compared).complaints
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
        from devstate.compat.judge import rule_titles
        from devstate.report import sarif

        sarif.findings(findings, stream, version=devstate.__version__, rules=rule_titles())
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
