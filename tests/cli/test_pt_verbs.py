# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate pt walk, verify, diff, example; and the verbs of a verb."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from runner import CLI, Runner

from devstate.cli import pt
from devstate.cli.command import FINDINGS, INCOMPLETE, OK, UNUSABLE
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.formats import NAMES
from devstate.pagetable.mapping import Mapping

DOCS = Path(__file__).resolve().parents[2] / "docs"

KEYS = ["format", "levels", "table_pages", "leaf_sizes", "bytes_mapped", "mappings"]

PRESENT = [verb for verb in pt.VERBS if (CLI / f"pt_{verb}.py").exists()]


def options(domain: dict[str, object]) -> list[object]:
    """The command line's words for a domain of a truth file."""
    words: list[object] = ["--format", domain["format"], "--top", domain["top_table_pa"], "--levels", domain["levels"]]
    words += ["--top-entries", domain["top_table_entries"], "--granule", domain.get("granule", 4096)]
    return [*words, *(["--sign-extended"] if domain.get("sign_extended") else [])]


def valid(document: object, name: str) -> None:
    """Hold a document against its published schema."""
    schema = json.loads((DOCS / f"pt-{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


def saved(path: Path, *mappings: Mapping, format: str = "vtd-second-stage") -> list[object]:
    """A core with tables that map these, and the words to name them."""
    arena = Arena()
    table = build(arena, format, mappings, 3)
    arena.save(str(path))
    return ["--format", format, "--top", f"{table.top_table:#x}", "--levels", 3]


@pytest.mark.parametrize("name", ["mod-formats", "amd", "intel48"])
def test_walk_prints_the_truth(run: Runner, shipped: Path, name: str) -> None:
    """Exactly these keys, in this order; what they say is what the truth says."""
    core = shipped / "iommu" / f"{name}.core.zst"
    for domain in json.loads((shipped / "iommu" / f"{name}.truth.json").read_text())["domains"]:
        outcome = run("pt", "walk", *options(domain), "--json", core)
        assert (OK, "") == (outcome.status, outcome.err)
        assert KEYS == list(outcome.json)
        valid({**outcome.json, "mappings": outcome.json["mappings"][:50]}, "walk")
        bytes_mapped = sum(row[2] for row in domain["mappings"])
        assert {**{key: domain[key] for key in KEYS if key in domain}, "bytes_mapped": bytes_mapped} == outcome.json


def test_walk_as_text(run: Runner, tmp_path: Path) -> None:
    """A line for each extent; totals by access and size; tables by level."""
    words = saved(tmp_path / "t.core", Mapping(0x1000, 0x7000, 0x2000, 3), Mapping(0x200000, 0x400000, 0x200000, 1))
    outcome = run("pt", "walk", *words, tmp_path / "t.core")
    assert (OK, "") == (outcome.status, outcome.err)
    assert [
        "            0x1000         0x2000 ->           0x7000 rw",
        "          0x200000       0x200000 ->         0x400000 r",
        "format   vtd-second-stage, 3 levels",
        "mapped   2105344 bytes in 2 extents",
        "access   rw 8192 bytes",
        "access   r  2097152 bytes",
        "leaves   0x1000 2",
        "leaves   0x200000 1",
        "tables   3",
        "tables   level 2 1",
        "tables   level 1 1",
        "tables   level 0 1",
    ] == outcome.lines


def test_walk_to_one_iova(run: Runner, tmp_path: Path) -> None:
    """Where it goes; status 1 when it goes nowhere."""
    words = [*saved(tmp_path / "t.core", Mapping(0x1000, 0x7000, 0x2000, 2)), tmp_path / "t.core"]
    assert ["0x1234 -> 0x7234 w 0xdcc bytes to the end of the leaf"] == run("pt", "walk", *words, "--iova", "0x1234").lines
    assert {"iova": "0x1234", "mapping": ["0x1234", "0x7234", 0xDCC, "w"]} == run("pt", "walk", *words, "--iova", "0x1234", "--json").json
    outcome = run("pt", "walk", *words, "--iova", "0x3000")
    assert (FINDINGS, ["0x3000 not mapped"]) == (outcome.status, outcome.lines)
    assert {"iova": "0x3000", "mapping": None} == run("pt", "walk", *words, "--iova", "0x3000", "--json").json
    for iova in ("0x1234", "0x3000"):
        valid(run("pt", "walk", *words, "--iova", iova, "--json").json, "translate")


def test_walk_of_what_is_not_all_there(run: Runner, tmp_path: Path) -> None:
    """The rest is shown, with a warning; without the top table there is nothing to show."""
    arena = Arena()
    table = build(arena, "vtd-second-stage", [Mapping(0, 0x7000, 0x1000, 3), Mapping(1 << 30, 0x9000, 0x1000, 3)], 3)
    arena.span(table.top_table, 8)[:] = (0x12345003).to_bytes(8, "little")
    arena.save(str(tmp_path / "t.core"))
    words = ["--format", "vtd-second-stage", "--levels", 3, tmp_path / "t.core"]
    outcome = run("pt", "walk", "--top", f"{table.top_table:#x}", "--json", *words)
    assert [["0x40000000", "0x9000", 4096, "rw"]] == outcome.json["mappings"]
    assert (OK, "warning: 1 problems on the way; `devstate pt verify` names them\n") == (outcome.status, outcome.err)
    outcome = run("pt", "walk", "--top", "0x5000", *words)
    assert (UNUSABLE, "") == (outcome.status, outcome.out)
    assert "pa 0x5000: the top table is not in the capture" in outcome.err


def test_verify(run: Runner, shipped: Path, tmp_path: Path) -> None:
    """Silent and 0 on real tables; a line for each finding and 1 on damaged ones; the same as JSON."""
    domains = json.loads((shipped / "iommu" / "arm.truth.json").read_text())["domains"]
    outcome = run("pt", "verify", *options(domains[5]), shipped / "iommu" / "arm.core.zst")
    assert (OK, "", "") == (outcome.status, outcome.out, outcome.err)
    words = [*saved(tmp_path / "t.core", Mapping(0x1000, 1 << 41, 0x2000, 3)), "--pa-bits", 40, tmp_path / "t.core"]
    outcome = run("pt", "verify", *words)
    assert FINDINGS == outcome.status
    assert [
        f"{tmp_path}/t.core: 0x10002008: level 0, iova 0x1000: error[pt-address-width]: an address beyond those of the machine; "
        "found entry 0x0000020000000003",
        f"{tmp_path}/t.core: 0x10002010: level 0, iova 0x2000: error[pt-address-width]: an address beyond those of the machine; "
        "found entry 0x0000020000001003",
    ] == outcome.lines
    document = run("pt", "verify", *words, "--json").json
    valid(document, "verify")
    assert 2 == document["count"] == len(document["findings"])
    assert ("pt-address-width", "0x10002008") == (document["findings"][0]["rule"], document["findings"][0]["pa"])


def test_verify_lists_a_thousand(run: Runner, tmp_path: Path) -> None:
    """And says how many more there are."""
    words = [*saved(tmp_path / "t.core", Mapping(0, 1 << 41, 0x500000, 3)), "--pa-bits", 40, tmp_path / "t.core"]
    arena = Arena()
    table = build(arena, "vtd-second-stage", [Mapping(0, 1 << 41, 0x500000, 3)], 3, largest=4096)
    arena.save(str(tmp_path / "t.core"))
    assert f"{table.top_table:#x}" == words[3]
    outcome = run("pt", "verify", *words)
    assert (1001, "and 280 more") == (len(outcome.lines), outcome.lines[-1])


def test_diff(run: Runner, tmp_path: Path) -> None:
    """Each kind on a line of its own, with totals; as JSON; 0 for the same tables."""
    page = 0x1000
    old = saved(tmp_path / "a.core", Mapping(0, page, page, 3), Mapping(page, 0x9000, page, 3), Mapping(0x4000, 0x9000, 2 * page, 3))
    new = saved(tmp_path / "b.core", Mapping(page, 0x8000, page, 3), Mapping(0x4000, 0x9000, page, 1), Mapping(0x5000, 0xA000, page, 0x23))
    assert old == new
    words = [*old, tmp_path / "a.core", tmp_path / "b.core"]
    outcome = run("pt", "diff", *words)
    assert FINDINGS == outcome.status
    assert [
        "- 0x0 0x1000 -> 0x1000 rw",
        "~ 0x1000 0x1000 target: 0x9000 -> 0x8000",
        "~ 0x4000 0x1000 attributes: rw (0x3) -> r (0x1)",
        "~ 0x5000 0x1000 touched: rw (0x3) -> rw (0x23)",
        "only-old   4096 bytes",
        "target     4096 bytes",
        "attributes 4096 bytes",
        "touched    4096 bytes",
    ] == outcome.lines
    document = run("pt", "diff", *words, "--json").json
    valid(document, "diff")
    assert {"only-old": 4096, "target": 4096, "attributes": 4096, "touched": 4096} == document["totals"]
    assert {
        "kind": "only-old", "iova": "0x0", "size": 4096, "old": {"pa": "0x1000", "access": "rw", "attributes": "0x3"}, "new": None
    } == document["differences"][0]  # fmt: skip
    same = run("pt", "diff", *old, tmp_path / "a.core", tmp_path / "a.core")
    assert (OK, "") == (same.status, same.out)
    assert "+ 0x0 0x1000 -> 0x1000 rw" == run("pt", "diff", *old, tmp_path / "b.core", tmp_path / "a.core").lines[0]


def test_diff_of_what_is_not_all_there(run: Runner, tmp_path: Path) -> None:
    """Equal as far as one can see is not equal: status 3. Without a top table there is nothing to compare."""
    arena = Arena()
    table = build(arena, "vtd-second-stage", [Mapping(0, 0x7000, 0x1000, 3), Mapping(1 << 30, 0x9000, 0x1000, 3)], 3)
    arena.span(table.top_table, 8)[:] = (0x12345003).to_bytes(8, "little")
    arena.save(str(tmp_path / "t.core"))
    words = ["--format", "vtd-second-stage", "--levels", 3, tmp_path / "t.core", tmp_path / "t.core"]
    outcome = run("pt", "diff", "--top", f"{table.top_table:#x}", *words)
    assert (INCOMPLETE, "") == (outcome.status, outcome.out)
    assert "warning: 1 problems in A, left out; `devstate pt verify` names them" == outcome.err.splitlines()[0]
    document = run("pt", "diff", "--top", f"{table.top_table:#x}", *words, "--json").json
    valid(document, "diff")
    assert {"old": 1, "new": 1} == document["problems"]
    outcome = run("pt", "diff", "--top", "0x5000", *words)
    assert (UNUSABLE, "") == (outcome.status, outcome.out)
    assert "pa 0x5000: the top table is not in the capture" in outcome.err


def test_diff_of_tables_elsewhere(run: Runner, tmp_path: Path) -> None:
    """Another format, other levels, another top: --new-..."""
    arena = Arena()
    mapping = [Mapping(1 << 21, 1 << 30, 1 << 21, 3)]
    old, new = build(arena, "vtd-second-stage", mapping, 3), build(arena, "amd-v1", mapping, 6, top_entries=64)
    arena.save(str(tmp_path / "t.core"))
    words = ["--format", "vtd-second-stage", "--top", f"{old.top_table:#x}", "--levels", 3, tmp_path / "t.core", tmp_path / "t.core"]
    words += ["--new-format", "amd-v1", "--new-top", f"{new.top_table:#x}", "--new-levels", 6, "--new-top-entries", 64]
    outcome = run("pt", "diff", *words)
    assert (OK, "", "") == (outcome.status, outcome.out, outcome.err)


@pytest.mark.parametrize("format", ["vtd-second-stage", "amd-v1", "arm-lpae-s2 --granule 65536"])
def test_example(run: Runner, tmp_path: Path, format: str) -> None:
    """A core that walks, verifies and is a handover that check accepts; the command lines that it prints work."""
    path = tmp_path / "guest.core.zst"
    outcome = run("pt", "example", "-o", path, "--format", *format.split())
    assert (OK, "") == (outcome.status, outcome.err)
    assert "mapped=6443106304" in outcome.lines[0]
    for line in outcome.lines[1:3]:
        words = line.removeprefix("try").split()[1:]
        shown = run(*(word.strip('"') for word in words))
        assert (OK, "") == (shown.status, shown.err), words
    assert OK == run("check", path, "--fail-on", "warning").status


def test_example_keeps_what_is_there(run: Runner, tmp_path: Path) -> None:
    """Unless told otherwise. Another seed is another guest; the same one is the same file."""
    made = [tmp_path / name for name in ("a.core", "b.core", "c.core")]
    for path, seed in zip(made, (1, 1, 2), strict=True):
        assert OK == run("pt", "example", "--granule", 65536, "--format", "arm-lpae-s1", "-o", path, "--seed", seed).status
    assert made[0].read_bytes() == made[1].read_bytes() != made[2].read_bytes()
    outcome = run("pt", "example", "-o", made[0])
    assert (UNUSABLE, f"error: {made[0]} is there already; --force overwrites it\n") == (outcome.status, outcome.err)
    outcome = run("pt", "example", "-o", tmp_path / "x", "--format", "amd-v3")
    assert UNUSABLE == outcome.status and "no page-table format is called 'amd-v3'" in outcome.err


@pytest.mark.parametrize("verb", PRESENT)
def test_help(run: Runner, verb: str) -> None:
    """Every verb of pt has its own."""
    outcome = run("pt", verb, "--help")
    assert (OK, "") == (outcome.status, outcome.err)
    assert f"usage: devstate pt {verb}" in outcome.out and "exit status:" in outcome.out


def test_help_lists_every_format(run: Runner) -> None:
    """As formats.py has them; the schema too."""
    text = "".join(run("pt", "walk", "--help").out.split())
    assert set(NAMES) == set(json.loads((DOCS / "pt-walk.schema.json").read_text())["properties"]["format"]["enum"])
    assert all(name in text.partition("oneof")[2] for name in NAMES)


def test_upper_and_encrypted(run: Runner, tmp_path: Path) -> None:
    """--upper and --encryption-bit are for every verb that reads tables."""
    words = [*saved(tmp_path / "t.core", Mapping(0x1000, 0x7000, 0x2000, 3), format="amd-v1"), tmp_path / "t.core"]
    outcome = run("pt", "walk", *words, "--upper", "--encryption-bit", 47, "--json")
    assert [["0xffffff8000001000", "0x7000", 0x2000, "rw"]] == outcome.json["mappings"]
    assert OK == run("pt", "verify", *words, "--upper", "--encryption-bit", 51).status
    outcome = run("pt", "walk", *words, "--encryption-bit", 12)
    assert (UNUSABLE, "error: the encryption bit is one of 32 to 51, not 12\n") == (outcome.status, outcome.err)


def test_help_lists_every_verb(run: Runner) -> None:
    """In the order of the table."""
    outcome = run("pt", "--help")
    assert list(pt.VERBS) == [line.split()[0] for line in outcome.lines if line.startswith("  ") and line.split()[0] in pt.VERBS]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("pt",), "required: VERB; see `devstate pt --help`"),
        (("pt", "wlak"), "pt has no verb 'wlak' (did you mean 'walk'?); see `devstate pt --help`"),
        (("pt", "walk"), "see `devstate pt walk --help`"),
        (("pt", "walk", "x", "--format", "amd-v1", "--top", "0", "--levels", "zero"), "--levels"),
        (("pt", "diff", "x", "--format", "amd-v1", "--top", "0", "--levels", "3"), "required: B"),
    ],
)
def test_wrong_usage(run: Runner, words: tuple[str, ...], text: str) -> None:
    """One line that says what is wrong and where help is."""
    outcome = run(*words)
    assert (UNUSABLE, "") == (outcome.status, outcome.out)
    assert text in outcome.err and 1 == outcome.err.count("\n")


def test_an_input_without_memory(run: Runner, shipped: Path) -> None:
    """A lone FDT, or a directory of debugfs, has no tables."""
    outcome = run("pt", "walk", "--format", "amd-v1", "--top", 0, "--levels", 3, shipped / "debugfs-7.3" / "out")
    assert UNUSABLE == outcome.status
    assert "no physical memory" in outcome.err
