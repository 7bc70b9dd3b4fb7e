# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate lint: sources, forms, exit statuses, policies."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from runner import Runner

DOCS = Path(__file__).resolve().parents[2] / "docs"

MINE = """
from devstate.schema import *
SCHEMAS = [Schema(compatible="mine-v1", doc="mine", source="here", status="project", found_by="x", owner="us",
  root=Struct("mine_ser", "where" / KernelPointer() * "a pointer", "count" / U64))]
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A schema with a kernel pointer and a field without doc, in a project of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_everything_that_is_shipped(run: Runner) -> None:
    """It passes, and says how much it judged."""
    outcome = run("lint")
    assert (0, "") == (outcome.status, outcome.err)
    assert "error" not in outcome.lines[-1] and outcome.lines[-1].endswith(" formats")


def test_text(run: Runner, mine: Path) -> None:
    """File, field, severity, rule, what, which format; 1 for an error, and by --fail-on."""
    outcome = run("lint", mine)
    assert 1 == outcome.status
    assert [
        f"{mine}: mine_ser.where: error[DS503 unportable-type]: a raw kernel pointer (mine-v1)",
        f"{mine}: mine_ser: warning[DS505 undocumented]: 1 of 2 fields have no doc: count (mine-v1)",
        "1 error, 1 warning in 1 format",
    ] == outcome.lines
    assert outcome.lines == run("lint", "--schemas", mine).lines
    mine.write_text(MINE.replace("KernelPointer()", "U64"))
    assert [0, 1, 1] == [run("lint", mine, "--fail-on", level).status for level in ("error", "warning", "info")]


def test_forms(run: Runner, mine: Path) -> None:
    """All say the same: JSON by its schema, SARIF, annotations, JUnit, a comment."""
    document = run("lint", mine, "--json").json
    jsonschema.validate(document, json.loads((DOCS / "lint.schema.json").read_text()))
    assert (["DS503", "DS505"], 1, 1) == ([each["rule"] for each in document["findings"]], document["linted"], document["exit"])
    jsonschema.validate(run("lint", "--json").json, json.loads((DOCS / "lint.schema.json").read_text()))
    sarif = run("lint", mine, "--format", "sarif").json["runs"][0]
    assert ["DS503", "DS505"] == [each["ruleId"] for each in sarif["results"]]
    github = run("lint", mine, "--format", "github").lines
    assert f"::error file={mine},title=DS503 unportable-type::mine_ser.where: a raw kernel pointer (mine-v1)" == github[0]
    assert "::notice title=devstate lint::1 error, 1 warning in 1 format" == github[-1]
    suite = ElementTree.fromstring(run("lint", mine, "--format", "junit").out)
    assert ("2", "1") == (suite.get("tests"), suite.get("failures"))
    assert "| ❌ | DS503 unportable-type |" in run("lint", mine, "--format", "markdown").out


def test_output(run: Runner, mine: Path) -> None:
    """Into a file, with the status as it is."""
    outcome = run("lint", mine, "--format", "sarif", "-o", "out.sarif")
    assert (1, "") == (outcome.status, outcome.out)
    assert "2.1.0" == json.loads(Path("out.sarif").read_text())["version"]


def test_policy(run: Runner, mine: Path) -> None:
    """Levels and waivers of the project count; an idle waiver is an error."""
    waivers = run("lint", mine, "--waivers").err
    assert 1 == waivers.count("[[waiver]]") and 'format = "mine-v1"' in waivers
    Path("devstate.toml").write_text(waivers.replace('""', '"x"') + '[levels]\nDS505 = "allow"\n')
    outcome = run("lint", mine)
    assert (0, "1 info in 1 format") == (outcome.status, outcome.lines[-1])
    mine.write_text(MINE.replace("KernelPointer()", "U64"))
    outcome = run("lint", mine)
    assert (1, True) == (outcome.status, outcome.lines[0].startswith("devstate.toml:1: DS503 mine_ser.where: error[waiver-unused policy]"))
    assert 0 == run("lint", "memfd-v2").status, "a waiver for another format is not idle here"


def test_sources(run: Runner, mine: Path) -> None:
    """Several at once; baselines; what is none."""
    assert "in 2 formats" in run("lint", mine, "memfd-v2").lines[-1]
    baselines = DOCS.parent / "schemas" / "baselines"
    assert run("lint").lines[-1] == run("lint", baselines).lines[-1]
    outcome = run("lint", "no-such")
    assert (2, "") == (outcome.status, outcome.out)
    outcome = run("lint", "no-such.py")
    assert (2, "error: no-such.py: no such file or directory\n") == (outcome.status, outcome.err)
