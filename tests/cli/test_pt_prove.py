# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate pt prove: proven, counterexamples, problems, unknown scratch; from real captures too."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from runner import Runner

from devstate.cli.command import FINDINGS, INCOMPLETE, OK, UNUSABLE
from devstate.handover.open import open_handover
from devstate.memory.open import open_input

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "pt-prove.schema.json").read_text())
TOP = ("--format", "vtd-second-stage", "--top", "0x1000000000", "--levels", 4)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with a handover that preserves all of it."""
    from devstate.__main__ import main

    path = tmp_path_factory.mktemp("guest") / "guest.core.zst"
    assert OK == main(["pt", "example", "-o", str(path)])
    return path


def test_the_example_is_proven(run: Runner, guest: Path) -> None:
    """All of it, tables too; the totals are those of a walk."""
    outcome = run("pt", "prove", *TOP, "--preserved", guest, guest)
    assert (OK, "") == (outcome.status, outcome.err)
    assert [
        "mapped   6443106304 bytes in 60464 leaves, 122 tables",
        "pages    0 bytes not preserved, 0 bytes in scratch",
        "tables   0 bytes not preserved, 0 bytes in scratch",
        "proven   every page that the device can reach is preserved",
    ] == outcome.lines
    document = run("pt", "prove", *TOP, "--preserved", guest, guest, "--json").json
    walk = run("pt", "walk", *TOP, guest, "--json").json
    jsonschema.validate(document, SCHEMA)
    assert {key: walk[key] for key in ("bytes_mapped", "table_pages", "leaf_sizes")} == {
        key: document[key] for key in ("bytes_mapped", "table_pages", "leaf_sizes")
    }


def test_counterexamples(run: Runner, guest: Path, tmp_path: Path) -> None:
    """The pages that were forgotten, as extents; status 1. --limit lists fewer and says how many bytes are missing."""
    path = tmp_path / "forgot.core"
    run("pt", "example", "-o", path, "--forget", 3)
    outcome = run("pt", "prove", *TOP, "--preserved", path, guest)
    assert (FINDINGS, "") == (outcome.status, outcome.err)
    assert [
        "page         0x13fffd000         0x3000 ->      0xf3fffd000 not-preserved",
        "mapped   6443106304 bytes in 60464 leaves, 122 tables",
        "pages    12288 bytes not preserved, 0 bytes in scratch",
        "tables   0 bytes not preserved, 0 bytes in scratch",
        "proven   nothing",
    ] == outcome.lines
    limited = run("pt", "prove", *TOP, "--preserved", path, guest, "--limit", 0)
    assert (FINDINGS, "and more: 12288 bytes") == (limited.status, limited.lines[0])
    document = run("pt", "prove", *TOP, "--preserved", path, guest, "--json", "--scratch", "0xe92282000,4K").json
    jsonschema.validate(document, SCHEMA)
    assert (False, 12288, 4096) == (document["proven"], document["pages"]["not_preserved"], document["pages"]["scratch"])
    assert [
        ["0x0", "0xe92282000", 4096, "scratch"],
        ["0x13fffd000", "0xf3fffd000", 12288, "not-preserved"],
    ] == document["pages"]["extents"]


def test_real_tables_against_a_real_handover(run: Runner, captures: Path) -> None:
    """What of the device's memory the memfds do not have; each extent is looked up in the map by itself."""
    handover = captures / "base-7.3.core.zst"
    domains = json.loads((captures / "iommu" / "intel48.truth.json").read_text())["domains"]
    domain = max(domains, key=lambda each: each["bytes_mapped"])
    words = ["--format", domain["format"], "--top", domain["top_table_pa"], "--levels", 4, captures / "iommu" / "intel48.core.zst"]
    document = run("pt", "prove", *words, "--preserved", handover, "--limit", 1 << 20, "--json").json
    jsonschema.validate(document, SCHEMA)
    kept = open_handover(open_input(str(handover))).preserved
    assert kept is not None
    pages = {(int(pa, 16) + at) >> 12: False for _, pa, size, _ in document["pages"]["extents"] for at in range(0, size, 4096)}
    assert not any(kept.covers(page << 12) for page in pages)
    mapped = {(int(pa, 16) + at) >> 12 for _, pa, size, _ in domain["mappings"] for at in range(0, size, 4096)}
    assert {page for page in mapped if not kept.covers(page << 12)} == pages.keys()
    assert (domain["bytes_mapped"], domain["leaf_sizes"]) == (document["bytes_mapped"], document["leaf_sizes"])


def test_what_hides_memory(run: Runner, guest: Path, tmp_path: Path) -> None:
    """A table that is not in the input: a finding with its place, and nothing is proven."""
    outcome = run("pt", "prove", *TOP[:3], "0x2000000000", *TOP[4:], "--preserved", guest, guest)
    assert FINDINGS == outcome.status
    assert f"{guest}: 0x2000000000: error[pt-table-not-in-memory]: the top table is not in the capture" == outcome.lines[0]
    document = run("pt", "prove", *TOP[:3], "0x2000000000", *TOP[4:], "--preserved", guest, guest, "--json").json
    jsonschema.validate(document, SCHEMA)
    assert (False, 1) == (document["proven"], document["problem_count"])


def test_scratch_that_is_not_known(run: Runner, guest: Path, tmp_path: Path) -> None:
    """All is preserved, but that is not the whole proof: status 3, unless it is said where scratch is."""
    handover = tmp_path / "raw.img"
    source = open_input(str(guest))
    assert source.memory is not None and source.handover is not None
    # The same pages as a raw image, which has no note: the root is found by its magic, scratch is not.
    region = next(each for each in source.memory.regions if each.start <= source.handover.fdt_pa < each.end)
    data = bytearray(source.memory.read(region.start, region.size))
    scratch = source.handover.scratch_pa - region.start
    data[scratch : scratch + 16] = bytes(16)
    handover.write_bytes(data)
    words = [*TOP, "--preserved", handover, "--preserved-base", f"{region.start:#x}", "--fdt", f"{source.handover.fdt_pa:#x}", guest]
    outcome = run("pt", "prove", *words)
    assert (INCOMPLETE, "warning: HANDOVER does not say where scratch is; --scratch does\n") == (outcome.status, outcome.err)
    assert "proven   nothing" == outcome.lines[-1]
    assert OK == run("pt", "prove", *words, "--scratch", "64M,64M").status


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--limit", 1 << 21, "x"], "--limit is 0 to 1048576"),
        (["--preserved", "-", "-"], "cannot both be standard input"),
        (["--scratch", "12", "x"], "--scratch"),
        (["--preserved", "/nowhere/at-all", "GUEST"], "/nowhere/at-all"),
        (["--preserved", "/", "GUEST"], "/"),
        (["--page-size", 12, "GUEST"], "page size"),
    ],
)
def test_wrong_usage(run: Runner, guest: Path, words: list[object], text: str) -> None:
    """A line for people."""
    words = [guest if word == "GUEST" else word for word in words]
    outcome = run("pt", "prove", *TOP, *([] if "--preserved" in words else ["--preserved", guest]), *words)
    assert (UNUSABLE, "") == (outcome.status, outcome.out)
    assert text in outcome.err and 1 == outcome.err.count("\n")
