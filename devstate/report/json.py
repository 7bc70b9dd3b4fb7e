# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings as JSON (docs/check.schema.json), and how every document of devstate is written.

Keys are never renamed or taken away. Numbers are numbers, addresses are "0x..." strings, what is not known is null.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TextIO

    from devstate.finding import Finding, Reaction

LONG = 1000
"""Elements above which the standard library's encoder, which is in C, is worth its import."""


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
    rows = [f" {dumps(key)}: {_value(value, ' ')}" for key, value in document.items()]
    stream.write("{\n" + ",\n".join(rows) + "\n}\n")


def _value(value: Any, indent: str) -> str:
    if _is_table(value):
        rows = ",".join([f"\n{indent} {dumps(each)}" for each in value])
        return f"[{rows}\n{indent}]"
    if isinstance(value, dict) and any(_is_table(each) for each in value.values()):
        rows = ",".join([f"\n{indent} {dumps(key)}: {_value(each, indent + ' ')}" for key, each in value.items()])
        return f"{{{rows}\n{indent}}}"
    return dumps(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def dumps(value: Any) -> str:
    """A value on one line, as ``json.dumps`` writes it; only what is long or unusual is left to that module.

    Importing it (with re and enum) takes half an interpreter start-up, more than writing the document of most handovers.
    """
    if isinstance(value, str):
        plain = value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        return f'"{value}"' if plain else _standard(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, dict) and len(value) <= LONG:
        return "{" + ", ".join([f"{dumps(key)}: {dumps(each)}" for key, each in value.items()]) + "}"
    if isinstance(value, list) and len(value) <= LONG:
        return "[" + ", ".join([dumps(each) for each in value]) + "]"
    return _standard(value)


def _standard(value: Any) -> str:
    import json

    return json.dumps(value)
