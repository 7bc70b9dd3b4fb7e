# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The report of lint as text, JSON (docs/lint.schema.json), GitHub annotations and Markdown for a pull request.

All are made from one plain document, ``{findings, linted, missing, exit}``, so that they say the same.
"""

from __future__ import annotations

from devstate.report.compat import MARKS, spot
from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

    Document = Mapping[str, Any]

FORMATS_MAX = 3
"""Formats that a line names before it counts the rest; JSON has all."""


def text(document: Document, stream: TextIO) -> None:
    """Write lines, in the manner of compilers; the count comes last."""
    for finding in document["findings"]:
        head = [each for each in (spot(finding), finding["subject"]) if each]
        rule = f"{finding['severity']}[{finding['rule']} {finding['name']}]"
        stream.write(printable(": ".join([*head, f"{rule}: {finding['message']}{_formats(finding)}"])) + "\n")
    for missing in document["missing"]:
        stream.write(f"incomplete: {printable(missing)}\n")
    stream.write(count_line(document) + "\n")


def _formats(finding: Mapping[str, Any]) -> str:
    """Which formats have it, where that is not said by the subject."""
    names = finding["formats"]
    if not names or names == [finding["subject"]]:
        return ""
    more = f" and {len(names) - FORMATS_MAX} more" if len(names) > FORMATS_MAX else ""
    return f" ({', '.join(names[:FORMATS_MAX])}{more})"


def count_line(document: Document) -> str:
    """``1 error, 2 warnings, 40 infos in 91 formats``."""
    counts = {level: sum(each["severity"] == level for each in document["findings"]) for level in ("error", "warning", "info")}
    words = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items() if count]
    linted = document["linted"]
    return f"{', '.join(words) or 'nothing found'} in {linted} format{'' if linted == 1 else 's'}"


def json(document: Document, stream: TextIO) -> None:
    """Write the document itself."""
    from devstate.report.json import write

    write(document, stream)


def github(document: Document, stream: TextIO) -> None:
    """Write workflow commands."""
    from devstate.report.github import annotation

    for each in document["findings"]:
        place = each["location"] or {}
        message = f"{each['subject']}: {each['message']}{_formats(each)}"
        made = annotation(each["severity"], f"{each['rule']} {each['name']}", message, place.get("source"), place.get("line"))
        stream.write(made + "\n")
    stream.write(annotation("info", "devstate lint", count_line(document)) + "\n")


def markdown(document: Document, stream: TextIO) -> None:
    """Write a comment for a pull request."""
    stream.write(f"### devstate lint: {count_line(document)}\n")
    if document["findings"]:
        stream.write("\n| | rule | subject | what |\n|---|---|---|---|\n")
    for each in document["findings"]:
        cells = [f"{each['rule']} {each['name']}", f"`{each['subject']}` {spot(each)}".strip(), each["message"] + _formats(each)]
        stream.write(f"| {MARKS[each['severity']]} | {' | '.join(_cell(cell) for cell in cells)} |\n")
    for missing in document["missing"]:
        stream.write(f"\n**incomplete**: {_cell(missing)}\n")


def _cell(value: str) -> str:
    """Text that does not break a table."""
    return printable(value).replace("|", "\\|").replace("<", "&lt;")
