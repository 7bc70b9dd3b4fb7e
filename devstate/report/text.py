# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings as lines of text, one a finding, in the manner of compilers, so that grep and editors know them.

::

    SOURCE: 0xPA: PATH: severity[rule]: MESSAGE; expected X; found Y (the kernel: REACTION)
        0xPA: what is there                                              a further place
"""

from __future__ import annotations

from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from devstate.finding import Finding


def findings(found: Iterable[Finding], stream: TextIO) -> None:
    """Write each finding to ``stream``."""
    for finding in found:
        for line in finding_lines(finding):
            stream.write(line + "\n")


def finding_lines(finding: Finding) -> list[str]:
    """The lines of one finding: one, and one more for each further place."""
    place = finding.location
    spot = "" if place.pa is None else f"{place.pa:#x}"
    if place.offset is not None:
        spot = f"{spot}+{place.offset:#x}"
    source = place.source if place.line is None else f"{place.source}:{place.line}"
    head = [part for part in (source, spot, place.path) if part]
    text = f"{finding.severity}[{finding.rule}]: {finding.message}"
    if finding.expected is not None:
        text += f"; expected {finding.expected}"
    if finding.found is not None:
        text += f"; found {finding.found}"
    if finding.read_old or finding.read_new:
        text += f"; read-old {finding.read_old}, read-new {finding.read_new}"
    if finding.reaction is not None:
        text += f" (the kernel: {finding.reaction})"
    return [printable(": ".join([*head, text])), *(f"    {pa:#x}: {printable(what)}" for pa, what in finding.related)]
