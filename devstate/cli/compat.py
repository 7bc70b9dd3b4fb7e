# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Say whether kernels with NEW and kernels with OLD understand each other's state: per direction, what happens if not, and what to edit.

NEW and OLD are anything that has layouts: schemas (.py or a package), baselines, kernel headers, a vmlinux or object file with BTF or
DWARF, git:REF[:PATH], a release such as 7.3, `shipped`, or one format by name.
read-old: the new kernel reads what the old one wrote (upgrade). read-new: the old kernel reads what the new one wrote (rollback).
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number, open_registry
from devstate.cli.policies import add_policy
from devstate.cli.sources import add_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any, TextIO

    from devstate.compat.examine import Report
    from devstate.finding import Severity
    from devstate.layout.declared import Declared
    from devstate.layout.model import Environment

LEVELS = ("info", "warning", "error")
FORMATS = ("text", "json", "sarif", "github", "junit", "markdown")
DIRECTIONS = ("read-old", "read-new", "both")

VERBS = ("changed", "git-diff")
"""`devstate compat changed` is in compat_changed.py, and so on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("new", metavar="NEW", nargs="?", help="the side that is to be judged")
    parser.add_argument("--against", metavar="OLD", action="append", default=[], help="the side that is there already; may be repeated")
    parser.add_argument("--window", metavar="FILE", help="hold every pair of a support.toml to its promise (docs/policy.md)")
    parser.add_argument("--direction", choices=DIRECTIONS, default="both", help="which direction must work (default: both)")
    parser.add_argument("--type", metavar="NAME", help="compare this struct, and what it leads to, and nothing else")
    parser.add_argument("--page-size", metavar="BYTES", type=number, help="compare for this page size only (default: all)")
    parser.add_argument("--byte-order", choices=("little", "big"), default="little", help="byte order of both kernels (default: little)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="a file or package with schemas of your own")
    add_headers(parser)
    parser.add_argument("--fail-on", choices=LEVELS, default="error", help="least severity that makes the exit status 1 (default: error)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json (docs/compat.schema.json)")
    parser.add_argument("--witness", metavar="DIR", help="write the bytes that prove each finding there, with both layouts")
    add_policy(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write the report (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write the report; 1 when a finding is at or above --fail-on, 3 when evidence is missing. Errors as open_source()."""
    from devstate.finding import Severity

    report = report_of(arguments)
    fail_on = Severity[arguments.fail_on.upper()]
    write(report, arguments, fail_on)
    if arguments.witness is not None:
        from devstate.cli.witnesses import write_witnesses

        write_witnesses(report, arguments.witness)
    return status_of(report, fail_on)


def status_of(report: Report, fail_on: Severity) -> int:
    """The exit status that a report stands for."""
    from devstate.cli.command import FINDINGS, INCOMPLETE, OK

    worst = report.worst()
    if worst is not None and worst >= fail_on:
        return FINDINGS
    return INCOMPLETE if report.missing else OK


def report_of(arguments: argparse.Namespace) -> Report:
    """The report over all old sides, and all promises of a window."""
    from devstate.cli.policies import held, jobs_of, restricted, under_policy
    from devstate.cli.sources import open_in_all, paired, sides_of
    from devstate.compat.examine import examine, joined
    from devstate.frozen import replace

    registry = open_registry(arguments.schemas)
    environments = environments_of(arguments)
    opened: dict[tuple[str, tuple[Environment, ...]], list[Declared]] = {}
    headers = {"include": arguments.include, "define": arguments.define}

    def open_word(word: str, wanted: tuple[Environment, ...]) -> list[Declared]:
        if (word, wanted) not in opened:
            opened[word, wanted] = open_in_all(word, list(wanted), registry, arguments.type, **headers)
        return opened[word, wanted]

    reports, sides = [], []
    for job in jobs_of(arguments):
        quick = None if job.pair is not None or arguments.type is not None else unchanged(job.old, job.new, environments, arguments)
        if quick is not None:
            (old, new), same = quick
            report = examine(paired(old, new), direction=arguments.direction, registry=registry)
            reports.append(replace(report, compared=(*report.compared, *((name, name) for name in same))))
            continue
        both = sides_of((job.old, job.new), tuple(environments), open_word)
        pairs = [(restricted(old, job.pair), restricted(new, job.pair)) for old, new in both]
        direction = arguments.direction if job.pair is None else job.pair.direction
        supported = frozenset() if job.pair is None else job.pair.supported
        report = examine(pairs, direction=direction, supported=supported, type_name=arguments.type, registry=registry)
        reports.append(held(report, job, arguments.window, registry))
        sides += pairs
    return under_policy(reports[0] if len(reports) == 1 else joined(reports), arguments, sides)


def unchanged(
    old: str, new: str, environments: list[Environment], arguments: argparse.Namespace
) -> tuple[tuple[list[Declared], list[Declared]], tuple[str, ...]] | None:
    """What of two directories of baselines is to be compared, where no policy asks about the rest; see changed_only()."""
    from devstate.cli.unchanged import changed_only
    from devstate.compat.policy_file import find_policy

    if arguments.config is not None or arguments.waivers or find_policy() is not None:
        return None
    return changed_only(old, new, environments)


def environments_of(arguments: argparse.Namespace) -> list[Environment]:
    """The environments that the options name. UsageError for a page size that no kernel has."""
    from devstate.errors import UsageError
    from devstate.layout.model import PAGE_SIZES, Environment

    if arguments.page_size is not None and arguments.page_size not in PAGE_SIZES:
        raise UsageError(f"the page size is one of {', '.join(map(str, PAGE_SIZES))}, not {arguments.page_size}")
    sizes = PAGE_SIZES if arguments.page_size is None else (arguments.page_size,)
    return [Environment(size, arguments.byte_order) for size in sizes]


def write(report: Report, arguments: argparse.Namespace, fail_on: Severity) -> None:
    """Write the report in one of FORMATS, to standard output or a file."""
    if arguments.output == "-":
        _write(report, "json" if arguments.json else arguments.format, sys.stdout, arguments.new, fail_on)
        return
    with open(arguments.output, "w", encoding="utf-8") as file:
        _write(report, "json" if arguments.json else arguments.format, file, arguments.new, fail_on)


def _write(report: Report, form: str, stream: TextIO, name: str, fail_on: Severity) -> None:
    if form == "sarif":
        import devstate
        from devstate.compat.complaints import complaint_titles
        from devstate.compat.judge import rule_titles
        from devstate.report import sarif

        sarif.findings(report.findings, stream, version=devstate.__version__, rules=rule_titles() | complaint_titles())
    elif form == "junit":
        from devstate.report import junit

        junit.findings(report.findings, stream, suite=name, fail_on=fail_on)
    else:
        from devstate.report import compat

        getattr(compat, form)(document(report, fail_on), stream)


def document(report: Report, fail_on: Severity) -> dict[str, Any]:
    """The plain form of a report (docs/compat.schema.json)."""
    from devstate.report.compat import row

    findings = []
    for entry in report.entries:
        made = row(entry.finding, rule_name(entry.finding.rule))
        findings.append(made | {"old": entry.old, "new": entry.new, "against": list(entry.against), "only": list(entry.only)})
    return {
        "read_old": None if report.read_old is None else str(report.read_old),
        "read_new": None if report.read_new is None else str(report.read_new),
        "findings": findings,
        "bump": {"needed": report.needed, "present": report.present, "advice": advice_text(report)},
        "compared": [{"old": old, "new": new} for old, new in report.compared],
        "missing": list(report.missing),
        "exit": status_of(report, fail_on),
    }


def rule_name(rule: str) -> str:
    """The name of a rule; of what is said about policies, promises and baselines, which of them it is."""
    from devstate.compat.judge import rule_module
    from devstate.compat.rules import ALL

    if rule in ALL:
        return str(rule_module(rule).RULE.name)
    return {"window": "promise", "baseline": "baseline"}.get(rule.partition("-")[0], "policy")


def advice_text(report: Report) -> str:
    """The advice for each format; with its name in front where there are several."""
    telling = [each for each in report.advice if each.text and each.text != "no bump needed"]
    if not telling:
        return "no bump needed" if report.compared else ""
    if len(report.advice) == 1:
        return telling[0].text
    return "\n".join(f"{each.new or each.old}: {line}" for each in telling for line in each.text.splitlines())
