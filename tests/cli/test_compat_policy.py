# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate compat under a devstate.toml and with a support.toml."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from runner import Outcome, Runner

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of its own."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)


def bitmaps(run: Runner, *more: object) -> Outcome:
    """The break without a bump of 6.18."""
    return run("compat", "kho-v1", "--against", "kho-v1@6.16", "--page-size", "4096", *more)


def test_waivers_as_printed(run: Runner) -> None:
    """What --waivers prints, with a reason and an owner written in, makes the comparison pass; another word in it is told apart."""
    printed = bitmaps(run, "--waivers")
    assert (1, 2) == (printed.status, printed.err.count("[[waiver]]"))
    text = printed.err.replace('reason = ""', 'reason = "nobody has 6.17"').replace('owner = ""', 'owner = "Ada"')
    Path("devstate.toml").write_text(text)
    waived = bitmaps(run)
    assert (0, "") == (waived.status, waived.err)
    assert 2 == waived.out.count("by Ada: nobody has 6.17") and "SHORT" in waived.out
    Path("devstate.toml").write_text(text.replace("DS109", "DS108"))
    other = bitmaps(run)
    assert 1 == other.status
    assert "devstate.toml:1: DS108 /preserved-memory-map: error[waiver-unused policy]" in other.out
    assert 0 == run("compat", "memfd-v2", "--against", "memfd-v1").status, "it is not about this pair"


@pytest.mark.parametrize("form", ["json", "sarif", "github", "junit", "markdown"])
def test_complaints_in_every_form(run: Runner, form: str) -> None:
    """What is wrong with a waiver is a finding like others, at its line."""
    text = bitmaps(run, "--waivers").err.replace('""', '"x"')
    Path("policy.toml").write_text(text.replace("expires = 2", "expires = 1"))
    outcome = bitmaps(run, "--config", "policy.toml", "--format", form)
    assert (1, "") == (outcome.status, outcome.err)
    assert outcome.out.count("it ended on 1") in (2, 4), "junit says it twice"
    assert "waiver-expired" in outcome.out and "policy.toml" in outcome.out
    if form == "json":
        jsonschema.validate(outcome.json, json.loads((DOCS / "compat.schema.json").read_text()))


def test_levels(run: Runner) -> None:
    """A needless bump is an error where the project says so."""
    assert 0 == run("compat", "kho-v4", "--against", "kho-v3").status
    Path("devstate.toml").write_text('[levels]\nneedless-bump = "deny"\n')
    assert 1 == run("compat", "kho-v4", "--against", "kho-v3").status
    Path("devstate.toml").write_text('[levels]\nneedless-bump = "error"\n')
    outcome = run("compat", "kho-v4", "--against", "kho-v3")
    assert (2, "error: devstate.toml:2: needless-bump is one of allow, warn, deny, not 'error'\n") == (outcome.status, outcome.err)


def test_a_window(run: Runner) -> None:
    """N-1 restores, N-2 is refused as documented; another reaction, or an upgrade that is refused, is an error at its line."""
    promise = '[[pair]]\nold = "7.1"\nnew = "7.3"\npromise = "refuse"\nreaction = "{}"\n'
    Path("support.toml").write_text('[[pair]]\nold = "7.2"\nnew = "7.3"\n' + promise.format("ignored"))
    assert 0 == run("compat", "--window", "support.toml").status
    Path("support.toml").write_text(promise.format("panic"))
    wrong = run("compat", "--window", "support.toml")
    assert 1 == wrong.status
    assert "support.toml:1: 7.1 -> 7.3 read-old: error[window-refuse promise]: refused in another way than documented" in wrong.out
    Path("support.toml").write_text('[[pair]]\nold = "7.0"\nnew = "7.1"\nformats = ["memfd-*"]')
    broken = run("compat", "--window", "support.toml")
    assert (1, True) == (broken.status, "error[DS303 bump-without-decoder]: memfd-v2 is read, memfd-v1 is refused" in broken.out)


def test_a_window_over_formats(run: Runner) -> None:
    """Sources that are no releases are held to the outcome of their comparison; the new side may stand on the command line."""
    Path("support.toml").write_text('[[pair]]\nold = "memfd-v1"\npromise = "refuse"\nreaction = "open-fails"\n')
    assert 0 == run("compat", "memfd-v2", "--window", "support.toml").status
    assert 1 == run("compat", "memfd-v1", "--window", "support.toml").status
    outcome = run("compat", "--window", "support.toml")
    assert (2, "error: what is to be judged? give NEW, the side that is new\n") == (outcome.status, outcome.err)
    Path("support.toml").write_text('[[pair]]\nold = "memfd-v1"\npromise = "refuse"\nreaction = "panic"\n')
    assert "expected" in run("compat", "memfd-v2", "--window", "support.toml", "--format", "sarif").out


def test_an_ended_window(run: Runner) -> None:
    """A window whose promises have all ended asks nothing, and says so."""
    Path("support.toml").write_text('[[pair]]\nold = "7.0"\nnew = "7.1"\nexpires = 2020-01-01')
    outcome = run("compat", "--window", "support.toml")
    assert (2, "error: support.toml: every promise has ended; renew one, or compare without a window\n") == (outcome.status, outcome.err)


def test_complaints_are_explained(run: Runner) -> None:
    """`devstate rules` knows their ids as well."""
    outcome = run("rules", "waiver-broad")
    assert (0, True) == (outcome.status, outcome.out.startswith("waiver-broad: A pattern waives what is misread.\n"))
    assert "'waiver-unused'" in run("rules", "waiver-unusd").err
