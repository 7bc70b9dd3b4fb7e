# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings as SARIF 2.1.0, which code hosts and editors show. Facts: OASIS SARIF 2.1.0, section 3.

A place in a handover is no line of a file: the artifact is the input, the address goes into ``physicalLocation.address`` and, with the
path, into the logical location's name. ``partialFingerprints`` hold a finding together over runs in which addresses move.
"""

from __future__ import annotations

from devstate.report.json import finding_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TextIO

    from devstate.finding import Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"info": "note", "warning": "warning", "error": "error"}


def findings(found: Iterable[Finding], stream: TextIO, *, version: str, rules: Mapping[str, str] | None = None) -> None:
    """Write one run. ``version`` is that of devstate; ``rules`` give a line of help for a rule's id."""
    import json

    kept = list(found)
    ids = sorted({finding.rule for finding in kept})
    texts = rules or {}
    driver = {
        "name": "devstate",
        "semanticVersion": version,
        "rules": [{"id": each, "shortDescription": {"text": texts.get(each, each)}} for each in ids],
    }
    results = [_result(finding, ids.index(finding.rule)) for finding in kept]
    json.dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}, stream, indent=1)
    stream.write("\n")


def _result(finding: Finding, index: int) -> dict[str, Any]:
    row = finding_row(finding)
    text = finding.message
    if finding.expected is not None:
        text += f"; expected {finding.expected}"
    if finding.found is not None:
        text += f"; found {finding.found}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[row["severity"]],
        "message": {"text": text},
        "partialFingerprints": {"devstate/1": f"{finding.rule}:{finding.location.path or ''}"},
        "properties": {"reaction": row["reaction"]},
    }
    if finding.read_old is not None or finding.read_new is not None:
        result["properties"] |= {"readOld": str(finding.read_old), "readNew": str(finding.read_new)}
    if finding.witness is not None:
        result["properties"]["witness"] = finding.witness.data.hex()
    location = _location(finding)
    if location:
        result["locations"] = [location]
    if finding.related:
        result["relatedLocations"] = [
            {"physicalLocation": {"address": {"absoluteAddress": pa}}, "message": {"text": what}} for pa, what in finding.related
        ]
    return result


def _location(finding: Finding) -> dict[str, Any]:
    place = finding.location
    physical: dict[str, Any] = {}
    if place.source is not None:
        physical["artifactLocation"] = {"uri": _uri(place.source)}
        if place.line is not None:
            physical["region"] = {"startLine": place.line}
        elif place.offset is not None and place.pa is None:
            physical["region"] = {"byteOffset": place.offset}
    if place.pa is not None:
        physical["address"] = {"absoluteAddress": place.pa + (place.offset or 0)}
    location: dict[str, Any] = {"physicalLocation": physical} if physical else {}
    if place.path is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": place.path}]
    return location


def _uri(path: str) -> str:
    """The path as code hosts want it: relative to where devstate runs, when it is below that."""
    import os
    from urllib.parse import quote

    if os.path.isabs(path) and path.startswith(os.getcwd() + os.sep):
        path = os.path.relpath(path)
    return quote(path.encode("utf-8", "surrogateescape"))
