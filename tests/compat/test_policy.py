# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate.toml: what it may say, what it does to findings, and what is wrong with a waiver. Complaints have a line and a hint."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.compat.compare import compare
from devstate.compat.judge import judge
from devstate.compat.policy import Applied, Policy, apply
from devstate.compat.policy_file import find_policy, open_policy, read_policy
from devstate.compat.policy_table import POLICY_MAX, places_of
from devstate.compat.rules import ds504
from devstate.compat.waivers import Subject, stanza
from devstate.errors import UsageError
from devstate.finding import Outcome, Severity
from devstate.frozen import replace
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry

DOCS = Path(__file__).resolve().parents[2] / "docs"
TODAY = datetime.date(2026, 11, 24)


def layout(name: str) -> Layout:
    """A shipped layout on 4K pages."""
    return Registry.shipped().layout(name, Environment())


OLD, NEW = layout("memfd-v1"), replace(layout("memfd-v2"), compatible="memfd-v1", name="memfd-v1")
"""memfd-v2's bytes under the old string: the headline bug."""

FOUND = [Subject(each, OLD, NEW) for each in judge(compare(OLD, NEW)).findings]
INSERTED = next(each for each in FOUND if each.finding.rule == "DS102")


def waiver(subject: Subject = INSERTED, **changes: str) -> str:
    """A waiver for a finding that is right, with some keys changed (a value of None takes the key out)."""
    keys = {
        "rule": f'"{subject.finding.rule}"',
        "field": f'"{subject.finding.location.path}"',
        "from": '"memfd-v1"',
        "to": '"memfd-v1"',
        "reason": '"no machine of ours has memfds"',
        "owner": '"Ada <ada@example.org>"',
        "expires": "2027-01-31",
        "fingerprint": f'"{subject.print()}"',
    } | changes
    return "[[waiver]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)


def applied(text: str, subjects: list[Subject] = FOUND, **more: Any) -> Applied:
    """Findings under a policy text."""
    return apply(subjects, read_policy(text.encode()), **({"today": TODAY, "compared": [(OLD, NEW)]} | more))


def severities(result: Applied) -> dict[str, Severity]:
    """Rule to severity."""
    return {each.finding.rule: each.finding.severity for each in result.findings}


def rules(result: Applied) -> list[str]:
    """The complaints' rules."""
    return [each.rule for each in result.complaints]


# ---- levels ----


def test_no_policy_changes_nothing() -> None:
    """An empty file leaves every finding as it is."""
    result = applied("")
    assert (tuple(FOUND), ()) == (result.findings, result.complaints)


def test_levels() -> None:
    """allow takes a finding away, deny raises it, by id and by name; the workspace's level gives way to the subsystem's."""
    old, new = layout("kho-v3"), layout("kho-v4")
    found = [Subject(each, old, new) for each in judge(compare(old, new)).findings]
    assert {"DS307": Severity.WARNING} == severities(applied("", found))
    assert {} == severities(applied('[levels]\nDS307 = "allow"', found))
    assert {"DS307": Severity.ERROR} == severities(applied('[levels]\nneedless-bump = "deny"', found))
    mine = '[levels]\nDS307 = "deny"\n[subsystem.kho]\nformats = ["kho-*"]\nlevels = { DS307 = "allow" }'
    assert {} == severities(applied(mine, found))
    assert {"DS307": Severity.ERROR} == severities(applied(mine.replace("kho-*", "luo-*"), found))
    gone = [replace(each, new=None) for each in found]
    assert {} == severities(applied(mine, gone)), "what is gone belongs to where it was"


def test_levels_by_file() -> None:
    """A subsystem may be a directory; its pattern is for the whole path, or for its end."""
    place = replace(INSERTED.finding.location, source="src/mm/memfd_luo.h")
    info = replace(INSERTED.finding, location=place, read_old=Outcome.OK, read_new=Outcome.OK)
    for pattern, kept in (("mm/*", {}), ("src/*", {}), ("*.h", {}), ("kernel/*", {"DS102": Severity.ERROR})):
        text = f'[subsystem.x]\npaths = ["{pattern}"]\nlevels = {{ DS102 = "allow" }}'
        assert kept == severities(applied(text, [replace(INSERTED, finding=info)]))


@pytest.mark.parametrize("word", ["allow", "warn"])
def test_no_level_hides_what_is_misread(word: str) -> None:
    """It stays an error, and the level is complained about once, with its line."""
    result = applied(f'[levels]\n\nDS102 = "{word}"')
    assert severities(applied(""))["DS102"] == severities(result)["DS102"] == Severity.ERROR
    assert [("level-broad", 3)] == [(each.rule, each.location.line) for each in result.complaints]


def test_no_level_makes_missing_evidence_a_pass() -> None:
    """What nobody looked at stays so."""
    missing = Subject(ds504.missing("no BTF", "vmlinux"), None, None)
    result = applied('[levels]\nDS504 = "allow"', [missing])
    assert ({"DS504": Severity.ERROR}, ["level-broad"]) == (severities(result), rules(result))


# ---- waivers ----


def test_a_waiver() -> None:
    """The finding becomes information that says who answers for it; everything else stays."""
    result = applied(waiver())
    mine = next(each.finding for each in result.findings if each.finding.rule == "DS102")
    assert (Severity.INFO, []) == (mine.severity, rules(result))
    assert "waived until 2027-01-31 by Ada <ada@example.org>: no machine of ours has memfds" in mine.message
    assert (INSERTED.finding.read_old, INSERTED.finding.read_new) == (mine.read_old, mine.read_new)
    assert len(FOUND) == len(result.findings)
    assert [each for each in FOUND if each is not INSERTED] == [each for each in result.findings if each.finding.rule != "DS102"]


@pytest.mark.parametrize("day", ["2026-11-24", "2026-11-23"])
def test_the_last_day(day: str) -> None:
    """It counts on its last day, and is an error the day after, when the finding is one again too."""
    result = applied(waiver(expires=day))
    over = day == "2026-11-23"
    assert ["waiver-expired"] * over == rules(result)
    assert (Severity.ERROR if over else Severity.INFO) == severities(result)["DS102"]


@pytest.mark.parametrize("field", ["memfd_luo_ser.*", "*.seals", "memfd_luo_ser.seal?", "*luo*"])
def test_too_broad(field: str) -> None:
    """A pattern never covers a misread, even with the right fingerprint."""
    result = applied(waiver(field=f'"{field}"'))
    assert ["waiver-broad"] == rules(result)
    assert "memfd_luo_ser.seals" in result.complaints[0].message
    assert Severity.ERROR == severities(result)["DS102"]


def test_a_pattern_for_formats_is_one_too() -> None:
    """So does a pattern in from or to."""
    assert ["waiver-broad"] == rules(applied(waiver(to='"memfd-v*"')))


def test_a_pattern_where_nothing_is_misread() -> None:
    """Refusals and source findings may be waived by pattern."""
    finding = replace(INSERTED.finding, read_old=Outcome.REFUSED, read_new=Outcome.REFUSED)
    mild = replace(INSERTED, finding=finding)
    result = applied(waiver(mild, field='"memfd_luo_ser.*"'), [mild])
    assert ({"DS102": Severity.INFO}, []) == (severities(result), rules(result))


def test_unused() -> None:
    """A waiver that nothing needs is an error, if its formats were compared; if not, this run cannot know, unless it was complete."""
    text = waiver(rule='"DS101"')
    assert ["waiver-unused"] == rules(applied(text))
    assert [] == rules(applied(text, compared=[]))
    assert ["waiver-unused"] == rules(applied(text, compared=[], complete=True))


def test_another_change() -> None:
    """When the struct changes again the fingerprint is another one: the finding is back, and the complaint says the new fingerprint."""
    struct = NEW.struct()
    longer = replace(struct, fields=(*struct.fields, replace(struct.fields[0], name="more", offset=48)), size=56)
    again = replace(NEW, structs=tuple(longer if each.name == struct.name else each for each in NEW.structs))
    subject = replace(INSERTED, new=again)
    result = applied(waiver(), [subject], compared=[(OLD, again)])
    assert (["waiver-unused"], Severity.ERROR) == (rules(result), severities(result)["DS102"])
    assert subject.print() in result.complaints[0].message != INSERTED.print()
    elsewhere = replace(NEW, structs=(replace(NEW.structs[0], size=1), *NEW.structs[1:]))
    assert NEW.structs[0].name != "memfd_luo_ser"
    assert [] == rules(applied(waiver(), [replace(INSERTED, new=elsewhere)]))


def test_several_fingerprints() -> None:
    """One for each page size, where a struct follows it."""
    assert [] == rules(applied(waiver(fingerprint=f'["0123456789abcdef", "{INSERTED.print()}"]')))


def test_a_stanza_is_complete_but_for_who_and_why() -> None:
    """What the tool prints becomes valid when reason and owner are written in."""
    text = stanza(INSERTED, TODAY)
    with pytest.raises(UsageError, match="reason is empty"):
        read_policy(text.encode())
    text = text.replace('reason = ""', 'reason = "r"').replace('owner = ""', 'owner = "o"')
    assert ([], Severity.INFO) == (rules(applied(text)), severities(applied(text))["DS102"])
    assert 'format = "memfd-v1"' in stanza(replace(INSERTED, old=None), TODAY)


def test_a_waiver_for_one_format() -> None:
    """What lint finds is about one format: from and to do not fit, format does."""
    alone = replace(INSERTED, old=None)
    single = waiver(alone, **{"from": "", "to": "", "format": '"memfd-v1"'})
    assert [] == rules(applied(single, [alone], compared=[(None, NEW)]))
    assert Severity.ERROR == severities(applied(waiver(alone), [alone]))["DS102"]


# ---- mistakes ----

MISTAKES = [
    ('[levels]\nDS999 = "warn"', 2, "no rule is called 'DS999'"),
    ('[levels]\nfield-removd = "warn"', 2, "did you mean 'field-removed'?"),
    ('[levels]\nDS1 = "warn"\n', 2, "no rule"),
    ('[levels]\n"DS1*" = "allow"', 2, "not matched by a pattern"),
    ('[levels]\nDS101 = "error"', 2, "DS101 is one of allow, warn, deny"),
    ("[levels]\nDS101 = 3", 2, 'DS101 must be like DS101 = "allow"'),
    ('[levels]\nDS101 = "warn"\nfield-removed = "deny"', 3, "a level already, in line 2"),
    ("levels = 3", 1, "levels must be like"),
    ('[levles]\nDS101 = "warn"', 1, "did you mean 'levels'?"),
    ('[subsystem.x]\nlevels = { DS101 = "warn" }', 1, "is about nothing"),
    ('[subsystem.x]\nformats = ["a"]', 1, "changes nothing"),
    ('[subsystem.x]\nformats = []\nlevels = { DS101 = "warn" }', 2, "must be texts"),
    ('[subsystem.x]\nformats = [3]\nlevels = { DS101 = "warn" }', 2, "must be texts"),
    ("[waiver]", 1, "waiver must be like"),
    ("waiver = [1]", 1, "list of tables"),
    (waiver(rule='"DS1*"'), 2, "not matched by a pattern"),
    (waiver(rule=""), 1, "rule is missing in [[waiver]]"),
    (waiver(field='"*"'), 3, "waives everything"),
    (waiver(field='"*.*"'), 3, "waives everything"),
    (waiver(**{"from": ""}), 1, "names two formats"),
    (waiver(format='"x"'), 1, "names two formats"),
    (waiver(reason='" "'), 6, "reason is empty"),
    (waiver(owner=""), 1, "owner is missing"),
    (waiver(expires=""), 1, "expires is missing"),
    (waiver(expires='"2027-01-31"'), 8, "expires must be like expires = 2027-01-31"),
    (waiver(expires="2027-01-31T10:00:00"), 8, "is a day"),
    (waiver(fingerprint='"xyz"'), 9, "16 hex digits"),
    (waiver(fingerprint=""), 1, "fingerprint is missing"),
    (waiver() + 'expire = 2027-01-31\n', 10, "did you mean 'expires'?"),
    ('text = """\n[levels]\nDS999 = 1\n"""\n[levels]\nDS998 = "warn"', 6, "DS998"),
    ("[levels\n", 1, "not TOML"),
    ("a = 1\nb = = 2", 2, "not TOML"),
]


@pytest.mark.parametrize(("text", "line", "hint"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes(text: str, line: int, hint: str) -> None:
    """Each is refused with the file, the line, and what would be right."""
    with pytest.raises(UsageError) as caught:
        read_policy(text.encode(), "devstate.toml")
    assert str(caught.value).startswith(f"devstate.toml:{line}: ")
    assert hint in str(caught.value)


def test_no_text() -> None:
    """Bytes that are no UTF-8, and more of them than a policy has."""
    with pytest.raises(UsageError, match=r"devstate.toml:2: not UTF-8"):
        read_policy(b"# fine\n\xff")
    read_policy(b"#" * POLICY_MAX)
    with pytest.raises(UsageError, match="larger than"):
        read_policy(b"#" * (POLICY_MAX + 1))
    with pytest.raises(UsageError, match="not TOML"):
        read_policy(b"a = " + b"[" * 100_000)


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text(text: str | bytes) -> None:
    """Whatever stands there: a policy, or an error of usage with a line."""
    try:
        read_policy(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    except UsageError as error:
        assert str(error).split(":")[1].isdecimal()


def test_places() -> None:
    """Tables, keys, dotted and quoted ones, lists of tables and what is in their last element."""
    text = 'a = 1\n[b]\nc.d = 2\n"e f" = 3\n[[g]]\nh = 1\n[[g]]\nh = 2\n[g.i]\nj = 1\n'
    assert tomllib.loads(text)
    assert {
        ("a",): 1, ("b",): 2, ("b", "c", "d"): 3, ("b", "e f"): 4, ("g", 0): 5, ("g", 0, "h"): 6, ("g", 1): 7, ("g", 1, "h"): 8,
        ("g", 1, "i"): 9, ("g", 1, "i", "j"): 10,
    } == places_of(text)  # fmt: skip


# ---- files ----


def test_the_nearest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upwards to the top of the git tree, and not beyond."""
    inner = tmp_path / "repo" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "devstate.toml").write_text("")
    (tmp_path / "repo" / ".git").mkdir()
    monkeypatch.chdir(inner)
    assert (None, Policy()) == (find_policy(), open_policy(None))
    (tmp_path / "repo" / "devstate.toml").write_text('[levels]\nDS307 = "warn"')
    assert "../../devstate.toml" == find_policy()
    assert 1 == len(open_policy(None).levels)
    with pytest.raises(UsageError, match="cannot be read"):
        open_policy("missing.toml")


def test_the_published_schema() -> None:
    """What the reader takes is valid by docs/devstate-toml.schema.json; what it calls a wrong key or type is not."""
    schema = json.loads((DOCS / "devstate-toml.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)

    def plain(text: str) -> Any:
        return json.loads(json.dumps(tomllib.loads(text), default=str))

    for text in ("", '[levels]\nDS307 = "warn"\nneedless-bump = "deny"', waiver(), waiver(**{"from": "", "to": "", "format": '"x"'}),
                 '[subsystem.a]\nformats = "x"\nlevels = { DS101 = "deny" }'):  # fmt: skip
        assert [] == [error.message for error in check.iter_errors(plain(text))], text
    for text in ('[levels]\nDS307 = "error"', "[levles]", waiver(owner=""), waiver(fingerprint='"xyz"'), waiver(**{"from": ""}),
                 "[subsystem.a]", waiver() + "x = 1"):  # fmt: skip
        assert not check.is_valid(plain(text)), text
