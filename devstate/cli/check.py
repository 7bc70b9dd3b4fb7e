# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge a handover before the jump: every rule, and what the reading kernel will do with the whole of it.

The reading kernel is taken to be of the release that wrote the handover; --kernel names another. Findings go to standard output.
Exit status 1 when there is a finding at or above --fail-on. `devstate rules` explains the rules.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import add_inputs, open_given

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.check.run import Report
    from devstate.finding import Severity

LEVELS = ("info", "warning", "error")
FORMATS = ("text", "json", "sarif", "junit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_inputs(parser, "INPUT")
    parser.add_argument("--kernel", metavar="RELEASE", help="release of the kernel that will read it, such as 7.3")
    parser.add_argument("--fail-on", choices=LEVELS, default="error", help="least severity that makes the exit status 1 (default: error)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json (docs/check.schema.json)")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 when one is at or above --fail-on. Errors as open_input() and open_handover()."""
    from devstate.check.run import check
    from devstate.cli.command import FINDINGS, OK
    from devstate.errors import UsageError
    from devstate.finding import Severity
    from devstate.layout.release import parse_release

    if arguments.kernel is not None and parse_release(arguments.kernel) is None:
        raise UsageError(f"{arguments.kernel!r} is no kernel release; expected two numbers, such as 7.3 or 7.3-rc2")
    report = check(open_given(arguments, arguments.input), arguments.kernel)
    fail_on = Severity[arguments.fail_on.upper()]
    write(report, "json" if arguments.json else arguments.format, arguments.input, fail_on)
    worst = report.worst()
    return FINDINGS if worst is not None and worst >= fail_on else OK


def write(report: Report, form: str, name: str, fail_on: Severity) -> None:
    """Write the report to standard output in one of FORMATS; ``name`` is the input's."""
    if form == "json":
        from devstate.report import json

        json.findings(report.findings, sys.stdout, predicted=report.predicted)
    elif form == "sarif":
        import devstate
        from devstate.check.run import rule_titles
        from devstate.report import sarif

        sarif.findings(report.findings, sys.stdout, version=devstate.__version__, rules=rule_titles())
    elif form == "junit":
        from devstate.report import junit

        junit.findings(report.findings, sys.stdout, suite=name, fail_on=fail_on)
    else:
        from devstate.report import text

        text.findings(report.findings, sys.stdout)
        reader = f"kernel {report.kernel}" if report.kernel is not None else "a kernel that knows these formats"
        count = len(report.findings)
        print(f"{count} finding{'' if count == 1 else 's'}; predicted for {reader}: {report.predicted}")
