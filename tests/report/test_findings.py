# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings in each format: what is written is what was found, and the format is what it claims to be."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.finding import Finding, Location, Reaction, Severity
from devstate.report import json as report_json
from devstate.report import junit, sarif, text

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "check.schema.json").read_text())

SARIF_SHAPE = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "additionalProperties": False,
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "additionalProperties": False,
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "semanticVersion": {"type": "string"},
                                "rules": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["id"],
                                        "additionalProperties": False,
                                        "properties": {"id": {"type": "string"}, "shortDescription": {"$ref": "#/$defs/text"}},
                                    },
                                },
                            },
                        }
                    },
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/text"},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "properties": {"type": "object"},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                "relatedLocations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
            },
        },
        "location": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "message": {"$ref": "#/$defs/text"},
                "physicalLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "anyOf": [{"required": ["artifactLocation"]}, {"required": ["address"]}],
                    "properties": {
                        "artifactLocation": {"type": "object", "properties": {"uri": {"type": "string", "pattern": "^[!-~]*$"}}},
                        "region": {"type": "object", "properties": {"byteOffset": {"type": "integer", "minimum": 0}}},
                        "address": {"type": "object", "properties": {"absoluteAddress": {"type": "integer", "minimum": 0}}},
                    },
                },
                "logicalLocations": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"fullyQualifiedName": {"type": "string"}}},
                },
            },
        },
    },
}
"""The part of SARIF 2.1.0 (OASIS, sections 3.13 to 3.34) that is used, closed: a misspelt key does not pass."""

FINDING = Finding(
    "folio-unsorted",
    Severity.ERROR,
    "folio 3 is out of order",
    Location("a.core", 0x1000, 8, "luo/session/vm/1"),
    Reaction.SILENT_WRONG,
    "an index above 7",
    "7",
    ((0x2000, "the folio before it"),),
)
BARE = Finding("input-truncated", Severity.WARNING, "cut", Location())

names = st.text(max_size=12)
numbers = st.none() | st.integers(0, (1 << 64) - 1)
any_finding = st.builds(
    lambda rule, severity, message, place, reaction, expected, found, related: Finding(
        rule, severity, message, place, reaction, expected, found, related
    ),
    st.from_regex(r"[a-z]{1,8}(-[a-z]{1,8})?", fullmatch=True),
    st.sampled_from(Severity),
    st.text(min_size=1, max_size=20),
    st.builds(lambda source, pa, offset, path: Location(source, pa, offset, path), st.none() | names, numbers, numbers, st.none() | names),
    st.none() | st.sampled_from(Reaction),
    st.none() | names,
    st.none() | names,
    st.lists(st.tuples(st.integers(0, (1 << 64) - 1), st.text(min_size=1, max_size=8)), max_size=2).map(tuple),
)
many = st.lists(any_finding, max_size=5)


def written(write: Any, *arguments: Any, **options: Any) -> str:
    """What a writer writes."""
    stream = io.StringIO()
    write(*arguments, stream, **options)
    return stream.getvalue()


def test_text() -> None:
    """Place, severity, rule, message, expectation, reaction; further places below."""
    assert (
        "a.core: 0x1000+0x8: luo/session/vm/1: error[folio-unsorted]: folio 3 is out of order; expected an index above 7; found 7"
        " (the kernel: silent-wrong)\n"
        "    0x2000: the folio before it\n"
        "warning[input-truncated]: cut\n"
    ) == written(text.findings, [FINDING, BARE])


@given(many)
def test_text_is_one_safe_line_each(found: list[Finding]) -> None:
    """Whatever stands in names: no line break, nothing that a terminal obeys."""
    lines = written(text.findings, found).split("\n")[:-1]
    assert len(lines) == sum(1 + len(finding.related) for finding in found)
    assert all(line.isprintable() for line in lines)


def test_json() -> None:
    """The keys that others rely on. Add; never change."""
    document = json.loads(written(report_json.findings, [FINDING, BARE], predicted=Reaction.SILENT_WRONG))
    assert {
        "rule": "folio-unsorted",
        "severity": "error",
        "reaction": "silent-wrong",
        "message": "folio 3 is out of order",
        "pa": "0x1000",
        "offset": 8,
        "path": "luo/session/vm/1",
        "source": "a.core",
        "expected": "an index above 7",
        "found": "7",
        "related": [{"pa": "0x2000", "what": "the folio before it"}],
    } == document["findings"][0]
    assert "silent-wrong" == document["predicted"]
    assert {"findings": [], "predicted": "accepted"} == json.loads(written(report_json.findings, []))


@given(many, st.none() | st.sampled_from(Reaction))
def test_json_is_valid(found: list[Finding], predicted: Reaction | None) -> None:
    """By the published schema, for any finding."""
    document = json.loads(written(report_json.findings, found, predicted=predicted))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert [finding.message for finding in found] == [row["message"] for row in document["findings"]]


def test_the_schema_knows_every_reaction_and_severity() -> None:
    """The words are those of devstate.finding."""
    assert {str(each) for each in Reaction} == set(SCHEMA["$defs"]["reaction"]["enum"])
    severities = SCHEMA["properties"]["findings"]["items"]["properties"]["severity"]["enum"]
    assert [str(each) for each in Severity] == severities


@pytest.mark.parametrize("change", [{"findings": None}, {"predicted": "fine"}, {"findings": [{}]}])
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    """What is wrong does not pass."""
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid({"findings": [], "predicted": "accepted"} | change)


def test_sarif() -> None:
    """Rule, level, address, logical name; related places."""
    document = json.loads(written(sarif.findings, [FINDING, BARE], version="1.2.3", rules={"folio-unsorted": "folios are sorted"}))
    run = document["runs"][0]
    assert [("folio-unsorted", "folios are sorted"), ("input-truncated", "input-truncated")] == [
        (rule["id"], rule["shortDescription"]["text"]) for rule in run["tool"]["driver"]["rules"]
    ]
    result = run["results"][0]
    assert ("folio-unsorted", 0, "error") == (result["ruleId"], result["ruleIndex"], result["level"])
    assert {
        "physicalLocation": {"artifactLocation": {"uri": "a.core"}, "address": {"absoluteAddress": 0x1008}},
        "logicalLocations": [{"fullyQualifiedName": "luo/session/vm/1"}],
    } == result["locations"][0]
    assert 0x2000 == result["relatedLocations"][0]["physicalLocation"]["address"]["absoluteAddress"]
    assert "locations" not in run["results"][1] and "warning" == run["results"][1]["level"]


@given(many)
def test_sarif_is_valid(found: list[Finding]) -> None:
    """For any finding, by the part of the standard that is used; and each index leads to its rule."""
    document = json.loads(written(sarif.findings, found, version="0"))
    jsonschema.Draft202012Validator(SARIF_SHAPE).validate(document)
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    for finding, result in zip(found, document["runs"][0]["results"], strict=True):
        assert finding.rule == result["ruleId"] == rules[result["ruleIndex"]]["id"]


def test_junit() -> None:
    """What is at or above the threshold fails, the rest passes; without findings one case passes."""
    root = ElementTree.fromstring(written(junit.findings, [FINDING, BARE], suite="a.core"))
    assert ("a.core", "2", "1", "0") == tuple(root.get(key) for key in ("name", "tests", "failures", "errors"))
    failure = root.find("testcase[@classname='folio-unsorted']/failure")
    assert failure is not None and ("folio 3 is out of order", "error") == (failure.get("message"), failure.get("type"))
    assert root.find("testcase[@classname='input-truncated']/failure") is None
    root = ElementTree.fromstring(written(junit.findings, [FINDING, BARE], suite="x", fail_on=Severity.WARNING))
    assert "2" == root.get("failures")
    root = ElementTree.fromstring(written(junit.findings, [], suite="x"))
    assert (1, "0") == (len(root), root.get("failures"))


@given(many, names)
def test_junit_is_xml(found: list[Finding], suite: str) -> None:
    """For any text, control characters and lone surrogates too."""
    root = ElementTree.fromstring(written(junit.findings, found, suite=suite).encode())
    assert max(1, len(found)) == len(root.findall("testcase"))


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(plain_json)
def test_dumps_is_that_of_the_standard_library(value: object) -> None:
    """Character for character."""
    assert json.dumps(value) == report_json.dumps(value)


def test_dumps_of_what_is_long() -> None:
    """At the limit and one above."""
    for length in (report_json.LONG, report_json.LONG + 1):
        for value in (list(range(length)), {str(each): each for each in range(length)}):
            assert json.dumps(value) == report_json.dumps(value)


@given(st.dictionaries(names, plain_json, max_size=4))
def test_documents_read_back(document: dict[str, Any]) -> None:
    """The lines of a document are only white space."""
    assert document == json.loads(written(report_json.write, document))
