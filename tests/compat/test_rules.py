# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every rule has a pair that it speaks of, an expected text, nothing to say of a side against itself, and mutants that are seen."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from devstate.compat.judge import rule_module
from devstate.compat.rules import ALL, BY_KIND, CHECKS
from devstate.finding import Severity
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import Environment
from devstate.source.opening import open_layouts

pytest.importorskip("clang.cindex")

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "rules"
PARTS = ("What", "Why", "Example", "Instead", "Reference")


@cache
def tool() -> ModuleType:
    """tools/rules.py."""
    spec = importlib.util.spec_from_file_location("rules_tool", ROOT / "tools" / "rules.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OPENED: dict[tuple[object, ...], Declared] = {}


@pytest.fixture(autouse=True)
def opened_once(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each side is read once, for all tests; lowered ones are kept for this run only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))

    def open_once(text: str, environment: Environment, **settings: Any) -> Declared:
        key = (str(Path(text).resolve()), environment, settings.get("type_name"))
        if key not in OPENED:
            OPENED[key] = open_layouts(text, environment, **settings)
        return OPENED[key]

    monkeypatch.setattr("devstate.source.opening.open_layouts", open_once)


def test_every_rule_has_its_pair() -> None:
    """One directory a rule, and none besides; the examples are those of all rules."""
    assert sorted(ALL) == sorted(path.name for path in FIXTURES.iterdir())
    assert sorted(ALL) == sorted(json.loads((ROOT / "devstate/compat/rules/examples.json").read_text()))


@pytest.mark.parametrize("rule", ALL)
def test_the_text_is_complete(rule: str) -> None:
    """What, Why, Example, Instead, Reference, in this order; the id is the file's name, and the rule's name is told once."""
    module = rule_module(rule)
    parts = tuple(re.findall(rf"^({'|'.join(PARTS)})  +\S", module.__doc__ or "", re.MULTILINE))
    assert (rule, PARTS) == (module.RULE.id, parts)
    assert [rule] == [each for each in ALL if rule_module(each).RULE.name == module.RULE.name]


@pytest.mark.parametrize("rule", ALL)
def test_the_pair_says_what_is_expected(rule: str) -> None:
    """The rule fires, with all the text and the exit status; what `devstate rules` shows is taken from it."""
    expected = (FIXTURES / rule / "expected.txt").read_text()
    said = tool().output(rule)
    assert expected == said
    assert f"[{rule}" in expected
    assert tool().example(rule, said) == json.loads((ROOT / "devstate/compat/rules/examples.json").read_text())[rule]


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule not in ("DS502", "DS505")])
def test_silent_on_the_same(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A side against itself: nothing, but what is lost on its own ways and what a struct that is not there leaves open."""
    old, new = tool().sides(rule)
    for name in [old] if rule == "DS504" else [old, new]:
        words = [name if word in (old, new) else word for word in tool().command(rule)]
        monkeypatch.setattr(tool(), "command", lambda _, words=words: words)
        said = tool().output(rule)
        assert re.search(r"^read-old OK, read-new OK: 0 findings", said, re.MULTILINE), said
        monkeypatch.undo()


class Silent:
    """A rule that says nothing."""

    def __init__(self, module: ModuleType) -> None:
        self.RULE = module.RULE

    def check(self, _: object) -> tuple[()]:
        """Nothing."""
        return ()


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule in CHECKS])
def test_a_rule_that_is_silent_is_missed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the rule's check finds nothing."""
    monkeypatch.setattr(rule_module(rule), "check", Silent(rule_module(rule)).check)
    assert (FIXTURES / rule / "expected.txt").read_text() != tool().output(rule)


@pytest.mark.parametrize("rule", sorted({*BY_KIND.values()}))
def test_a_rule_that_speaks_of_another_kind_is_missed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: another rule takes its changes; and: its message is empty."""
    expected = (FIXTURES / rule / "expected.txt").read_text()
    other = "DS104" if rule != "DS104" else "DS101"
    with monkeypatch.context() as patch:
        for kind in [kind for kind, each in BY_KIND.items() if each == rule]:
            patch.setitem(BY_KIND, kind, other)
        assert expected != tool().output(rule)
    monkeypatch.setattr(rule_module(rule), "message", lambda change: "")
    assert expected != tool().output(rule)


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule in CHECKS and rule not in ("DS303", "DS503")])
def test_a_rule_of_another_level_is_missed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: its level. What says its level by the window and by what was found is not in here."""
    module = rule_module(rule)
    level = Severity.INFO if module.RULE.severity is Severity.ERROR else Severity.ERROR
    monkeypatch.setattr(module, "RULE", replace(module.RULE, severity=level))
    changed = tool().output(rule) != (FIXTURES / rule / "expected.txt").read_text()
    assert changed or rule in ("DS305", "DS306")


@pytest.mark.parametrize(("rule", "makes"), [("DS501", "differing"), ("DS502", "drift"), ("DS504", "missing")])
def test_a_rule_that_says_nothing_of_what_it_found_is_missed(rule: str, makes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the finding that others ask a rule to make has no words."""
    make = getattr(rule_module(rule), makes)
    monkeypatch.setattr(rule_module(rule), makes, lambda *given: replace(make(*given), message=""))
    assert (FIXTURES / rule / "expected.txt").read_text() != tool().output(rule)


def test_a_lint_that_is_silent_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: DS505 finds every field documented."""
    monkeypatch.setattr(rule_module("DS505"), "lint", lambda _: iter(()))
    assert (FIXTURES / "DS505" / "expected.txt").read_text() != tool().output("DS505")


@pytest.mark.parametrize("rule", ["DS502", "DS505"])
def test_lint_is_silent_on_the_side_that_is_right(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rule asks for is there in the old side: with it alone, it is not named."""
    old, _ = tool().sides(rule)
    monkeypatch.setattr(tool(), "sides", lambda _: (old, old))
    said = tool().output(rule)
    assert "exit 0" in said
    assert f"[{rule}" not in said
