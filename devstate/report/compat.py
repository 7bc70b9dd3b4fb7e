# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The report of a comparison as text, JSON (docs/compat.schema.json), GitHub annotations and Markdown for a pull request.

All are made from one plain document, ``{read_old, read_new, findings, bump, compared, missing, exit}``, so that they say the same.
"""

from __future__ import annotations

from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TextIO

    from devstate.finding import Finding

    Document = Mapping[str, Any]

READS_MAX = 6
"""Fields of a witness that the forms for people show; JSON has all."""

MARKS = {"error": "❌", "warning": "⚠️", "info": "💡"}
COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def row(finding: Finding, name: str = "") -> dict[str, Any]:
    """One finding as a JSON object. ``name`` is the rule's."""
    place = finding.location
    made: dict[str, Any] = {
        "rule": finding.rule,
        "name": name,
        "subject": place.path,
        "severity": str(finding.severity),
        "read_old": "OK" if finding.read_old is None else str(finding.read_old),
        "read_new": "OK" if finding.read_new is None else str(finding.read_new),
        "reaction": None if finding.reaction is None else str(finding.reaction),
        "message": finding.message,
        "location": None if place.source is None else {"source": place.source, "line": place.line, "offset": place.offset},
    }
    if finding.witness is not None:
        made["witness"] = {
            "bytes": finding.witness.data.hex(),
            "written_by": finding.witness.written_by,
            "reads": [
                {"field": each.field, "wrote": each.wrote, "reads": each.got, "is": each.stands_for} for each in finding.witness.reads
            ],
        }
    return made


def spot(finding: Mapping[str, Any]) -> str:
    """``FILE:LINE`` of a finding's row, or nothing."""
    place = finding["location"]
    if place is None:
        return ""
    return place["source"] if place["line"] is None else f"{place['source']}:{place['line']}"


def text(document: Document, stream: TextIO) -> None:
    """Write lines, in the manner of compilers; the verdict and the advice come last."""
    shown: list[list[str]] = []
    for finding in document["findings"]:
        head = [each for each in (spot(finding), finding["subject"]) if each]
        rule = f"{finding['severity']}[{finding['rule']} {finding['name']}]"
        stream.write(printable(": ".join([*head, f"{rule}: {finding['message']}{_outcomes(finding)}"])) + "\n")
        proof = list(witness_lines(finding))
        for line in proof if not proof or proof not in shown else ["(the proof is above)"]:
            stream.write(f"    {printable(line)}\n")
        shown += [proof] if proof else []
    stream.write(printable(verdict_line(document)) + "\n")
    for missing in document["missing"]:
        stream.write(f"incomplete: {printable(missing)}\n")
    for line in bump_lines(document):
        stream.write(printable(line) + "\n")


def _outcomes(finding: Mapping[str, Any]) -> str:
    if finding["read_old"] == finding["read_new"] == "OK":
        return ""
    words = f"; read-old {finding['read_old']}, read-new {finding['read_new']}"
    return words if finding["reaction"] is None else f"{words} (the kernel: {finding['reaction']})"


def witness_lines(finding: Mapping[str, Any]) -> Iterable[str]:
    """The proof in a few lines: who wrote, and what the reader gets for which field."""
    witness = finding.get("witness")
    if witness is None:
        return
    data = witness["bytes"]
    shown = data if len(data) <= 96 else f"{data[:96]}... ({len(data) // 2} bytes)"
    yield f"{witness['written_by']} writes {shown}" if data else f"{witness['written_by']} writes:"
    for each in witness["reads"][:READS_MAX]:
        wrote = "" if each["wrote"] is None else f" ({each['wrote']} was written)"
        stands = f", which is {each['is']}" if each["is"] else ""
        nothing = each["reads"] == "nothing"
        yield f"{each['field']} is {each['is']}{wrote}" if nothing else f"{each['field']} reads {each['reads']}{stands}{wrote}"
    if len(witness["reads"]) > READS_MAX:
        yield f"and {len(witness['reads']) - READS_MAX} fields more"


def verdict_line(document: Document) -> str:
    """``read-old MISREAD, read-new OK: 3 findings in 2 formats``."""
    sides = [document[key] or "unknown" for key in ("read_old", "read_new")]
    count, formats = len(document["findings"]), len(document["compared"])
    words = [f"{number} {word}{'' if number == 1 else 's'}" for number, word in ((count, "finding"), (formats, "format"))]
    return f"read-old {sides[0]}, read-new {sides[1]}: {words[0]} in {words[1]}"


def bump_lines(document: Document) -> list[str]:
    """Whether a version must change, and the edit."""
    bump = document["bump"]
    if not document["compared"]:
        return []
    head = "bump needed" + (", and it is there" if bump["present"] else "") if bump["needed"] else "no bump needed"
    advice = [line for line in bump["advice"].splitlines() if line and line != "no bump needed"]
    return [head, *(f"  {line}" for line in advice)]


def json(document: Document, stream: TextIO) -> None:
    """Write the document itself."""
    from devstate.report.json import write

    write(document, stream)


def github(document: Document, stream: TextIO) -> None:
    """Write workflow commands that annotate the lines of a pull request. Facts: GitHub's documentation of workflow commands."""
    for finding in document["findings"]:
        place = finding["location"] or {}
        settings = [("file", place.get("source")), ("line", place.get("line")), ("title", f"{finding['rule']} {finding['name']}")]
        given = ",".join(f"{key}={_property(str(value))}" for key, value in settings if value is not None)
        lines = [f"{finding['subject']}: {finding['message']}{_outcomes(finding)}", *witness_lines(finding)]
        stream.write(f"::{COMMANDS[finding['severity']]} {given}::{_data(chr(10).join(lines))}\n")
    stream.write(f"::notice title=devstate compat::{_data(chr(10).join([verdict_line(document), *bump_lines(document)]))}\n")


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def markdown(document: Document, stream: TextIO) -> None:
    """Write a comment for a pull request: the verdict, a table, the proofs folded away, the advice."""
    stream.write(f"### devstate compat: {_cell(verdict_line(document))}\n\n")
    if document["findings"]:
        stream.write("| | rule | subject | read-old | read-new | what |\n|---|---|---|---|---|---|\n")
    for each in document["findings"]:
        cells = [f"{each['rule']} {each['name']}", f"`{each['subject']}` {spot(each)}".strip(), each["read_old"], each["read_new"]]
        stream.write(f"| {MARKS[each['severity']]} | {' | '.join(_cell(cell) for cell in [*cells, each['message']])} |\n")
    shown: list[list[str]] = []
    for each in document["findings"]:
        lines = list(witness_lines(each))
        if lines and lines not in shown:
            shown.append(lines)
            proof = "\n".join(printable(line) for line in lines)
            title = f"{each['rule']} <code>{_cell(each['subject'])}</code>"
            stream.write(f"\n<details><summary>{title}</summary>\n\n```\n{proof}\n```\n</details>\n")
    for missing in document["missing"]:
        stream.write(f"\n**incomplete**: {_cell(missing)}\n")
    advice = "\n".join(printable(line) for line in bump_lines(document))
    stream.write(f"\n```\n{advice}\n```\n")


def _cell(value: str) -> str:
    """Text that does not break a table."""
    return printable(value).replace("|", "\\|").replace("<", "&lt;")
