# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate check and devstate rules: output forms, exit statuses, arguments."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from runner import Runner

from devstate.check.run import rule_titles
from devstate.compat.rules import ALL

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tampered(shipped: Path) -> Path:
    """A handover in which one session's count of files is wrong."""
    return shipped / "tampered" / "7.3-file-count-minus1.core.zst"


def test_clean(run: Runner, small: Path) -> None:
    """A handover without a flaw: the prediction, status 0."""
    outcome = run("check", small)
    assert (0, ["0 findings; predicted for kernel 7.3: accepted"], "") == (outcome.status, outcome.lines, outcome.err)


def test_an_error_is_status_1(run: Runner, tampered: Path) -> None:
    """The finding names rule, place and reaction."""
    outcome = run("check", tampered)
    assert 1 == outcome.status
    assert f"{tampered}: 0x237d058: luo/session/vm-alpha: error[session-files]" in outcome.out
    assert "predicted for kernel 7.3: open-fails" == outcome.lines[-1].partition("; ")[2]


def test_fail_on(run: Runner, shipped: Path) -> None:
    """A warning is status 0 by default and 1 when warnings are asked for; info the same."""
    warned = shipped / "tampered" / "7.3-luo-number-999.core.zst"
    noted = shipped / "tampered" / "7.3-radix2-bit-in-scratch.core.zst"
    statuses = [run("check", path, "--fail-on", level).status for path in (warned, noted) for level in ("error", "warning", "info")]
    assert [0, 1, 1, 0, 0, 1] == statuses


def test_json_follows_its_schema(run: Runner, tampered: Path, small: Path) -> None:
    """The document is as docs/check.schema.json says, with findings and without."""
    schema = json.loads((ROOT / "docs" / "check.schema.json").read_text())
    for path, predicted in ((tampered, "open-fails"), (small, "accepted")):
        document = run("check", path, "--json").json
        jsonschema.validate(document, schema)
        assert predicted == document["predicted"]


def test_sarif_and_junit(run: Runner, tampered: Path) -> None:
    """The other forms hold the same finding."""
    sarif = run("check", tampered, "--format", "sarif").json
    assert ["session-files"] == [result["ruleId"] for result in sarif["runs"][0]["results"]]
    suite = ElementTree.fromstring(run("check", tampered, "--format", "junit").out)
    assert 1 == len(list(suite.iter("failure")))


def test_kernel(run: Runner, small: Path) -> None:
    """Another reader refuses what this one accepts; a word that is no release is an error of usage."""
    assert "predicted for kernel 7.1: ignored" in run("check", small, "--kernel", "7.1").out
    outcome = run("check", small, "--kernel", "newest")
    assert (2, True) == (outcome.status, "is no kernel release" in outcome.err)


def test_debugfs_is_no_faithful_picture(run: Runner, shipped: Path) -> None:
    """The files are cut and stale: what is wrong in them is a warning, and says nothing about what a kernel will do."""
    for side in ("out", "in"):
        outcome = run("check", shipped / "debugfs-7.3" / side, "--json")
        assert (0, "accepted") == (outcome.status, outcome.json["predicted"])
        assert {"warning"} == {finding["severity"] for finding in outcome.json["findings"]}


def test_rules(run: Runner) -> None:
    """Every rule is listed, one is explained, an unknown one is answered with what is near."""
    assert [*rule_titles(), *ALL] == [line.split()[0] for line in run("rules").lines]
    assert "KHO_MAX_BLOCKS" in run("rules", "chain-too-long").out
    for word in ("DS110", "ds110", "array-stride-changed"):  # by id or by name, with an example and its bytes
        assert all(text in run("rules", word).out for text in ("0153094d03df", "reads 0x100f0e0d"))
    outcome = run("rules", "chain-cycl")
    assert (2, True) == (outcome.status, "'chain-cycle'" in outcome.err)
