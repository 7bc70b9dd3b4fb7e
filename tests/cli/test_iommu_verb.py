# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate iommu: arguments, registers, the document and its schema, text, findings."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from runner import Runner

from devstate.cli.command import FINDINGS, OK, UNUSABLE
from devstate.memory.arena import Arena

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "iommu.schema.json"


@pytest.fixture
def intel(shipped: Path) -> Path:
    """A unit in legacy mode."""
    return shipped / "iommu" / "intel48.core.zst"


@pytest.mark.parametrize(("name", "kind"), [("amd", "amd"), ("arm", "smmuv3"), ("intel-fs", "vtd"), ("intel48", "vtd")])
def test_the_document(run: Runner, any_captures: Path, name: str, kind: str) -> None:
    """It keeps to its schema, and registers may come from a truth file."""
    base = any_captures / "iommu" / name
    truth = json.loads(Path(f"{base}.truth.json").read_text())
    words = [f"{base}.core.zst", "--unit", kind, "--root", truth["root_table_pa"], "--registers", f"{base}.truth.json", "--json"]
    outcome = run("iommu", *words)
    assert (OK, "") == (outcome.status, outcome.err)
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(outcome.json, schema)
    assert [each["mappings"] for each in truth["domains"]] == [each["mappings"] for each in outcome.json["domains"]]
    short = run("iommu", *words, "--no-mappings").json
    jsonschema.validate(short, schema)
    assert short["domains"] == [{key: value for key, value in each.items() if key != "mappings"} for each in outcome.json["domains"]]


@pytest.mark.parametrize(
    "words",
    [
        ["RTADDR=0x268c000", "IRTA=0x1e0000f"],
        ["--root", "0x268c000", "--register", "RTADDR=0x268c000", "--register", "irta=0x1e0000f"],
        ["--rtaddr", "0x268c000", "--irta", "0x1e0000f"],
        ["dmar_rtaddr_reg=0x268c000", "DMAR_IRTA_REG=0x1e0000f"],
        ["--root", "0x268c000", "rt=0x268c000", "IRT=0x1e0000f"],
    ],
)
def test_ways_to_give_registers(run: Runner, intel: Path, words: list[str]) -> None:
    """Words, options and names: each gives the same."""
    found = run("iommu", intel, "--unit", "vtd", *words, "--json").json
    assert {"RTADDR": "0x268c000", "IRTA": "0x1e0000f"} == found["registers"]
    assert (12, 11, []) == (len(found["interrupt_remapping"]["used"]), len(found["devices"]), found["assumed"])


def test_a_root_may_be_the_register(run: Runner, shipped: Path) -> None:
    """Low bits make it one: RTADDR's scalable mode."""
    found = run("iommu", shipped / "iommu" / "intel-fs.core.zst", "--unit", "vtd", "--root", "0x2660400", "--json").json
    assert ("scalable", "0x2660000", 11) == (found["mode"], found["root_table_pa"], len(found["devices"]))


def test_text(run: Runner, intel: Path) -> None:
    """The unit, its registers, a line a device, its domains, its interrupt entries."""
    lines = run("iommu", intel, "--unit", "vtd", "--root", "0x268c000", "--irta", "0x1e0000f").lines
    assert "unit       vtd, legacy, root table 0x268c000" == lines[0]
    assert "device     0000:00:04.0 domain 6 vtd-second-stage, 4 levels, top table 0x2b28000" in lines
    at = lines.index("domain     6 vtd-second-stage, 4 levels, top table 0x2b28000")
    assert [
        "  devices  0000:00:04.0 0000:00:05.0",
        "  mapped   6668144640 bytes in 4173 extents, 74 tables",
        "  leaves   19261 of 0x1000, 1094 of 0x200000, 4 of 0x40000000",
    ] == lines[at + 1 : at + 4]
    assert "interrupts table 0x1e00000, 65536 entries of 16 bytes, 12 in use" in lines
    assert "  entry    17 remapped vector 0x21 to 0x100, from 0000:00:01.0: 0x10000210009 0x40008" in lines


def test_verify(run: Runner, intel: Path) -> None:
    """Nothing is wrong with a real unit: no output, status 0."""
    outcome = run("iommu", intel, "--unit", "vtd", "--root", "0x268c000", "--irta", "0x1e0000f", "--verify")
    assert (OK, "", "") == (outcome.status, outcome.out, outcome.err)


def test_verify_names_what_is_wrong(run: Runner, tmp_path: Path) -> None:
    """A finding with its place, status 1; the same as JSON."""
    arena = Arena()
    root = arena.alloc(4096)
    arena.write(root, (root + 0x5000 | 3).to_bytes(8, "little"))
    arena.save(str(tmp_path / "t.core"))
    words = [tmp_path / "t.core", "--unit", "vtd", "--rtaddr", f"{root:#x}", "--verify"]
    outcome = run("iommu", *words)
    assert FINDINGS == outcome.status
    place = f"{root:#x}: root table: vtd_root_entry.reserved1"
    assert f"{place}: error[iommu-reserved-bits]: reserved bits are set; expected 0; found 0x1" in outcome.out
    rules = [each["rule"] for each in run("iommu", *words, "--json").json["findings"]]
    assert ["iommu-reserved-bits", "iommu-table-not-in-memory"] == rules


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--unit", "vtd"], "say where the root table is: --root, or register RTADDR"),
        (["--unit", "vtd", "--root", "0x268c000", "RTADDR=0x1000"], "register RTADDR says that the root table is at 0x1000, not"),
        (["--unit", "vtd", "--root", "0x268c001", "RTADDR=0x268c000"], "0x268c001 is no address of a root table"),
        (["--unit", "vtd", "IRTA"], "a register is given as NAME=VALUE"),
        (["--unit", "vtd", "IRTA=x"], "a register is given as NAME=VALUE"),
        (["--unit", "vtd", "=1"], "a register is given as NAME=VALUE"),
        (["--unit", "vtd", "IRTA=1", "irta=2"], "register IRTA is given twice: 0x1 and 0x2"),
        (["--unit", "riscv", "--root", "0"], "invalid choice: 'riscv'"),
        (["--unit", "vtd", "--root", "0", "--segment", "0x10000"], "a PCI segment has 16 bits"),
        (["--unit", "vtd", "--registers", __file__], "no file of registers"),
        (["--unit", "vtd", "--registers", "/nowhere.json"], "No such file"),
        (["--unit", "vtd", "--root", "0"], "the root table is not in the capture"),
        (["--unit", "vtd", "--root", "0x268c000", "--encryption-bit", "47"], "an encryption bit is one of 12 to 51, of AMD's addresses"),
        (["--unit", "vtd", "--root", "0x268c000", "--iova", "0"], "--device and --iova go together"),
        (["--unit", "vtd", "--root", "0x268c000", "--device", "1:0:4.0", "--iova", "0", "--segment", "2"], "the unit is of segment 0x2"),
    ],
)
def test_wrong_usage(run: Runner, intel: Path, words: list[str], message: str) -> None:
    """One line that says what to do, status 2."""
    outcome = run("iommu", intel, *words)
    assert (UNUSABLE, "", 1) == (outcome.status, outcome.out, len(outcome.err.splitlines()))
    assert message in outcome.err


def test_the_text_shows_a_few_findings(run: Runner, tmp_path: Path) -> None:
    """And how many more there are; --verify has all of them."""
    arena = Arena()
    root = arena.alloc(4096)
    arena.write(root, b"".join((0x7000_0000 + (bus << 12) | 1).to_bytes(8, "little") + bytes(8) for bus in range(30)))
    arena.save(str(tmp_path / "t.core"))
    words = [tmp_path / "t.core", "--unit", "vtd", "--rtaddr", f"{root:#x}"]
    lines = run("iommu", *words).lines
    assert (20, "and 10 more findings; --verify lists them") == (sum("iommu-table-not-in-memory" in line for line in lines), lines[-1])
    assert 30 == len(run("iommu", *words, "--verify").lines) == len(run("iommu", *words, "--json").json["findings"])


def test_one_address(run: Runner, intel: Path, shipped: Path) -> None:
    """Where a device's request goes, to the end of its leaf; 1 when it goes nowhere."""
    base = [intel, "--unit", "vtd", "--root", "0x268c000", "--device"]
    outcome = run("iommu", *base, "00:04.0", "--iova", "0x777123")
    line = "0000:00:04.0 0x777123 -> 0x14ef123 w 0xedd bytes to the end of the leaf, second-stage"
    assert (OK, [line]) == (outcome.status, outcome.lines)
    expected = {"device": "0000:00:04.0", "pasid": 0, "iova": "0x777000", "translation": "second-stage"}
    found = run("iommu", *base, "0x20", "--iova", "0x777000", "--json").json
    assert expected | {"mapping": ["0x777000", "0x14ef000", 4096, "w"]} == found
    outcome = run("iommu", *base, "0000:00:04.0", "--iova", "0x1000")
    assert (FINDINGS, ["0000:00:04.0 0x1000 not mapped"]) == (outcome.status, outcome.lines)
    outcome = run("iommu", *base, "ff:1f.7", "--iova", "0x1000", "--json")
    assert (FINDINGS, "blocked", None) == (outcome.status, outcome.json["translation"], outcome.json["mapping"])
    amd = [shipped / "iommu" / "amd.core.zst", "--unit", "amd", "--root", "0x1ccc000", "--device", "00:01.0", "--iova", "0"]
    assert ["0000:00:01.0 0x0 blocked"] == run("iommu", *amd).lines
    for words in (["00:04.0"], ["0:20.0", "--iova", "0"], ["00:04.8", "--iova", "0"], ["x.0", "--iova", "0"], ["00:04.0", "--pasid"]):
        assert UNUSABLE == run("iommu", *base, *words).status


def test_parts_for_a_build(run: Runner, intel: Path, tmp_path: Path) -> None:
    """The records of the unit go into a handover, and come out of it as they were."""
    found = run("iommu", intel, "--unit", "vtd", "--rtaddr", "0x268c000", "--parts", "dmar0").json
    (tmp_path / "spec.json").write_text(json.dumps({"kernel": "7.3", **found}))
    outcome = run("build", tmp_path / "spec.json", "-o", tmp_path / "built.core")
    assert (OK, "") == (outcome.status, outcome.err)
    for each in found["parts"]:
        shown = run("decode", tmp_path / "built.core", "--part", each["path"]).json
        assert each.get("record", each.get("records")) == shown
    said = [line for line in run("check", tmp_path / "built.core").lines if "iommu-state" in line or "state-" in line]
    assert [] == [line for line in said if "leads to memory that is not preserved" not in line]  # the tables themselves are not in it
    assert UNUSABLE == run("iommu", intel, "--unit", "vtd", "--root", "0x268c000", "--parts", "a/b").status


def test_the_python_of_the_page(shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/iommu.md's example runs."""
    page = (SCHEMA.parent / "iommu.md").read_text()
    code = page.split("```python\n")[1].split("```")[0].replace("machine.core.zst", str(shipped / "iommu" / "intel48.core.zst"))
    exec(compile(code, "docs/iommu.md", "exec"), {})
    assert 11 == len(capsys.readouterr().out.splitlines())


def test_help_documents_every_register(run: Runner) -> None:
    """Each that is read, and what is taken for granted without it."""
    from devstate.handover.iommu.registers import USED

    text = run("iommu", "--help").out
    assert [name for names in USED.values() for name in names if f" {name} " not in text] == []
