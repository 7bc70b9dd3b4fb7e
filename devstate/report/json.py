# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings as JSON (docs/check.schema.json), and how every document of devstate is written.

Keys are never renamed or taken away. Numbers are numbers, addresses are "0x..." strings, what is not known is null.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TextIO

    from devstate.finding import Finding, Reaction


def findings(found: Iterable[Finding], stream: TextIO, *, predicted: Reaction | None = None) -> None:
    """Write all findings and the predicted reaction (``accepted`` when None) as one document."""
    rows = [finding_row(finding) for finding in found]
    write({"findings": rows, "predicted": "accepted" if predicted is None else str(predicted)}, stream)


def finding_row(finding: Finding) -> dict[str, Any]:
    """One finding as a JSON object."""
    place = finding.location
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "reaction": None if finding.reaction is None else str(finding.reaction),
        "message": finding.message,
        "pa": address(place.pa),
        "offset": place.offset,
        "path": place.path,
        "source": place.source,
        "expected": finding.expected,
        "found": finding.found,
        "related": [{"pa": address(pa), "what": what} for pa, what in finding.related],
    }


def address(value: int | None) -> str | None:
    """A physical address as it stands in JSON."""
    return None if value is None else f"{value:#x}"


def write(document: Mapping[str, Any], stream: TextIO) -> None:
    """Write a document: one line a key, and one line an element where its value is a list of objects."""
    import json  # it costs a tenth of an interpreter start-up, and text output uses address() too

    stream.write("{\n")
    last = len(document) - 1
    for index, (key, value) in enumerate(document.items()):
        stream.write(f" {json.dumps(key)}: ")
        _write_value(json.dumps, value, stream, " ")
        stream.write(",\n" if index < last else "\n")
    stream.write("}\n")


def _write_value(dumps: Callable[[Any], str], value: Any, stream: TextIO, indent: str) -> None:
    # The C encoder of the standard library only writes without indentation; lines are ours, so that big documents stay fast.
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = [f"\n{indent} {dumps(each)}" for each in value]
        stream.write(f"[{','.join(rows)}\n{indent}]")
    elif isinstance(value, dict) and any(isinstance(each, list) and each and isinstance(each[0], dict) for each in value.values()):
        stream.write("{")
        for index, (key, each) in enumerate(value.items()):
            stream.write(f"{',' if index else ''}\n{indent} {dumps(key)}: ")
            _write_value(dumps, each, stream, indent + " ")
        stream.write(f"\n{indent}}}")
    else:
        stream.write(dumps(value))
