# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``devstate.toml``: from its text to a :class:`Policy`. The keys are those of docs/devstate-toml.schema.json.

::

    [levels]                      for the whole project
    DS307 = "warn"                a rule's id or name; allow, warn or deny

    [subsystem.memfd]             for a part of it
    formats = ["memfd-*"]         names or compatibles of formats
    paths = ["mm/*"]              files that findings are in
    levels = { DS202 = "deny" }

    [[waiver]]                    one finding; see devstate.compat.waivers
"""

from __future__ import annotations

import os
import re

from devstate.compat.policy import LEVELS, Level, Policy, Subsystem
from devstate.compat.policy_table import POLICY_MAX, Table, read_table
from devstate.compat.waivers import Waiver
from devstate.errors import UsageError

NAME = "devstate.toml"
_PRINT = re.compile(r"[0-9a-f]{16}")


def find_policy(start: str = ".") -> str | None:
    """The ``devstate.toml`` of a directory, or of the nearest one above that has it, up to the top of the git tree; None if none has."""
    folder = os.path.abspath(start)
    while True:
        path = os.path.join(folder, NAME)
        if os.path.isfile(path):
            return os.path.relpath(path)
        above = os.path.dirname(folder)
        if above == folder or os.path.exists(os.path.join(folder, ".git")):
            return None
        folder = above


def open_policy(path: str | None) -> Policy:
    """The policy in the file ``path``, of the project around the current directory when None; an empty one when there is no file.

    UsageError when the file cannot be read, or says what it cannot say.
    """
    chosen = find_policy() if path is None else path
    if chosen is None:
        return Policy()
    try:
        with open(chosen, "rb") as file:
            return read_policy(file.read(POLICY_MAX + 1), chosen)
    except OSError as error:
        raise UsageError(f"{chosen}: cannot be read: {error.strerror}") from error


def read_policy(data: bytes, source: str = NAME) -> Policy:
    """The policy in the bytes of a ``devstate.toml``. UsageError, with line and hint, for anything that is not of its form."""
    root = read_table(data, source)
    named = root.table("levels")
    levels = () if named is None else _levels(named)
    parts = root.table("subsystem")
    subsystems = () if parts is None else tuple(_subsystem(parts, name) for name in parts.plain)
    waivers = tuple(_waiver(each) for each in root.tables("waiver"))
    root.finish()
    return Policy(source, levels, subsystems, waivers)


def rule_id(table: Table, text: str, *keys: str) -> str:
    """The id of a rule that is written by id or name. UsageError when there is none, or when it is a pattern."""
    from devstate.compat.judge import rule_module
    from devstate.compat.rules import ALL

    names = {rule_module(rule).RULE.name: rule for rule in ALL}
    if text in ALL or text in names:
        return names.get(text, text)
    if set("*?[") & set(text):
        raise table.error(f"a rule is named, not matched by a pattern such as {text!r}: `devstate rules` lists them", *keys)
    import difflib

    close = difflib.get_close_matches(text, [*ALL, *names], n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`devstate rules` lists them"
    raise table.error(f"no rule is called {text!r}; {hint}", *keys)


def _levels(table: Table) -> tuple[Level, ...]:
    made: dict[str, Level] = {}
    for key in table.plain:
        rule = rule_id(table, key, key)
        word = table.word(key, LEVELS)
        if rule in made:
            raise table.error(f"{rule} has a level already, in line {made[rule].line}", key)
        assert word is not None  # the key is there
        made[rule] = Level(rule, word, table.line(key))
    return tuple(made.values())


def _subsystem(parts: Table, name: str) -> Subsystem:
    table = parts.table(name)
    assert table is not None  # the name is a key
    formats, paths = table.texts("formats", "memfd-*"), table.texts("paths", "mm/*")
    if not formats and not paths:
        raise table.error(f'{table.name()} is about nothing; write formats = ["memfd-*"] or paths = ["mm/*"]')
    named = table.table("levels")
    if named is None:
        raise table.error(f'{table.name()} changes nothing; write levels = {{ DS202 = "deny" }}')
    table.finish()
    return Subsystem(name, _levels(named), formats, paths)


def _waiver(table: Table) -> Waiver:
    rule = rule_id(table, table.text("rule", "DS109", needed=True) or "", "rule")
    field = table.text("field", "memfd_luo_ser.seals", needed=True) or ""
    old, new, alone = table.text("from", "memfd-v1"), table.text("to", "memfd-v2"), table.text("format", "memfd-v2")
    if (alone is None) == (new is None) or (old is None) != (new is None):
        raise table.error('a waiver names two formats, from = "memfd-v1" and to = "memfd-v2", or for what lint finds format = "memfd-v2"')
    reason = table.text("reason", "why this is harmless", needed=True) or ""
    owner = table.text("owner", "Ada <ada@example.org>", needed=True) or ""
    expires = table.date("expires", needed=True)
    assert expires is not None  # needed
    prints = table.texts("fingerprint", "5f0e7a6b1c2d3e4f", needed=True)
    if not all(_PRINT.fullmatch(each) for each in prints):
        raise table.error("a fingerprint is 16 hex digits, as `devstate compat` and `devstate lint` print it with --waivers", "fingerprint")
    if field.strip("*?.") == "":
        raise table.error(f"the field {field!r} waives everything; name one subject, such as memfd_luo_ser.seals", "field")
    table.finish()
    return Waiver(rule, field, old, new or alone or "", reason, owner, expires, prints, table.line())
