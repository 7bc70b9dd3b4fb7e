# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate convert: images and records, what is refused, and every command of docs/convert.md."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest
from runner import Runner

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "convert.md").read_text()
MEMFD_V1 = {"pos": 0, "size": 5, "nr_folios": 0, "folios": {"first": "0x0", "total_pages": 0, "flags": [], "order": 0}}


def given(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The schemas that the documentation shows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (text,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    path = tmp_path / "clock.py"
    path.write_text(text)
    return path


def test_the_documented_images(run: Runner, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output of both commands is what the page shows."""
    monkeypatch.chdir(tmp_path)
    for block in DOCS.split("```")[1].strip().split("\n\n"):
        command, shown = block.removeprefix("$ devstate ").split("\n", 1)
        outcome = run(*command.replace("small-7.3.core.zst", str(small)).split())
        assert shown.splitlines() == outcome.lines
        assert ("refused" in shown) == outcome.status
    assert ["small-7.1.core"] == [path.name for path in tmp_path.iterdir()]
    assert 0 == run("check", "small-7.1.core").status


def test_there_and_back(run: Runner, small: Path, tmp_path: Path) -> None:
    """7.1's reader takes it, diff finds nothing that a reader would notice; a core can be compressed."""
    older, back = tmp_path / "older.core.zst", tmp_path / "back.core"
    assert 0 == run("convert", small, "--to", "7.1", "-o", older).status
    assert 0 == run("check", older).status
    assert 0 == run("convert", older, "--to", "7.3", "-o", back).status
    assert "luo-v1" in run("inspect", older, "luo").out and "luo-v5" in run("inspect", back, "luo").out
    assert {"metadata", "preserved"} == {re.split(r"[ /]", line[2:])[0] for line in run("diff", small, back).lines}


def test_losses(run: Runner, small: Path, tmp_path: Path) -> None:
    """Nothing is written but with --allow-loss; JSON says why."""
    out = tmp_path / "o.core"
    outcome = run("convert", small, "--to", "7.0", "-o", out, "--json")
    assert (1, True, None, False) == (outcome.status, outcome.json["refused"], outcome.json["output"], out.exists())
    assert {"path": "luo/session/vm-beta/77", "what": "seals", "value": "0x6", "why": "memfd-v1 does not keep it"} in outcome.json["losses"]
    assert [["kho-v4", "kho-v3", "kho-v3@7.1-rc1", "kho-v2", "kho-v1"], ["memfd-v2", "memfd-v1"]] == [
        each for each in outcome.json["formats"] if "luo" not in each[0]
    ]
    assert 0 == run("convert", small, "--to", "7.0", "-o", out, "--allow-loss").status
    assert 0 == run("check", out).status
    assert (2, 0) == tuple(run("convert", small, "--to", "7.0", "-o", out, "--allow-loss", *more).status for more in ((), ("--force",)))


def test_single_formats(run: Runner, small: Path) -> None:
    """Only what is named changes; several may be."""
    lines = run("convert", small, "--to", "luo-v4", "--to", "kho-v3").lines
    assert ["kho-v4 -> kho-v3", "luo-v5 -> luo-v4", "memfd-v2, as it is", "it can be converted: -o FILE writes it"] == lines
    assert ["kho-v4 -> kho-v4;radix-v1;vmalloc-v1"] == run("convert", small, "--to", "kho-v4;radix-v1;vmalloc-v1").lines[:1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "convert to what?"),
        (("--to", "foo"), "'foo' is no kernel release and no format"),
        (("--to", "6.15"), "kernels of release 6.15 have no KHO"),
        (("--to", "luo-v9"), "'luo-v9' is no kernel release and no format"),
        (("--to", "vfio-pci-v2"), "nothing in this handover can be converted to vfio-pci-v2"),
    ],
)
def test_what_cannot_be_asked(run: Runner, small: Path, words: tuple[str, ...], message: str) -> None:
    """Usage errors, with what to do."""
    outcome = run("convert", small, *words)
    assert 2 == outcome.status and message in outcome.err


def test_what_cannot_be_carried(run: Runner, captures: Path) -> None:
    """More files than an older area holds: 1, whatever may be lost."""
    for more in ((), ("--allow-loss",)):
        outcome = run("convert", captures / "many-7.3.core.zst", "--to", "7.1", *more)
        assert 1 == outcome.status and "cannot be carried: luo/session/vm-007/files: more than the area holds" in outcome.err


def test_damaged_handovers(run: Runner, small: Path, tmp_path: Path, captures: Path) -> None:
    """They are not converted, and neither is what has no memory."""
    damaged = tmp_path / "damaged.core"
    for seed in range(50):
        run("mutate", small, "--seed", seed, "-o", damaged, "--force")
        if "problem[" in run("inspect", damaged).out:
            break
    outcome = run("convert", damaged, "--to", "7.1")
    assert (2, True) == (outcome.status, "a damaged handover is not converted" in outcome.err), seed
    outcome = run("convert", captures / "debugfs-7.3" / "out", "--to", "7.1")
    assert 2 == outcome.status and "only a handover in memory" in outcome.err


def test_records(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON to JSON, found by its fields or named; a list to a list; a release stands for what its kernels have in that place."""
    given(monkeypatch, b" \n" + json.dumps(MEMFD_V1).encode())
    outcome = run("convert", "-", "--to", "7.3")
    assert (0, {**MEMFD_V1, "seals": ["SEAL"], "flags": 0}) == (outcome.status, outcome.json)
    path = tmp_path / "r.json"
    path.write_text(json.dumps([outcome.json, outcome.json]))
    assert [MEMFD_V1, MEMFD_V1] == run("convert", path, "--as", "memfd-v2", "--to", "memfd-v1").json
    assert "no converter leads from memfd-v2" in run("convert", path, "--as", "memfd-v2", "--to", "6.16").err
    path.write_text("{}")
    assert "the format of the record is not clear: none that converts to it" in run("convert", path, "--to", "memfd-v2").err
    assert 2 == run("convert", path, "--as", "memfd-v2", "--to", "memfd-v1", "--to", "7.0").status
    assert 2 == run("convert", path, "--as", "luo-v2", "--to", "luo-v3").status
    path.write_text("{")
    assert "not JSON" in run("convert", path, "--to", "memfd-v2").err


def test_bytes(run: Runner, clock: Path, tmp_path: Path) -> None:
    """Bytes to bytes; what is lost is said, and nothing is written; an output that is there is left alone."""
    old, new, again = tmp_path / "old", tmp_path / "new", tmp_path / "again"
    old.write_bytes(bytes([9, 0, 0, 0, 2]))
    words = ("--schemas", clock, "-o")
    assert 0 == run("convert", old, "--schema", "clock-v1", "--to", "clock-v2", *words, new).status
    assert bytes([1]) + (9000000).to_bytes(8, "little") == new.read_bytes()
    assert 0 == run("convert", new, "--as", "clock-v2", "--to", "clock-v1", *words, again).status
    assert old.read_bytes() == again.read_bytes()
    assert 2 == run("convert", new, "--as", "clock-v2", "--to", "clock-v1", *words, again).status
    new.write_bytes(bytes([1]) + (9000001).to_bytes(8, "little"))
    outcome = run("convert", new, "--as", "clock-v2", "--to", "clock-v1", "--schemas", clock)
    assert (1, "") == (outcome.status, outcome.out) and "lost: ns 9000001" in outcome.err and "refused: 1 value would" in outcome.err
    new.write_bytes(bytes([7]) + bytes(8))
    outcome = run("convert", new, "--as", "clock-v2", "--to", "clock-v1", "--schemas", clock)
    assert 1 == outcome.status and "cannot be carried: mode: the converter knows no such value" in outcome.err


def test_the_documented_record(run: Runner, clock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example with echo."""
    record, shown = re.findall(r"\$ echo '(.*)' \| devstate convert.*\n((?:.*\n)*?)```", DOCS)[0]
    given(monkeypatch, record.encode())
    outcome = run("convert", "-", "--schemas", clock, "--to", "clock-v1", "--allow-loss")
    assert shown == outcome.err + outcome.out
