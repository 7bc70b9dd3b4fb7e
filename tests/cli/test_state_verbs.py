# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree devstate on the command line: the example of docs/project-format.md, its parts by their layouts, and what is damaged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from runner import Runner

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "project-format.md").read_text()
SCHEMA = json.loads((DOCS / "inspect.schema.json").read_text())


@pytest.fixture
def core(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documented example, built in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "guest.toml").write_text(text)
    assert 0 == run("build", "guest.toml", "-o", "guest.core").status
    return tmp_path / "guest.core"


def test_the_documented_commands(run: Runner, core: Path) -> None:
    """What the page shows is what comes."""
    (block,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    commands = re.findall(r"\$ devstate (.*)\n((?:[^$].*\n)+)", block)
    assert 2 == len(commands)
    for command, shown in commands:
        assert shown == run(*command.split()).out
    assert "0 findings; predicted for kernel 7.3: accepted\n" == run("check", core).out


def test_the_documented_bytes(run: Runner, core: Path, tmp_path: Path) -> None:
    """The extents, and every table of fields against the layouts."""
    assert 0 == run("extract", core, "devstate/memory/alpha/extents", "-o", tmp_path / "extents").status
    lines = [line for line in PAGE.splitlines() if line.startswith("00000000 0")]
    shown = "".join(re.split(r"     ", line)[0].replace(" ", "") for line in lines)
    assert shown == (tmp_path / "extents").read_bytes().hex()
    for struct in ("ds_guest_memory", "ds_memory_owner", "ds_guest_extent", "ds_section", "ds_memory"):
        table = PAGE.split(f"\n| `{struct}`")[1].split("\n\n")[0]
        rows = re.findall(r"^\| (0x\w\w) \| (\S+) `(\w+)`", table, re.M)
        listed = run("schemas", "devstate-v1" if struct in ("ds_section", "ds_memory") else "guest-memory-v1").out
        part = listed[listed.index(f"\n{struct} ") :].split("\n\n")[0]
        found = re.findall(r"^ +(0x\w\w) +\d+ +(\S+) +(\w+)", part, re.M)
        assert [(at, name) for at, _, name in rows] == [(at, name) for at, _, name in found], struct


def test_parts(run: Runner, core: Path, tmp_path: Path) -> None:
    """One, many, all below a path; of the handover and of the blob alone; without the schemas that they were written with."""
    extents = run("decode", "--part", "memory/alpha/extents", core).json
    assert [("0x0", ["SHARED"]), ("0x100000000", ["PRIVATE", "PINNED"])] == [(each["gpa"], each["flags"]) for each in extents]
    blob = tmp_path / "blob"
    assert 0 == run("extract", core, "subtree/devstate", "-o", blob).status
    for path in ("/", "memory", "devstate/memory/alpha", "memory/alpha/owners"):
        assert run("decode", "--part", path, core).json == run("decode", "--part", path, blob).json
    assert {"devstate/memory/alpha", "devstate/memory/alpha/owners", "devstate/memory/alpha/extents"} == set(
        run("decode", "--part", "memory", blob).json
    )


def test_inspect(run: Runner, core: Path) -> None:
    """As JSON by its schema, narrowed by paths, with records on --raw."""
    document = run("inspect", core, "--json", "--raw").json
    jsonschema.validate(document, SCHEMA)
    assert ["devices/nic0", "memory/alpha", "memory/alpha/owners", "memory/alpha/extents"] == [
        each["path"].removeprefix("devstate/") for each in document["state"]
    ]
    assert 2 == len(document["state"][3]["records"])
    assert ["devstate/memory/alpha/extents"] == [line.split()[0] for line in run("inspect", core, "devstate/memory/alpha/extents").lines]
    assert 3 == len(run("inspect", core, "devstate/memory").lines)
    assert "gpa = 0x100000000" in run("inspect", core, "devstate/memory/alpha", "--raw").out
    assert 2 == run("inspect", core, "devstate/memory/beta").status


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "decode what?"),
        (("--part", "memory/beta"), "no part is called 'memory/beta'; there is, for example, devstate/devices/nic0"),
        (("--part", "/", "--as", "memfd-v1"), "decode what?"),
    ],
)
def test_what_cannot_be_asked(run: Runner, core: Path, words: tuple[str, ...], message: str) -> None:
    """Usage errors, with what there is."""
    outcome = run("decode", *words, core)
    assert 2 == outcome.status and message in outcome.err


def test_handovers_without_it(run: Runner, small: Path) -> None:
    """Said so."""
    assert "this handover has no subtree devstate" in run("decode", "--part", "/", small).err
    assert [] == run("inspect", small, "--json").json["state"]


def test_damage(run: Runner, core: Path, tmp_path: Path) -> None:
    """A part whose layout or sum is damaged is an error of its own; the others are shown, and what is missing is said."""
    blob = tmp_path / "blob"
    assert 0 == run("extract", core, "devstate", "-o", blob).status
    data = blob.read_bytes()
    at = data.index(b"\xa5align\x01", data.index(b"ds_guest_memory"))
    blob.write_bytes(data[: at + 6] + b"\x02" + data[at + 7 :])
    outcome = run("decode", "--part", "memory/alpha", blob)
    assert 2 == outcome.status and "not the one that its name says" in outcome.err
    everything = run("decode", "--part", "/", blob)
    shown: dict[str, Any] = everything.json
    assert shown["devstate/devices/nic0"] == {"domain": 0, "bdf": "3a:00.1", "reset_works": 1}
    assert None is shown["devstate/memory/alpha"]
    assert "devstate/layouts/" in everything.err


def test_spec_errors(run: Runner, core: Path, tmp_path: Path) -> None:
    """With the line and the rule."""
    text = (tmp_path / "guest.toml").read_text()
    for old, new, message in (
        ('flags = ["shared"]', 'flags = ["fast"]', "guests[0].ranges[0].flags: not a flag"),
        ('format = "vfio-pci-v2"', 'format = "vfio"', "parts[0].format: no schema is called 'vfio'"),
        ("reset_works = 1", "reset_works = 256", "parts[0].record"),
        ('path = "devices/nic0"', 'path = "nic0"', "a part is called SUBSYSTEM/OBJECT"),
        ("record = {", "records = {", "parts[0].records: not a list"),
        ('size = "640K"', 'size = "8M"', "not all of the range is in memory"),
    ):
        assert old in text
        (tmp_path / "bad.toml").write_text(text.replace(old, new))
        outcome = run("build", "bad.toml", "-o", "bad.core")
        assert 2 == outcome.status and message in outcome.err and "bad.toml" in outcome.err, outcome.err
