# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate compat: sources, directions, page sizes, forms, witnesses, exit statuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from runner import Runner

DOCS = Path(__file__).resolve().parents[2] / "docs"
VALIDATOR = jsonschema.Draft202012Validator(json.loads((DOCS / "compat.schema.json").read_text()))
BROKEN = ("compat", "vfio-pci-v1", "--against", "vfio-pci-v1@reset")
"""Posted under one string: bdf and domain changed places, and a field went."""


def test_a_bump(run: Runner) -> None:
    """A version that changed with its layout is refused, cleanly: information, unless somebody promised otherwise."""
    outcome = run("compat", "memfd-v2", "--against", "memfd-v1", "--json")
    found = outcome.json
    VALIDATOR.validate(found)
    assert (0, "REFUSED", "REFUSED") == (outcome.status, found["read_old"], found["read_new"])
    assert (True, True) == (found["bump"]["needed"], found["bump"]["present"])
    assert {("DS102", "info", "open-fails"), ("DS303", "info", "open-fails")} <= {
        (each["rule"], each["severity"], each["reaction"]) for each in found["findings"]
    }


def test_a_break_without_a_bump(run: Runner) -> None:
    """The same bytes under the same string are misread: status 1, the edit, and bytes that prove it."""
    outcome = run(*BROKEN, "--json")
    found = outcome.json
    VALIDATOR.validate(found)
    assert (1, 1, "MISREAD", "MISREAD") == (outcome.status, found["exit"], found["read_old"], found["read_new"])
    assert (True, False) == (found["bump"]["needed"], found["bump"]["present"])
    assert 'compatible="vfio-pci-v2", replaces="vfio-pci-v1"' in found["bump"]["advice"]
    moved = next(each for each in found["findings"] if each["rule"] == "DS104")
    assert ("vfio_pci_core_device_ser.bdf", "silent-wrong") == (moved["subject"], moved["reaction"])
    assert {"field": "domain", "wrote": "0x403", "reads": "0x4030201", "is": "bdf | domain << 16"} in moved["witness"]["reads"]
    assert all("witness" in each for each in found["findings"] if "MISREAD" in (each["read_old"], each["read_new"]))


def test_nothing_changed(run: Runner) -> None:
    """Shipped formats against their committed baselines."""
    outcome = run("compat", "shipped", "--against", DOCS.parent / "schemas" / "baselines")
    assert (0, "read-old OK, read-new OK: 0 findings") == (outcome.status, outcome.lines[0].partition(" in")[0])


def test_one_page_size_only(run: Runner) -> None:
    """The radix tree of kho-v3 grew on 16K pages: it is said so, and asking for another size finds nothing."""
    pair = ("compat", "kho-v3", "--against", "kho-v3@7.1-rc1")
    found = run(*pair, "--json").json
    VALIDATOR.validate(found)
    deeper = next(each for each in found["findings"] if each["rule"] == "DS207")
    assert (["16K pages"], True) == (deeper["only"], "only with 16K pages" in deeper["message"])
    assert "DS501" in {each["rule"] for each in found["findings"]}
    assert [0, 1, 0] == [run(*pair, "--page-size", size).status for size in ("4K", "16K", "64K")]
    assert 2 == run(*pair, "--page-size", "8K").status


def test_directions(run: Runner, tmp_path: Path) -> None:
    """An appended field hurts the new kernel only: whoever promises the way back only is not told off."""
    pair = [baseline(tmp_path, side, fields) for side, fields in (("old", "ab"), ("new", "abc"))]
    words = ("compat", pair[1], "--against", pair[0])
    assert ["SHORT", "OK"] == [run(*words, "--json").json[key] for key in ("read_old", "read_new")]
    assert [1, 1, 0] == [run(*words, "--direction", each).status for each in ("both", "read-old", "read-new")]


def baseline(folder: Path, side: str, fields: str) -> Path:
    """A baseline file with u32 fields of these names."""
    plain = [{"name": name, "offset": 4 * at, "size": 4, "type": {"is": "int", "size": 4}} for at, name in enumerate(fields)]
    struct = {"name": "s", "size": 4 * len(fields), "align": 1, "packed": True, "fields": plain}
    layout = {
        "name": "s-v1", "compatible": "s-v1", "variant": "", "status": "project", "source": "s.h", "doc": "a demo", "root": "s",
        "structs": [struct], "environment": {},
    }  # fmt: skip
    path = folder / f"{side}.json"
    path.write_text(json.dumps({"name": "s-v1", "fingerprint": "", "layouts": [{"page_sizes": [4096, 16384, 65536], "layout": layout}]}))
    return path


def test_several_old_sides(run: Runner, tmp_path: Path) -> None:
    """One finding against two old sides is one, and names both; the worst of all counts."""
    old, older, new = (baseline(tmp_path, *each) for each in (("old", "ab"), ("older", "ab"), ("new", "zab")))
    found = run("compat", new, "--against", old, "--against", older, "--against", new, "--json").json
    VALIDATOR.validate(found)
    assert ("MISREAD", "MISREAD") == (found["read_old"], found["read_new"])
    assert [[str(old), str(older)]] == [each["against"] for each in found["findings"] if each["rule"] == "DS102"]


def test_missing_evidence(run: Runner) -> None:
    """A struct that is nowhere is no pass: status 3, and the outcome is unknown."""
    outcome = run("compat", "memfd-v2", "--against", "memfd-v1", "--type", "nowhere", "--json")
    VALIDATOR.validate(outcome.json)
    assert (3, None, 3) == (outcome.status, outcome.json["read_old"], outcome.json["exit"])
    assert {"DS504"} == {each["rule"] for each in outcome.json["findings"]}
    assert "incomplete: " in run("compat", "memfd-v2", "--against", "memfd-v1", "--type", "nowhere").out


@pytest.mark.parametrize(
    "words",
    [(), ("memfd-v2",), ("memfd-v2", "--against", "nothing-v9"), ("memfd-v2", "--against", "no/such/file"), ("--against", "memfd-v1")],
)
def test_usage(run: Runner, words: tuple[str, ...]) -> None:
    """What is no comparison is an error of usage, in one line."""
    outcome = run("compat", *words)
    assert (2, 1) == (outcome.status, len(outcome.err.splitlines()))


def test_witness_files_decode(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command line that is written beside the witnesses works, for both sides."""
    monkeypatch.chdir(tmp_path)
    for pair in (BROKEN, ("compat", "pci-v1@u32", "--against", "pci-v1@u64"), (*BROKEN, "--byte-order", "big")):
        assert 1 == run(*pair, "--witness", "w").status
        monkeypatch.chdir(tmp_path / "w")
        lines = [line for line in Path("commands.txt").read_text().splitlines() if line.startswith("devstate ")]
        assert lines
        for line in lines:
            outcome = run(*shlex.split(line)[1:])
            assert (0, "") == (outcome.status, outcome.err)
        monkeypatch.chdir(tmp_path)
    first = json.loads(run("decode", "--schemas", sorted(Path("w").glob("*DS104*.old.json"))[0], "--as", "vfio-pci-v1@reset",
                           sorted(Path("w").glob("*DS104*.old.bin"))[0], "--byte-order", "big").out)  # fmt: skip
    assert {"bdf", "domain", "reset_works"} == {*first}


def test_forms(run: Runner, tmp_path: Path) -> None:
    """SARIF, JUnit, GitHub and Markdown say the same; -o writes to a file."""
    sarif = run(*BROKEN, "--format", "sarif").json["runs"][0]
    rules = [each["rule"] for each in run(*BROKEN, "--json").json["findings"]]
    assert rules == [each["ruleId"] for each in sarif["results"]]
    assert all(each["partialFingerprints"] for each in sarif["results"])
    assert "MISREAD" == sarif["results"][0]["properties"]["readNew"]
    suite = ElementTree.fromstring(run(*BROKEN, "--format", "junit").out)
    failed = sum(each["level"] == "error" for each in sarif["results"])
    assert (rules, str(failed)) == ([case.get("classname") for case in suite], suite.get("failures"))
    github = run(*BROKEN, "--format", "github").lines
    assert [*rules, "devstate"] == [line.partition("title=")[2].split()[0] for line in github]
    page = run(*BROKEN, "--format", "markdown").out
    assert all(f"| {rule} " in page for rule in rules)
    assert page.startswith("### devstate compat: read-old MISREAD, read-new MISREAD")
    assert (1, "") == (run(*BROKEN, "-o", tmp_path / "report.txt").status, run(*BROKEN, "-o", tmp_path / "report.txt").out)
    assert run(*BROKEN).out == (tmp_path / "report.txt").read_text()
