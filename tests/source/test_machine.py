# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""QEMU's state descriptions as layouts: rows of fields, versions, subsections, fields that a test decides about."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstate.compat.compare import compare
from devstate.compat.judge import judge
from devstate.compat.pairing import pairs_of
from devstate.errors import DecodeError
from devstate.finding import Outcome
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry
from devstate.source import machine
from devstate.source.opening import open_layouts


def field(name: str, size: int, *, since: int = 0, tested: bool = False, **more: Any) -> dict[str, Any]:
    """One field."""
    return {"field": name, "version_id": since, "field_exists": tested, "size": size, **more}


def described(name: str, fields: list[dict[str, Any]], version: int = 1, least: int = 1, **more: Any) -> dict[str, Any]:
    """A description."""
    return {"name": name, "version_id": version, "minimum_version_id": least, "Fields": fields, **more}


def card(version: int = 2) -> dict[str, Any]:
    """A machine with one device."""
    inner = described("bus", [field("irq", 4), field("config", 256, tested=True)])
    more = described("card/more", [field("late", 1)])
    fields = [
        field("parent", 999, Description=inner), field("ctl", 4), field("unused", 3), field("timer", 8, since=2), field("soon", 8, since=3),
        field("unused", 2), field("quirk", 1, tested=True), field("queue", 0),
    ]  # fmt: skip
    return {
        "vmschkmachine": {"Name": "pc"},
        "card": {"Name": "card", "version_id": version, "minimum_version_id": 1,
                 "Description": described("card", fields, version, Subsections=[more])},
    }  # fmt: skip


def opened(folder: Path, plain: dict[str, Any]) -> Declared:
    """The machine in a file."""
    path = folder / "machine.json"
    path.write_text(json.dumps(plain), encoding="utf-8")
    return open_layouts(str(path), Environment(), registry=Registry.shipped())


def by_name(found: Declared) -> dict[str, Layout]:
    """Its layouts."""
    return {each.name: each for each in found.formats}


def test_a_device(tmp_path: Path) -> None:
    """The row has what every stream of this version has, nested fields by their own sizes; no later or tested fields."""
    made = by_name(opened(tmp_path, card()))
    assert {"card", "card/card/more", "card.quirk", "card.0.parent.config"} == {*made}
    row = made["card"]
    assert [
        ("parent", 0, 4),
        ("ctl", 4, 4),
        ("unused after ctl", 8, 3),
        ("timer", 11, 8),
        ("unused after timer", 19, 2),
        ("queue", 21, 0),
    ] == [(each.name, each.offset, each.size) for each in row.struct().fields]
    assert (("version_id", 2), "ordered", 1) == (row.version, row.versions.kind, row.versions.min_accepted)
    assert ("unknown", 1) == (made["card.quirk"].carrier, made["card.quirk"].struct().size)


def outcomes(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Outcome, Outcome]]:
    """(read-old, read-new) of every pair that is not simply OK."""
    found = {}
    for pair in pairs_of(opened(folder, old).formats, opened(folder, new).formats):
        if pair.new is None:
            found[pair.old.name] = (Outcome.REFUSED, Outcome.OK)
            continue
        verdict = judge(compare(pair.old, pair.new))
        if verdict.read_old or verdict.read_new or verdict.findings:
            found[pair.old.name] = (verdict.read_old, verdict.read_new)
    return found


def test_changes(tmp_path: Path) -> None:
    """Same-same is silent; a new field in the same version is read short; with a new version the old one is still read."""
    assert {} == outcomes(tmp_path, card(), card())
    more = card()
    more["card"]["Description"]["Fields"].append(field("extra", 4))
    assert {"card": (Outcome.SHORT, Outcome.OK)} == outcomes(tmp_path, card(), more)
    bumped = card(3)
    assert {"card": (Outcome.OK, Outcome.REFUSED)} == outcomes(tmp_path, card(), bumped)


def test_tested_fields_and_subsections(tmp_path: Path) -> None:
    """A field that a test decides about may come without harm; a subsection that is gone is refused."""
    more = card()
    more["card"]["Description"]["Fields"].append(field("other", 4, tested=True))
    assert {} == outcomes(tmp_path, card(), more)
    less = card()
    less["card"]["Description"]["Subsections"] = []
    assert {"card/card/more": (Outcome.REFUSED, Outcome.OK)} == outcomes(tmp_path, card(), less)


@pytest.mark.parametrize("broken", ["no size", "a text", "negative", "no fields", "deep", "version"])
def test_malformed(tmp_path: Path, broken: str) -> None:
    """Every other form is an error of ours."""
    plain = card()
    description = plain["card"]["Description"]
    if broken == "no size":
        del description["Fields"][1]["size"]
    elif broken == "a text":
        plain["card"] = "card"
    elif broken == "negative":
        description["Fields"][1]["size"] = -1
    elif broken == "no fields":
        description["Fields"] = 7
    elif broken == "version":
        description["version_id"] = None
    else:
        for _ in range(machine.DEPTH_MAX + 1):
            description = copy.deepcopy(description | {"Fields": [field("in", 1, Description=description)]})
        plain["card"]["Description"] = description
    with pytest.raises(DecodeError):
        opened(tmp_path, plain)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of fields it is read, one above it is not; devices likewise."""
    monkeypatch.setattr(machine, "FIELDS_MAX", 11)
    opened(tmp_path, card())
    monkeypatch.setattr(machine, "FIELDS_MAX", 10)
    with pytest.raises(DecodeError, match="too many fields"):
        opened(tmp_path, card())
    monkeypatch.undo()
    monkeypatch.setattr(machine, "DEVICES_MAX", 0)
    with pytest.raises(DecodeError, match="too many devices"):
        opened(tmp_path, card())


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="there is no qemu-system-x86_64")
def test_a_real_machine(tmp_path: Path) -> None:
    """All that an x86 machine can migrate: hundreds of layouts; two machine types of one build do not differ."""
    found = []
    for name in ("pc", "q35"):
        path = tmp_path / f"{name}.json"
        subprocess.run(["qemu-system-x86_64", "-M", name, "-nodefaults", "-dump-vmstate", str(path)], check=True, capture_output=True)
        found.append(open_layouts(str(path), Environment(), registry=Registry.shipped()))
    assert len(found[0].formats) > 200
    for pair in pairs_of(*(each.formats for each in found)):
        assert pair.new is not None
        verdict = judge(compare(pair.old, pair.new))
        assert [] == [finding.message for finding in verdict.findings], pair.old.name
