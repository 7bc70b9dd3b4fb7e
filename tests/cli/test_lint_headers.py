# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate lint over kernel headers: their text, the owner graph, and drift against schemas and builds."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from runner import Runner

DOCS = Path(__file__).resolve().parents[2] / "docs"

HEADER = """\
/**
 * DOC: demo ABI
 * This is a contract: who changes a struct increments the version in the relevant `_COMPATIBLE` string.
 *     / { compatible = "demo-v1"; };
 */
#include <linux/types.h>
#define DEMO_COMPATIBLE "demo-v2"
#define DEMO_LIST_COMPATIBLE "demo-list-v1"
/**
 * struct demo_ser - the top
 * @count: entries
 * @gone: no member any more
 *
 * If this structure is modified, `DEMO_COMPATIBLE` must be updated.
 */
struct demo_ser {
	u64 count;
	bool ready;
	u8 pad[7];
} __packed;
/** If this structure is modified, `DEMO_ENTRY_COMPATIBLE` must be updated. */
struct demo_entry_ser {
	struct demo_ser *back;
	u64 value;
} __packed;
"""


@pytest.fixture
def abi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A header with five flaws, in a project of its own."""
    pytest.importorskip("clang.cindex")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "abi").mkdir()
    (tmp_path / "abi" / "demo.h").write_text(HEADER)
    return tmp_path / "abi"


def test_headers(run: Runner, abi: Path) -> None:
    """Each flaw once, at its line: a macro that is nowhere, a pointer, a bool, an old version, a member that left."""
    outcome = run("lint", "abi")
    assert 1 == outcome.status
    found = [line.partition(": ")[0] + " " + line.partition("[")[2].partition("]")[0] for line in outcome.lines[:-1]]
    assert {
        "abi/demo.h:21 DS308 owner-missing-or-foreign", "abi/demo.h:23 DS503 unportable-type", "abi/demo.h:18 DS503 unportable-type",
        "abi/demo.h:4 DS502 schema-code-drift", "abi/demo.h:12 DS502 schema-code-drift",
    } <= set(found)  # fmt: skip
    assert len(found) == len(set(found)), "nothing is said twice"
    assert "is DEMO_LIST_COMPATIBLE meant?" in outcome.out or "is DEMO_COMPATIBLE meant?" in outcome.out


def test_waivers_for_what_texts_say(run: Runner, abi: Path) -> None:
    """What is found in a header's text is about the formats of its structs, and can be waived for them."""
    waivers = run("lint", "abi", "--waivers").err
    assert 2 == waivers.count("[[waiver]]")
    Path("devstate.toml").write_text(waivers.replace('""', '"x"'))
    assert 0 == run("lint", "abi").status


def test_owner_graph(run: Runner, abi: Path) -> None:
    """Text, JSON by its schema, DOT; of headers and of everything that mainline writes."""
    schema = json.loads((DOCS / "owners.schema.json").read_text())
    document = run("lint", "--owners", "abi", "--json").json
    jsonschema.validate(document, schema)
    assert ["DEMO_ENTRY_COMPATIBLE"] == document["undefined"]
    assert {"kind": "says", "source": "demo_ser", "target": "DEMO_COMPATIBLE", "via": "abi/demo.h:14"} in document["edges"]
    assert "says DEMO_ENTRY_COMPATIBLE (abi/demo.h:21): no such macro" in run("lint", "--owners", "abi").out
    dot = run("lint", "--owners", "abi", "--format", "dot").out
    assert dot.startswith("digraph owners {\n") and ' "demo_entry_ser" -> "DEMO_ENTRY_COMPATIBLE" [style=dotted' in dot
    shipped = run("lint", "--owners", "--json").json
    jsonschema.validate(shipped, schema)
    assert {"kho-v4", "luo-v5", "memfd-v2"} <= {each["name"] for each in shipped["versions"]}
    assert "kho_vmalloc" in run("lint", "--owners").out
    assert (2, 2) == (run("lint", "--owners", "--format", "sarif").status, run("lint", "--format", "dot").status)


def test_drift(run: Runner, abi: Path, captures: Path) -> None:
    """Schemas, headers, BTF and texts, each pair; what has nothing in common is missing evidence, status 3."""
    btf = captures / "vmlinux-7.3.btf"
    assert (0, True) == (run("lint", "7.3", "--drift", "--btf", btf).status, "nothing found" in run("lint", "7.3", "--btf", btf).out)
    memfd = abi / "memfd.h"
    memfd.write_text(
        '#include <linux/types.h>\n#define MEMFD_LUO_FH_COMPATIBLE "memfd-v2"\n'
        "struct memfd_luo_folio_ser { u64 flags:12; u64 pfn:52; u64 index; } __packed;\n"
    )
    outcome = run("lint", "--drift", "--headers", memfd, "--btf", btf)
    assert 1 == outcome.status
    pairs = {line.partition("schema-code-drift]: ")[2].partition(":")[0] for line in outcome.lines if "memfd_luo_folio_ser" in line}
    assert {"schema and header", "header and BTF"} == pairs
    assert f"{memfd}:3: memfd_luo_folio_ser." in outcome.out
    (abi / "memfd.rst").write_text('compatible = "memfd-v1"\n')
    outcome = run("lint", "memfd-v2", "--drift", "--docs", abi)
    says = "memfd-v1: warning[DS502 schema-code-drift]: the text says memfd-v1, the schema memfd-v2 is memfd-v2"
    assert (0, f"{abi}/memfd.rst:1: {says}") == (outcome.status, outcome.lines[0])
    outcome = run("lint", "page-table-stream", "--drift", "--btf", btf)
    assert (3, True) == (outcome.status, "page-table-stream and" in outcome.out and "have no struct in common" in outcome.out)
    assert 2 == run("lint", "--drift").status


def test_drift_of_structs_that_are_no_shipped_format(run: Runner, tmp_path: Path, captures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build knows every struct of the kernel: one's own are found in there as well."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    text = (
        "from devstate.schema import *\n"
        'HEAD = Struct("list_head", "next" / U64, "prev" / U64)\n'
        'SCHEMAS = [Schema(compatible="mine-v1", doc="d", source="s", status="project", root=Struct("mine_ser", "head" / HEAD))]\n'
    )
    Path("mine.py").write_text(text)
    btf = captures / "vmlinux-7.3.btf"
    outcome = run("lint", "mine.py", "--btf", btf)
    assert (0, "nothing found in 1 format\n") == (outcome.status, outcome.out)
    Path("mine.py").write_text(text.replace('"prev" / U64', '"prev" / U32'))
    outcome = run("lint", "mine.py", "--drift", "--btf", btf)
    assert (1, True) == (outcome.status, f"{btf}: list_head.prev: error[DS502" in outcome.out)


def test_broken_headers(run: Runner, abi: Path) -> None:
    """The compiler's words, with their line."""
    (abi / "demo.h").write_text("#include <linux/types.h>\nstruct demo_ser {\n\tu65 count;\n};\n")
    outcome = run("lint", "abi")
    assert (2, True) == (outcome.status, outcome.err.startswith("error: abi/demo.h:3:"))
