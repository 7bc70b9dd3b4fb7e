# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate baseline: what is new is added, what is published stays, and a change is explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runner import Runner

from devstate.compat.committed import CHANGED, GONE, NEW, SAME, TEXTS, entries, file_of, findings, folder_of
from devstate.errors import UsageError
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.registry import Registry

MINE = """
from devstate.schema import *
SCHEMAS = [Schema(compatible="mine-v1", doc="mine", source="here", status="project", found_by="x", owner="us",
  root=Struct("mine_ser", "pos" / U64 * "a position", "count" / U64 * "how many"))]
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A schema whose baseline is committed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_the_shipped_baselines(run: Runner) -> None:
    """They are what the shipped schemas say."""
    outcome = run("baseline", "check")
    assert (0, "") == (outcome.status, outcome.err), outcome.out
    assert outcome.out.startswith("nothing found in ")


def test_add(run: Runner, mine: Path) -> None:
    """A format without a baseline is an error of check; update writes it; then both are content, and write nothing."""
    assert (1, True) == (run("baseline", "check", "mine.py").status, "it has no baseline" in run("baseline", "check", "mine.py").out)
    outcome = run("baseline", "update", "mine.py")
    path = mine.parent / "baselines" / "mine-v1.json"
    assert (0, "wrote baselines/mine-v1.json\n") == (outcome.status, outcome.err)
    assert "mine-v1" == json.loads(path.read_text())["name"]
    before = path.stat().st_mtime_ns
    for action in ("check", "update"):
        outcome = run("baseline", action, "mine.py")
        assert (0, "nothing found in 1 format\n", "") == (outcome.status, outcome.out, outcome.err)
    assert before == path.stat().st_mtime_ns


def test_a_published_format_is_frozen(run: Runner, mine: Path) -> None:
    """A change is DS302 with both fingerprints and the edit to make, and what happens without it; update refuses, --accept lets it."""
    run("baseline", "update", "mine.py")
    path = mine.parent / "baselines" / "mine-v1.json"
    old = path.read_bytes()
    mine.write_text(MINE.replace('"count" / U64', '"extra" / U64 * "new", "count" / U64'))
    for action in ("check", "update"):
        outcome = run("baseline", action, "mine.py")
        assert (1, old) == (outcome.status, path.read_bytes())
        first, second = (line for line in outcome.lines if "error" in line and "[DS" in line)
        lines = sorted((first, second))
        assert "error[DS102 field-inserted]: new: extra (u64 at 8)" in lines[1]
        assert "baselines/mine-v1.json: mine-v1: error[DS302 version-reused-or-decreased]: it is published, and what it" in lines[0]
        assert 'the next version is "mine-v2"' in lines[0]
    assert 2 == run("baseline", "update", "mine.py", "--accept", "mine-v2").status
    assert "did you mean 'mine-v1'" in run("baseline", "update", "mine.py", "--accept", "mine-v2").err
    assert (0, True) == (run("baseline", "update", "mine.py", "--accept", "mine-v1").status, old != path.read_bytes())
    assert 0 == run("baseline", "check", "mine.py").status


def test_a_new_version_is_added(run: Runner, mine: Path) -> None:
    """The right way: a second schema beside the first."""
    run("baseline", "update", "mine.py")
    old = (mine.parent / "baselines" / "mine-v1.json").read_bytes()
    second = MINE.split("SCHEMAS = [")[1].rstrip("]\n").replace("mine-v1", "mine-v2").replace('"count" / U64', '"count" / U32')
    mine.write_text(MINE.rstrip("]\n") + ", " + second + "]\n")
    assert 0 == run("baseline", "update", "mine.py").status
    assert ["mine-v1.json", "mine-v2.json"] == sorted(path.name for path in (mine.parent / "baselines").iterdir())
    assert old == (mine.parent / "baselines" / "mine-v1.json").read_bytes()


def test_texts(run: Runner, mine: Path) -> None:
    """Better words are no change of the format: check asks for an update, and update writes it."""
    run("baseline", "update", "mine.py")
    mine.write_text(MINE.replace("how many", "how many there are"))
    assert "the baseline's texts are old" in run("baseline", "check", "mine.py").out
    assert 0 == run("baseline", "update", "mine.py").status
    assert 0 == run("baseline", "check", "mine.py").status


def test_what_is_gone(run: Runner, mine: Path) -> None:
    """A published format does not go away."""
    run("baseline", "update", "mine.py")
    mine.write_text(MINE.replace("mine-v1", "other-v1"))
    outcome = run("baseline", "update", "mine.py")
    assert (1, True) == (outcome.status, "readable for ever" in outcome.out)
    assert (mine.parent / "baselines" / "mine-v1.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"fingerprint": 3}', '{"fingerprint": "x", "layouts": [{}]}', "[" * 9999, "\xff"])
def test_a_damaged_baseline(run: Runner, mine: Path, text: str) -> None:
    """It is a change of what was published, and says why it cannot be read."""
    run("baseline", "update", "mine.py")
    (mine.parent / "baselines" / "mine-v1.json").write_text(text, encoding="latin-1")
    outcome = run("baseline", "check", "mine.py")
    assert (1, "", 1) == (outcome.status, outcome.err, outcome.out.count("cannot be read"))


def test_forms_and_folders(run: Runner, mine: Path) -> None:
    """Reports have the forms of lint; a package has its baselines inside, --baselines names another folder."""
    assert "baseline-stale" == run("baseline", "check", "mine.py", "--json").json["findings"][0]["rule"]
    assert "::error file=baselines/mine-v1.json" in run("baseline", "check", "mine.py", "--format", "github").out
    package = mine.parent / "package"
    package.mkdir()
    (package / "__init__.py").write_text(MINE)
    run("baseline", "update", "package")
    assert (package / "baselines" / "mine-v1.json").exists()
    run("baseline", "update", "mine.py", "--baselines", "elsewhere")
    assert (mine.parent / "elsewhere" / "mine-v1.json").exists()
    for words in (("mine.py", "package", "--baselines", "x"), ("nothere",), ("--accept", "x", "mine.py")):
        assert 2 == run("baseline", "check", *words).status, words
    assert 2 == run("baseline", "renew", "mine.py").status


def test_changes_that_no_field_shows() -> None:
    """Whatever differs is named: a limit, the reaction to a mismatch, a meaning."""
    layouts = {size: Registry.shipped().layout("memfd-v2", Environment(size)) for size in PAGE_SIZES}
    before = [Declared("t", "schemas", Environment(size), (layout,)) for size, layout in layouts.items()]
    (entry,) = entries(before, {})
    assert (NEW, "memfd-v2.json") == (entry.state, entry.file)
    assert entry.text is not None
    committed = {entry.file: entry.text.encode()}
    assert [SAME] == [each.state for each in entries(before, committed)]
    assert [GONE] == [each.state for each in entries([replace(each, formats=()) for each in before], committed)]
    for change, state in (({"doc": "x"}, TEXTS), ({"on_mismatch": "panic"}, CHANGED), ({"limits": (("files", 3),)}, CHANGED)):
        after = [replace(each, formats=(replace(each.formats[0], **change),)) for each in before]  # type: ignore[arg-type]
        (changed,) = entries(after, committed)
        assert state == changed.state, change
        said = [each.finding.message for each in findings(changed, "folder")]
        if "on_mismatch" in change:
            assert 1 == len(said) and ': on_mismatch: "open-fails" became "panic"' in said[0]
        elif "limits" in change:
            assert 1 == said[0].count('limits: nothing became [["files", 3]]'), "once for all page sizes"


def test_where_baselines_are(tmp_path: Path) -> None:
    """Beside a file, inside a directory."""
    assert ("baselines", "a/baselines") == (folder_of("x.py"), folder_of("a/x.py"))
    assert str(tmp_path / "baselines") == folder_of(str(tmp_path))


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\0b"])
def test_names_that_are_no_files(name: str) -> None:
    """A format's name never leads out of the folder."""
    with pytest.raises(UsageError, match="cannot have a file"):
        file_of(name)
