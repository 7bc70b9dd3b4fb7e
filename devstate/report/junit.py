# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings as JUnit XML, which CI systems show: one test case a finding, or a single passed one when there is none.

A finding of severity ``fail_on`` or above is a failure, one below it a passed case with the text as its output.
"""

from __future__ import annotations

from devstate.finding import Severity
from devstate.report.text import finding_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from devstate.finding import Finding


def findings(found: Iterable[Finding], stream: TextIO, *, suite: str, fail_on: Severity = Severity.ERROR) -> None:
    """Write a test suite called ``suite``."""
    from xml.etree import ElementTree

    kept = list(found)
    root = ElementTree.Element(
        "testsuite",
        name=_legal(suite),
        tests=str(len(kept) or 1),
        failures=str(sum(finding.severity >= fail_on for finding in kept)),
        errors="0",
    )
    for finding in kept:
        case = ElementTree.SubElement(root, "testcase", classname=finding.rule, name=_legal(finding.location.path or finding.rule))
        text = _legal("\n".join(finding_lines(finding)))
        if finding.severity >= fail_on:
            failure = ElementTree.SubElement(case, "failure", message=_legal(finding.message), type=str(finding.severity))
            failure.text = text
        else:
            ElementTree.SubElement(case, "system-out").text = text
    if not kept:
        ElementTree.SubElement(root, "testcase", classname="devstate", name="no findings")
    ElementTree.indent(root, " ")
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    stream.write(ElementTree.tostring(root, encoding="unicode") + "\n")


def _legal(text: str) -> str:
    """``text`` with the characters that XML 1.0 cannot hold as escapes."""
    return "".join(each if each in "\t\n" or (each.isprintable() and each < "\ufffe") else f"\\u{ord(each):04x}" for each in text)
