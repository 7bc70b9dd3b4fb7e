# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate mutate: a damaged core, and the record of what was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.handover.mutate import EDITS
from devstate.memory.open import open_input
from tests.cli.runner import Runner

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "build.md").read_text()


def test_record_and_core(run: Runner, small: Path, tmp_path: Path) -> None:
    """The record is of the bytes that differ; the core has the image's note, and the same seed gives the same core."""
    out = tmp_path / "damaged.core"
    outcome = run("mutate", small, "--seed", 3, "--count", 5, "-o", out)
    assert (0, "") == (outcome.status, outcome.err)
    old, new = open_input(str(small)), open_input(str(out))
    assert old.memory is not None and new.memory is not None and new.handover is not None
    assert (str(small), 3, 5) == (outcome.json["image"], outcome.json["seed"], len(outcome.json["changes"]))
    for change in outcome.json["changes"]:
        assert {"pa", "old", "new", "path", "class", "edit"} == set(change)
        pa, before, after = int(change["pa"], 16), bytes.fromhex(change["old"]), bytes.fromhex(change["new"])
        assert (before, after) == (bytes(old.memory.read(pa, len(before))), bytes(new.memory.read(pa, len(after))))
        assert change["edit"] in EDITS[change["class"]]
    assert 0x2300000 == new.handover.fdt_pa
    first = out.read_bytes()
    assert 2 == run("mutate", small, "--seed", 3, "--count", 5, "-o", out).status
    assert outcome.out == run("mutate", small, "--seed", 3, "--count", 5, "-o", out, "--force").out
    assert first == out.read_bytes()
    assert len({run("mutate", small, "--seed", seed, "-o", out, "--force").out for seed in range(8)}) == 8


def test_undone(run: Runner, small: Path, tmp_path: Path) -> None:
    """Compressed output works; diff between image and damaged core names the field that the record names."""
    out = tmp_path / "damaged.core.zst"
    changes = {}
    for seed in range(60):
        (change,) = run("mutate", small, "--seed", seed, "-o", out, "--force").json["changes"]
        changes[change["path"]] = run("diff", small, out).out
    known = [text for path, text in changes.items() if path.endswith((".token", ".pos", ".seals"))]
    assert known and all(known)


def test_what_cannot_be_damaged(run: Runner, shipped: Path, tmp_path: Path) -> None:
    """No memory, no room, an impossible number of changes: status 2, and no file."""
    out = tmp_path / "out"
    empty = shipped / "empty-7.3.core.zst"
    for words, message in (
        ((shipped / "debugfs-7.3" / "out",), "only a handover in memory can be damaged"),
        ((empty, "--count", 100), "no room for so many changes"),
        ((empty, "--count", 101), "expected 1..100; found 101"),
        ((empty, "--count", 0), "expected 1..100; found 0"),
    ):
        outcome = run("mutate", *words, "--seed", 1, "-o", out)
        assert (2, True, False) == (outcome.status, message in outcome.err, out.exists())


@pytest.mark.parametrize("what", EDITS)
def test_docs(what: str) -> None:
    """Each class and its edits are in docs/build.md."""
    assert f"| `{what}` | {', '.join(EDITS[what])} |" in DOCS
