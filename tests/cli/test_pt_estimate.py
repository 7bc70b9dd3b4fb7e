# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate pt estimate."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from runner import Runner

from devstate.cli.command import OK, UNUSABLE
from devstate.pagetable.costs import COSTS, MACHINE

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_a_terabyte_for_people(run: Runner) -> None:
    """The tables, the machine that the constants are of, and a line for each shape; the large-page one stands alone."""
    outcome = run("pt", "estimate", "--ram", "1T", "--page-size", "4K")
    assert OK == outcome.status
    assert "tables  bytes=2151690240 level-3=1 level-2=2 level-1=1024 level-0=524288" == outcome.lines[0]
    assert outcome.lines[2].endswith(MACHINE)
    assert [*COSTS][:-1] == [line[8:22].strip() for line in outcome.lines[4:]]
    large = run("pt", "estimate", "--ram", "1T", "--page-size", "2M")
    assert [[*COSTS][-1]] == [line[8:22].strip() for line in large.lines[4:]]


def test_a_terabyte_as_json(run: Runner) -> None:
    """As the published schema says; the same figures."""
    document = run("pt", "estimate", "--ram", "1T", "--json").json
    schema = json.loads((DOCS / "pt-estimate.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["table_bytes"] == sum(row["tables"] for row in document["tables"]) * 4096
    assert [*COSTS][:-1] == [row["shape"] for row in document["shapes"]]


def test_what_it_refuses(run: Runner) -> None:
    """Pages that the format has not, a size that it cannot map, a size that is none."""
    for words in (["1T", "--page-size", "5K"], ["1T", "--levels", "1"], ["200000T"], ["0"], ["much"], ["1T", "--format", "none"]):
        assert UNUSABLE == run("pt", "estimate", "--ram", *words).status


def test_help_says_what_the_constants_are(run: Runner) -> None:
    """And how to have those of another machine."""
    text = " ".join(run("pt", "estimate", "--help").out.split())
    assert "make bench-pt && .venv/bin/python -m bench.costs" in text
