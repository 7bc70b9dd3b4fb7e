# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""support.toml: what it may say, which comparisons it stands for, and promises held to what the kernels really do."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from devstate.compat.examine import Report, examine
from devstate.compat.manifest import Manifest, release_manifest
from devstate.compat.window import hold, open_window, pairs_of_window, read_window, refusal
from devstate.errors import UsageError
from devstate.finding import Finding, Outcome, Severity
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import Environment
from devstate.layout.registry import Registry

DOCS = Path(__file__).resolve().parents[2] / "docs"
TODAY = datetime.date(2026, 11, 24)
REFUSED = 'promise = "refuse"\nreaction = "{}"'


def pair(old: str = "7.2", new: str = "7.3", more: str = "") -> str:
    """One promise as text."""
    return f'[[pair]]\nold = "{old}"\nnew = "{new}"\n{more}\n'


def manifest(word: str) -> Manifest:
    """A release's manifest."""
    return release_manifest(Registry.shipped(), word)


def held(text: str, today: datetime.date = TODAY, new: str | None = None) -> list[Finding]:
    """The broken promises of a window."""
    findings, missing = hold(read_window(text.encode()), Registry.shipped(), manifest, today, new)
    assert () == missing
    return list(findings)


def test_a_kept_promise() -> None:
    """7.3 restores what 7.2 wrote, and the other way round."""
    assert [] == held(pair(more='direction = "both"'))


def test_a_broken_promise() -> None:
    """The finding names the component that stops it, why, the kernel's reaction, and the line of the promise."""
    (finding,) = held("\n" + pair("7.0", "7.1"))
    assert ("window-restore", Severity.ERROR, 2, "ignored") == (
        finding.rule, finding.severity, finding.location.line, str(finding.reaction),
    )  # fmt: skip
    assert "KHO root: kho-v1 is written, kho-v3 is read; it is promised to be restored" == finding.message
    assert "panic" == str(held(pair("6.19", "7.0"))[0].reaction)
    assert [] == held(pair("7.0", "6.19")), "the older reader is content with more"
    assert ["7.0 -> 6.19 read-new"] == [each.location.path for each in held(pair("7.0", "6.19", 'direction = "both"'))]


def test_outcomes_of_a_broken_promise() -> None:
    """On the side of the reader that is meant, and only there."""
    (upgrade,) = held(pair("7.0", "7.1"))
    (rollback,) = held(pair("7.0", "7.1", 'direction = "read-new"'))
    assert (Outcome.REFUSED, None) == (upgrade.read_old, upgrade.read_new)
    assert (None, Outcome.REFUSED) == (rollback.read_old, rollback.read_new)


def refused(old: str, new: str, more: str) -> list[tuple[str, str | None, str | None]]:
    """(message, expected, found) of what is wrong with the refusal of two formats, by the report of their comparison."""
    registry = Registry.shipped()
    sides = [Declared(name, "schemas", Environment(), (registry.layout(name, Environment()),)) for name in (old, new)]
    (promise,) = read_window(pair(old, new, more).encode()).pairs
    found = refusal(promise, old, new, examine([(sides[0], sides[1])]), registry, "support.toml")
    return [(each.message, each.expected, each.found) for each in found]


def test_refusals_of_formats() -> None:
    """Sources that are no releases are judged by their comparison, in the directions that are meant."""
    right, wrong = REFUSED.format("open-fails"), REFUSED.format("panic")
    assert [] == refused("memfd-v1", "memfd-v2", right + '\ndirection = "both"')
    other = ("refused in another way than documented", "panic", "open-fails")
    assert [other] == refused("memfd-v1", "memfd-v2", wrong)
    assert [other, other] == [*refused("memfd-v1", "memfd-v2", wrong + '\ndirection = "both"'), other][:2]
    assert [("it is OK; it is promised to be refused", None, None)] == refused("memfd-v1", "memfd-v1", right)
    misread = refused("kho-v1@6.16", "kho-v1", right)
    assert [("it is SHORT; it is promised to be refused", None, None)] == misread
    assert "it is MISREAD" in refused("kho-v1@6.16", "kho-v1", right + '\ndirection = "read-new"')[0][0]


def test_refusals_of_releases() -> None:
    """Two releases are predicted as wholes: what stops the kernel first decides."""
    (promise,) = read_window(pair("7.1", "7.3", REFUSED.format("panic")).encode()).pairs
    empty = Report((), None, None, (), ())
    (finding,) = refusal(promise, "7.1", "7.3", empty, Registry.shipped(), "support.toml")
    assert ("panic", "ignored", "support.toml") == (finding.expected, finding.found, finding.location.source)
    assert () == refusal(replace(promise, reaction="ignored"), "7.1", "7.3", empty, Registry.shipped(), "support.toml")


def test_a_documented_refusal() -> None:
    """N-2 is refused, with the documented reaction; another reaction, or none, breaks the promise."""
    assert [] == held(pair("7.1", "7.3", REFUSED.format("ignored")))
    assert [] == held(pair("6.19", "7.0", REFUSED.format("panic")))
    (other,) = held(pair("7.1", "7.3", REFUSED.format("panic")))
    assert ("window-refuse", "panic", "ignored") == (other.rule, other.expected, other.found)
    (read,) = held(pair("7.2", "7.3", REFUSED.format("ignored")))
    assert "everything is read; it is promised to be refused" == read.message


def test_a_misread_is_no_refusal() -> None:
    """6.17 to 6.18 changed the bitmaps under one string: that is not the refusal that was promised."""
    found = held(pair("6.17", "6.18", REFUSED.format("ignored")))
    assert ["silent-wrong"] == [str(each.reaction) for each in found]


def test_formats() -> None:
    """A promise may be about some formats only."""
    assert [] == held(pair("7.2", "7.3", 'formats = ["memfd-*"]'))
    assert ["LUO"] == [each.message.partition(":")[0] for each in held(pair("6.19", "7.0", 'formats = ["luo-*"]'))]
    assert [] == held(pair("6.19", "7.0", 'formats = ["kho-*"]'))


def test_the_end_of_a_promise() -> None:
    """On its last day it holds, the day after it does not."""
    text = pair("7.0", "7.1", "expires = 2026-11-24")
    assert (1, 0) == (len(held(text)), len(held(text, TODAY + datetime.timedelta(1))))


def test_releases() -> None:
    """A list stands for all its pairs; a pair of its own goes before."""
    text = '[window]\nreleases = ["7.1", "7.2", "7.3"]\nrestore = {}\n'
    promised = [(each.old, each.new, each.promise) for each in read_window(text.format(1).encode()).pairs]
    assert [("7.1", "7.2", "restore"), ("7.1", "7.3", "refuse"), ("7.2", "7.3", "restore")] == promised
    assert {"restore"} == {each.promise for each in read_window(text.format(2).encode()).pairs}
    mixed = read_window((text.format(1) + pair("7.1", "7.2", REFUSED.format("ignored"))).encode())
    assert [] == list(hold(mixed, Registry.shipped(), manifest, TODAY)[0])
    assert ["7.1 -> 7.2 read-old"] == [each.location.path for each in held(text.format(1))]


def test_the_side_of_the_command_line() -> None:
    """A pair without a new side is about what is compared."""
    text = '[[pair]]\nold = "7.0"'
    assert ([], 1) == (held(text), len(held(text, new="7.1")))


def test_missing_evidence() -> None:
    """It is handed on, and is no pass."""
    damaged = replace(manifest("7.3"), missing=("no BTF",))
    window = read_window(pair().encode())
    assert ("7.3: no BTF",) == hold(window, Registry.shipped(), lambda word: damaged if word == "7.3" else manifest(word), TODAY)[1]


def test_comparisons() -> None:
    """The formats of two releases, pair by pair, with the directions that are promised."""
    window = read_window((pair("7.0", "7.1", 'direction = "both"') + pair("7.2", "7.3", 'formats = ["memfd-*"]')).encode())
    found = pairs_of_window(window, Registry.shipped(), TODAY)
    names = {(each.old and each.old.name, each.new and each.new.name) for each in found if each.pair.old == "7.0"}
    assert {("kho-v1", "kho-v3"), ("memfd-v1", "memfd-v2"), ("luo-v1", "luo-v1")} <= names
    assert {frozenset({"read-old", "read-new"})} == {each.supported for each in found if each.pair.old == "7.0"}
    assert [("memfd-v2", frozenset({"read-old"}))] == [
        (each.new.name, each.supported) for each in found if each.pair.old == "7.2" and each.new is not None
    ]
    assert frozenset() == read_window(pair(more=REFUSED.format("panic")).encode()).pairs[0].supported
    rest = read_window(b'[[pair]]\nold = "7.2"\n[[pair]]\nold = "memfd-v1"\nnew = "memfd-v2"\n')
    assert () == pairs_of_window(rest, Registry.shipped(), TODAY), "these are for who can open them"
    with pytest.raises(UsageError, match=r"support.toml:1: no format of kernel 5.4"):
        pairs_of_window(read_window(pair("5.4").encode()), Registry.shipped(), TODAY)


MISTAKES = [
    ("", 1, "the window is empty"),
    ("[[pair]]\nnew = '7.3'", 1, "old is missing in [[pair]]"),
    (pair(more='promise = "maybe"'), 4, "one of restore, refuse"),
    (pair(more='direction = "forward"'), 4, "one of read-old, read-new, both"),
    (pair(more='promise = "refuse"'), 1, "a refusal is documented"),
    (pair(more='reaction = "panic"'), 4, 'write promise = "refuse"'),
    (pair(more='promise = "refuse"\nreaction = "hangs"'), 5, "reaction is one of"),
    (pair(more='expires = "soon"'), 4, "expires must be like"),
    (pair(more='expiry = 2027-01-01'), 4, "did you mean 'expires'?"),
    ('[window]\nreleases = ["7.1"]', 2, "two or more"),
    ('[window]\nreleases = ["7.1", "7.1"]', 2, "two or more"),
    ('[window]\nreleases = ["7.1", "7.2"]\nrestore = 0', 3, "1 or more"),
    ('[window]\nreleases = ["7.1", "7.2"]\nrestore = true', 3, "restore must be like"),
    ("[window]\nrestore = 1", 1, "releases is missing"),
    ("[windows]", 1, "did you mean 'window'?"),
]


@pytest.mark.parametrize(("text", "line", "hint"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes(text: str, line: int, hint: str) -> None:
    """Each is refused with the file, the line, and what would be right."""
    with pytest.raises(UsageError) as caught:
        read_window(text.encode())
    assert str(caught.value).startswith(f"support.toml:{line}: ")
    assert hint in str(caught.value)


def test_files(tmp_path: Path) -> None:
    """From a file; a missing one is an error of usage."""
    path = tmp_path / "support.toml"
    path.write_text(pair())
    assert str(path) == open_window(str(path)).source
    with pytest.raises(UsageError, match="cannot be read"):
        open_window(str(tmp_path / "none"))


def test_the_published_schema() -> None:
    """What the reader takes is valid by docs/support-toml.schema.json; what it calls wrong is not."""
    schema = json.loads((DOCS / "support-toml.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    right = (pair(), pair(more=REFUSED.format("dies-early")), '[window]\nreleases = ["7.1", "7.2"]\nrestore = 2\ndirection = "both"')
    wrong = [text for text, _, _ in MISTAKES if "expires" not in text]
    for text in (*right, *wrong):
        plain = json.loads(json.dumps(tomllib.loads(text), default=str))
        assert (text in right) == check.is_valid(plain), text
