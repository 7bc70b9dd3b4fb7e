# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The contract of rules: one file, one id, five sections, and a table that knows all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.check import rules
from devstate.check.run import rule_module

FOLDER = Path(rules.__file__).parent
FILES = sorted(path.stem.replace("_", "-") for path in FOLDER.glob("*.py") if path.stem != "__init__")


def test_the_table_is_the_folder() -> None:
    """Every module is in the table, and every name in the table has a module."""
    assert sorted({*rules.ACTIVE, *rules.FROM_PROBLEMS}) == FILES


@pytest.mark.parametrize("rule", FILES)
def test_a_rule_is_complete(rule: str) -> None:
    """Id = file name; title and all sections in the docstring; a check function exactly when the table says so."""
    module = rule_module(rule)
    assert rule == module.RULE.id
    lines = (module.__doc__ or "").splitlines()
    assert f"{module.RULE.title}." == lines[0]
    heads = [line.split()[0] for line in lines[2:] if line and not line.startswith(" ")]
    assert ["What", "Why", "Example", "Instead", "Reference"] == heads
    assert (rule in rules.ACTIVE) == hasattr(module, "check")


def test_an_unknown_rule() -> None:
    """Asking for a rule that is not there is a KeyError, not an import of anything."""
    with pytest.raises(KeyError):
        rule_module("os")
