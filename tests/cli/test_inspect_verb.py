# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""inspect: the document has the keys that were promised and says what the capture's truth says; the text says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from edited import saved
from runner import Runner

from devstate.cli.document import Depth, document
from devstate.cli.place import select
from devstate.handover.open import open_handover
from devstate.memory.open import open_input

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["small-7.3", "empty-7.3", "base-7.3", "many-7.3", "reserve-7.3", "flb-7.2", "iommu-machine-7.3"]
SCHEMA = json.loads((ROOT / "docs" / "inspect.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def capture(any_captures: Path, name: str) -> tuple[str, Any]:
    """The path and the truth of a capture; skips what does not ship when only that is there."""
    path = any_captures / f"{name}.core.zst"
    if not path.exists():
        pytest.skip(f"{name} does not ship")
    return str(path), json.loads((any_captures / f"{name}.truth.json").read_text())


def truth_file(file: dict[str, Any]) -> dict[str, Any]:
    return {key: file[key] for key in ("token", "size", "pos", "seals", "sha256")}


@pytest.mark.parametrize("name", NAMES)
def test_the_document_says_the_truth(run: Runner, any_captures: Path, name: str) -> None:
    """Every key that the truth knows about, from the command line, valid by the published schema."""
    path, truth = capture(any_captures, name)
    outcome = run("inspect", path, "--json", "--hash", "--pages")
    assert (0, "") == (outcome.status, outcome.err)
    found = outcome.json
    VALIDATOR.validate(found)
    assert ("kho-v4", truth["fdt_pa"]) == (found["kho"]["compatible"], found["kho"]["fdt_pa"])
    metadata = truth["subtrees"]["kexec-metadata"]["metadata"]
    assert {key: metadata[key] for key in ("previous_release", "kexec_count")} == found["metadata"]
    assert {each: (row["pa"], row["size"]) for each, row in truth["subtrees"].items()} == {
        row["name"]: (row["pa"], row["size"]) for row in found["subtrees"]
    }
    sessions = {each["name"]: [truth_file(file) for file in each["files"]] for each in truth["sessions"]}
    assert sessions == {each["name"]: [truth_file(file) for file in each["files"]] for each in found["luo"]["sessions"]}
    regions = [(each["name"], each["start"], each["size"]) for each in truth["regions"]]
    if name == "flb-7.2":  # its truth has no list of them
        regions = [("r1", "0x178b3000", 1 << 20)]
    assert regions == [(each["name"], each["start"], each["size"]) for each in found["memblock"]["regions"]]
    assert truth["preserved_orders"] == found["preserved"]["orders"]
    assert (truth["preserved_bytes"], truth["preserved_bytes"] // 4096) == (found["preserved"]["bytes"], found["preserved"]["pages"])
    assert truth["preserved_bytes"] == sum(size for _, size in found["preserved"]["ranges"])
    scratch = [[start, int(size, 16)] for start, size in truth["scratch"]] if truth["scratch"] is not None else None
    assert scratch == found["scratch"]["areas"]
    assert [] == found["problems"]


def test_flbs(run: Runner, captures: Path) -> None:
    """The kernel's own test objects, with handles that are no addresses."""
    path, truth = capture(captures, "flb-7.2")
    found = run("inspect", path, "--json").json
    entries = truth["subtrees"]["LUO"]["luo"]["flb"]["entries"]
    assert entries == [[each["name"], each["data"], each["count"]] for each in found["luo"]["flbs"]]
    narrowed = run("inspect", path, f"luo/flb/{entries[1][0]}", "--json").json
    assert [entries[1][0]] == [each["name"] for each in narrowed["luo"]["flbs"]]


def test_the_keys_stay(run: Runner, small: Path) -> None:
    """The keys that others rely on. Add to these lists; never change them."""
    found = run("inspect", small, "--json", "--raw").json
    assert ["kho", "metadata", "subtrees", "luo", "memblock", "preserved", "scratch", "state", "problems"] == list(found)
    assert ["compatible", "fdt_pa", "memory_map_pa"] == list(found["kho"])
    assert ["previous_release", "kexec_count"] == list(found["metadata"])
    assert ["name", "pa", "size", "format", "blob"] == list(found["subtrees"][0])
    assert ["compatible", "liveupdate_num", "sessions", "flbs", "record"] == list(found["luo"])
    session = found["luo"]["sessions"][0]
    assert ["name", "owner", "files", "record"] == list(session)
    keys = ["token", "label", "compatible", "data_pa", "size", "pos", "seals", "nr_folios", "format", "record", "body"]
    assert keys == list(session["files"][0])
    assert ["pages", "bytes", "orders"] == list(found["preserved"])
    assert {"0": 366} == found["preserved"]["orders"]


def test_raw_records(run: Runner, small: Path) -> None:
    """Records in their JSON form, blobs in hex; the text has the same by line."""
    found = run("inspect", small, "--json", "--raw").json
    VALIDATOR.validate(found)
    assert 1 == found["luo"]["record"]["liveupdate_num"]
    file = found["luo"]["sessions"][0]["files"][2]
    assert {"compatible": "memfd-v2", "data": file["data_pa"], "token": 3} == file["record"]
    assert (["SEAL"], 300000) == (file["body"]["seals"], file["body"]["size"])
    assert bytes.fromhex(found["subtrees"][0]["blob"]).startswith(b"luo-v5\0\0")
    text = run("inspect", small, "--raw").out
    for line in ("+0x10  u32  seals = SEAL", "+0x08  u64      liveupdate_num = 1", "file_set_ser.files = 0x285e000", "|luo-v5..........|"):
        assert line in text


def test_text(run: Runner, small: Path) -> None:
    """One line a thing, its path first."""
    outcome = run("inspect", small)
    assert (0, "") == (outcome.status, outcome.err)
    expected = """\
kho                     kho-v4 fdt_pa=0x2300000 memory_map_pa=0x22ff000
metadata                previous_release=7.3.4 kexec_count=1
subtree/LUO             luo-v5 pa=0x23e2000 size=32
subtree/kexec-metadata  kexec-metadata pa=0x2306000 size=73
luo                     luo-v5 liveupdate_num=1 sessions=2 files=4 flbs=0
luo/session/vm-alpha    files=3
luo/session/vm-alpha/1  memfd-v2 size=4096 pos=0 seals=SEAL nr_folios=1 data_pa=0x285f000
luo/session/vm-alpha/2  memfd-v2 size=1048576 (1 MiB) pos=0 seals=SEAL nr_folios=256 data_pa=0x2862000
luo/session/vm-alpha/3  memfd-v2 size=300000 pos=1234 seals=SEAL nr_folios=74 data_pa=0x2865000
luo/session/vm-beta     files=1
luo/session/vm-beta/77  memfd-v2 size=65536 pos=0 seals=SHRINK|GROW nr_folios=16 data_pa=0x28df000
preserved               pages=366 bytes=1499136 (1.43 MiB) ranges=14
preserved               order=0 blocks=366 block_size=4096
scratch                 start=0x1b000000 size=62914560 (60 MiB)
scratch                 start=0x1f800000 size=0
scratch                 start=0x17800000 size=58720256 (56 MiB)
"""
    assert expected == outcome.out


def test_ranges_and_hashes_in_the_text(run: Runner, small: Path) -> None:
    """--pages lists the ranges below the totals; --hash stands at the end of each file."""
    lines = run("inspect", small, "--pages", "--hash").lines
    assert "    0x14bb000 20480" in lines
    assert any(line.endswith("sha256=49d1e1734ae7dc6111f9e3d89bbc457d1e4287e5c42e119a9942ecc9b932fd3b") for line in lines)


@pytest.mark.parametrize(
    ("path", "starts"),
    [
        ("kho", ["kho"]),
        ("metadata", ["metadata"]),
        ("LUO", ["subtree/LUO", "luo", "luo/session/vm-alpha", "luo/session/vm-alpha/1"]),
        ("subtree/kexec-metadata", ["subtree/kexec-metadata", "metadata"]),
        ("luo", ["luo", "luo/session/vm-alpha"]),
        ("luo/session", ["luo", "luo/session/vm-alpha"]),
        ("/luo/session/vm-beta/", ["luo/session/vm-beta", "luo/session/vm-beta/77"]),
        ("luo/session/vm-beta/77", ["luo/session/vm-beta/77"]),
        ("memblock", []),
        ("preserved", ["preserved", "preserved"]),
        ("scratch", ["scratch"]),
    ],
)
def test_a_path_narrows(run: Runner, small: Path, path: str, starts: list[str]) -> None:
    """Only what is at or below the path, in text and in the document."""
    outcome = run("inspect", small, path)
    assert 0 == outcome.status
    assert starts == [line.split()[0] for line in outcome.lines][: len(starts)]
    found = run("inspect", small, path, "--json").json
    VALIDATOR.validate(found)
    assert {"kho", "problems"} <= set(found)
    assert ("luo" in found) == any(start.startswith("luo") for start in starts)


def test_narrow_to_one_file(run: Runner, small: Path) -> None:
    """The document keeps its shape around it."""
    found = run("inspect", small, "luo/session/vm-alpha/2", "--json").json
    assert ["kho", "luo", "problems"] == list(found)
    assert [("vm-alpha", [2])] == [(each["name"], [file["token"] for file in each["files"]]) for each in found["luo"]["sessions"]]
    assert [] == found["luo"]["flbs"]


@pytest.mark.parametrize("path", ["x", "luo/session/vm-gamma", "luo/session/vm-alpha/4", "luo/flb/x", "memblock/x", "subtree/x", "luo/x"])
def test_a_path_that_leads_nowhere(run: Runner, small: Path, path: str) -> None:
    """An error with paths that there are."""
    outcome = run("inspect", small, path)
    assert (2, "") == (outcome.status, outcome.out)
    assert f"nothing in this handover is called {path!r}" in outcome.err
    if path == "luo/session/vm-gamma":
        assert "luo/session/vm-alpha" in outcome.err


def test_without_luo(run: Runner, shipped: Path) -> None:
    """Sections are there all the same; a path into LUO leads nowhere."""
    path = shipped / "empty-7.3.core.zst"
    found = run("inspect", path, "--json").json
    assert {"compatible": None, "liveupdate_num": None, "sessions": [], "flbs": []} == found["luo"]
    assert ["none"] == [line.split()[1] for line in run("inspect", path).lines if line.startswith("luo")]
    assert 2 == run("inspect", path, "luo").status


def test_debugfs(run: Runner, shipped: Path) -> None:
    """A directory: what is there is shown, what is missing is said; both sides at once is a question back."""
    outcome = run("inspect", shipped / "debugfs-7.3" / "in", "--json")
    VALIDATOR.validate(outcome.json)
    assert {"pages": None, "bytes": None, "orders": {}} == outcome.json["preserved"]
    assert "7.3.4" == outcome.json["metadata"]["previous_release"]
    assert "no-memory" in [problem["code"] for problem in outcome.json["problems"]]
    out = run("inspect", shipped / "debugfs-7.3" / "out")
    assert 0 == out.status
    assert "problem[no-memory] this input has no memory" in out.out and "problem[debugfs-cut]" in out.out
    both = run("inspect", shipped / "debugfs-7.3")
    assert 2 == both.status and "/out or " in both.err


def test_a_lone_fdt(run: Runner, small: Path, tmp_path: Path) -> None:
    """The root FDT alone, which extract writes out."""
    path = tmp_path / "root.fdt"
    assert 0 == run("extract", small, "kho", "-o", path).status
    found = run("inspect", path, "--json").json
    assert ("kho-v4", None) == (found["kho"]["compatible"], found["kho"]["fdt_pa"])
    subtrees = [(each["name"], each["pa"], each["size"]) for each in found["subtrees"]]
    assert [("LUO", "0x23e2000", 32), ("kexec-metadata", "0x2306000", 73)] == subtrees


def test_a_raw_image(run: Runner, small: Path, tmp_path: Path) -> None:
    """One page at its address: the root is found, the rest is not in the capture, told in one line."""
    memory = open_input(str(small)).memory
    assert memory is not None
    path = tmp_path / "page"
    path.write_bytes(memory.read(0x2300000, 4096))
    for options in (["--base", "0x2300000"], ["--base", "35M", "--fdt", "0x2300000", "--page-size", "4K", "--byte-order", "little"]):
        outcome = run("inspect", path, *options)
        assert (0, "") == (outcome.status, outcome.err)
        assert outcome.out.startswith("kho")
        assert 1 == outcome.out.count("problem[not-in-memory]")
        assert "2 parts are not in the capture: LUO, kexec-metadata" in outcome.out
    assert "problem[no-memory]" in run("inspect", path).out  # without a base it is a lone FDT


def test_content_that_is_not_in_the_capture(run: Runner, shipped: Path) -> None:
    """Its hash is null, and the text says so; everything else is shown."""
    path = shipped / "tampered" / "7.3-file-count-minus1.core.zst"
    sessions = run("inspect", path, "--hash", "--json").json["luo"]["sessions"]
    assert {None} == {file["sha256"] for session in sessions for file in session["files"]}
    assert "sha256=?" in run("inspect", path, "--hash").out


def test_names_from_the_input_are_made_safe(run: Runner, small: Path, tmp_path: Path) -> None:
    """Escape sequences, blanks and line breaks in names neither reach the terminal nor break a line, and can be asked for."""
    handover = open_handover(open_input(str(small)))
    assert handover.luo is not None
    session, file = handover.luo.sessions[0], handover.files[3]
    name = "a/b \x1b[2J\n\u00e4\u202e"
    path = saved(small, {session.pa: name.encode() + b"\0", file.pa: b'me"mfd \x07\xff'}, tmp_path / "core")
    outcome = run("inspect", path)
    assert outcome.out.isascii() is False and all(line.isprintable() for line in outcome.lines)
    shown = r"luo/session/a/b \x1b[2J\n" + "\u00e4" + r"\u202e"
    assert any(line.startswith(shown) for line in outcome.lines)
    assert r'"me\"mfd \x07\xff" (unknown format)' in outcome.out
    found = run("inspect", path, "--json").json
    assert name == found["luo"]["sessions"][0]["name"]
    for asked in (shown, f"luo/session/{name}"):
        assert 0 == run("inspect", path, asked).status
        assert 0 == run("inspect", path, f"{asked}/1").status


def test_owners_stand_beside_their_files(run: Runner, small: Path, tmp_path: Path) -> None:
    """A CRIU session by its name, in the text and in the document."""
    handover = open_handover(open_input(str(small)))
    assert handover.luo is not None
    path = saved(small, {handover.luo.sessions[1].pa: b"criu-dump-17\0"}, tmp_path / "core")
    line = next(line for line in run("inspect", path).lines if line.startswith("luo/session/criu"))
    assert ["luo/session/criu-dump-17", "(CRIU, dump of process 17) files=1"] == line.split(None, 1)
    assert [None, "CRIU, dump of process 17"] == [each["owner"] for each in run("inspect", path, "--json").json["luo"]["sessions"]]


def test_two_things_of_one_name(run: Runner, small: Path, tmp_path: Path) -> None:
    """inspect shows both; extract cannot tell which is meant."""
    handover = open_handover(open_input(str(small)))
    assert handover.luo is not None
    path = saved(small, {handover.luo.sessions[1].pa: b"vm-alpha\0"}, tmp_path / "core")
    assert 2 == sum(line.split()[0] == "luo/session/vm-alpha" for line in run("inspect", path, "luo/session/vm-alpha").lines)
    outcome = run("extract", path, "luo/session/vm-alpha@luo_session_ser", "-o", "-")
    assert (2, "") == (outcome.status, outcome.out) and "2 things in it are called" in outcome.err


def test_user_schemas(run: Runner, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler string that nobody knows is read with a schema of the user's own; the shipped formats do not learn it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine.py").write_text(
        "from devstate.schema import U64, Schema, Struct, Reaction\n"
        "SCHEMAS = [Schema(compatible='mine-v1', doc='mine', source='here', status='project', found_by='luo_file_ser.data',\n"
        "  carrier='string', on_mismatch=Reaction.OPEN_FAILS, root=Struct('mine', 'pos' / U64, 'size' / U64, packed=True))]\n"
    )
    handover = open_handover(open_input(str(small)))
    path = saved(small, {handover.files[0].pa: b"mine-v1\0\0"}, tmp_path / "core")
    words = ["inspect", path, "luo/session/vm-alpha/1", "--json"]
    for _ in range(2):  # the second time from the cache
        file = run(*words, "--schemas", tmp_path / "mine.py").json["luo"]["sessions"][0]["files"][0]
        assert ("mine-v1", 0, 4096, None) == (file["format"], file["pos"], file["size"], file["seals"])
    assert run(*words).json["luo"]["sessions"][0]["files"][0]["format"] is None
    assert 2 == run(*words, "--schemas", tmp_path / "none.py").status


def test_schema_refuses_what_is_wrong(small: Path) -> None:
    """The published schema is no empty promise: a document with a key of the wrong kind does not pass."""
    handover = open_handover(open_input(str(small)))
    good = document(select(handover), [], Depth())
    VALIDATOR.validate(good)
    mistakes = [("kho", "fdt_pa", 3), ("preserved", "pages", "366"), ("luo", "sessions", None), ("metadata", "kexec_count", "1")]
    for section, key, wrong in mistakes:
        assert not VALIDATOR.is_valid(good | {section: good[section] | {key: wrong}})
    assert not VALIDATOR.is_valid({"kho": good["kho"]})
