# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Committed baselines against what is declared now. A published format is frozen: entries are added, and never changed or taken away.

::

    declared now      committed          state      check              update
    luo-v6            -                  new        must be written    writes it
    luo-v5            the same           same       -                  -
    luo-v5            other texts        texts      must be written    writes it
    luo-v5            other bytes        changed    DS302, and why     refuses, unless it is accepted by name
    -                 luo-v4             gone       DS302              refuses: it is readable for ever
"""

from __future__ import annotations

import json
import os

from devstate.compat.compare import compare
from devstate.compat.judge import judge
from devstate.compat.lint import Linted
from devstate.compat.rules import ds302
from devstate.errors import DecodeError, UsageError
from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen, replace
from devstate.layout.baseline import baseline, canonical
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.plain import layout_from_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout

NEW, SAME, TEXTS, CHANGED, GONE = "new", "same", "texts", "changed", "gone"

BASELINE_MAX = 64 << 20
"""Bytes of one baseline: a thousand times the largest."""

VALUE_MAX = 40
"""Letters of a value in such a message."""

PATHS_MAX = 8
"""Places that a message about plain data names before it counts the rest."""


@frozen
class Entry:
    """One format: its file's name, its state, what is committed and what would be (None where there is none)."""

    name: str
    file: str
    state: str
    committed: bytes | None
    text: str | None
    layout: Layout | None = None


def file_of(name: str) -> str:
    """The name of a baseline's file. UsageError for a name that is no name of a file."""
    if not name or "/" in name or "\0" in name or name.startswith("."):
        raise UsageError(f"a format called {name!r} cannot have a file; give it a name without / and not beginning with a dot")
    return f"{name.replace(';', '+')}.json"


def folder_of(path: str) -> str:
    """Where the baselines of a source are: beside a file, inside a directory."""
    beside = path if os.path.isdir(path) else os.path.dirname(path) or "."
    return os.path.normpath(os.path.join(beside, "baselines"))


def read_committed(folder: str) -> dict[str, bytes]:
    """The baselines of a folder, bytes by file; none when there is no folder. OSError when one cannot be read."""
    made = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), "rb") as file:
                made[name] = file.read(BASELINE_MAX)
    return made


def entries(declared: Sequence[Declared], committed: Mapping[str, bytes]) -> tuple[Entry, ...]:
    """Every format that is declared (in each environment, page sizes as in PAGE_SIZES) or committed (bytes by file)."""
    made = []
    by_size = {each.environment.page_size: {layout.name: layout for layout in each.formats} for each in declared}
    first = by_size[PAGE_SIZES[0]]
    for name, layout in first.items():
        text = canonical(baseline(_lowered(by_size, name)))
        old = committed.get(file_of(name))
        made.append(Entry(name, file_of(name), _state(old, text), old, text, layout))
    known = {each.file for each in made}
    for file, old in committed.items():
        if file not in known:
            made.append(Entry(file.removesuffix(".json"), file, GONE, old, None))
    return tuple(made)


def _lowered(by_size: Mapping[int, Mapping[str, Layout]], name: str) -> Any:
    def lowered(environment: Environment) -> Layout:
        return by_size[environment.page_size][name]

    return lowered


def _state(old: bytes | None, text: str) -> str:
    if old is None:
        return NEW
    if old == text.encode():
        return SAME
    try:
        same = json.loads(old)["fingerprint"] == json.loads(text)["fingerprint"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return CHANGED
    return TEXTS if same else CHANGED


def findings(entry: Entry, folder: str, accepted: bool = False) -> Iterator[Linted]:
    """What is wrong with one entry; ``folder`` is where its file is, for places."""
    place = Location(f"{folder}/{entry.file}", path=entry.name)
    if entry.state in (NEW, TEXTS):
        what = "it has no baseline" if entry.state == NEW else "the baseline's texts are old"
        stale = Finding("baseline-stale", Severity.ERROR, f"{what}: run `devstate baseline update`", place)
        yield Linted(stale, (entry.name,), entry.layout)
    elif entry.state == GONE:
        message = "no schema has this name any more; a published format is readable for ever"
        yield Linted(replace(ds302.RULE.finding(message, entry.name), location=place), (entry.name,), entry.layout)
    elif entry.state == CHANGED and not accepted:
        for finding in _changes(entry):
            where = replace(place, path=finding.location.path, offset=finding.location.offset)
            yield Linted(replace(finding, location=where), (entry.name,), entry.layout)


def _changes(entry: Entry) -> Iterator[Finding]:
    """DS302, then each change with its outcome, once for all page sizes."""
    assert entry.committed is not None and entry.text is not None  # it is changed
    try:
        old, new = json.loads(entry.committed), json.loads(entry.text)
        plain = [
            (one["layout"], other["layout"])
            for one in old["layouts"]
            for other in new["layouts"]
            if set(one["page_sizes"]) & set(other["page_sizes"])
        ]
        pairs = [(layout_from_plain(one), layout_from_plain(other)) for one, other in plain]
        prints = f"fingerprint {old['fingerprint']}, now {new['fingerprint']}"
    except (ValueError, TypeError, KeyError, RecursionError, DecodeError) as error:
        yield ds302.RULE.finding(f"the committed baseline cannot be read: {error}", entry.name)
        return
    found: dict[tuple[str, str | None], Finding] = {}
    advice = ""
    for one, other in pairs:
        verdict = judge(compare(one, other))
        advice = advice or (verdict.bump.advice if verdict.bump.needed else "")
        for each in verdict.findings:
            if each.rule != "DS301":
                found.setdefault((each.rule, each.location.path), each)
    hint = next(iter(advice.splitlines()), "")
    places = "" if found else f": {_differing(plain)}"
    message = f"it is published, and what it stands for changed ({prints}){places}"
    yield ds302.RULE.finding(f"{message}; {hint}" if hint else message, entry.name)
    yield from found.values()


def _differing(pairs: Iterable[tuple[Any, Any]]) -> str:
    """Where plain layouts differ, as paths with what was and is; what is so on several page sizes is said once."""
    found: dict[str, None] = {}
    pending: list[tuple[str, Any, Any]] = [("", one, other) for one, other in pairs]
    for path, one, other in pending:
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            pending += [(f"{path}.{key}" if path else key, one.get(key), other.get(key)) for key in dict.fromkeys((*one, *other))]
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pending += [(f"{path}[{index}]", *pair) for index, pair in enumerate(zip(one, other, strict=True))]
        else:
            found[f"{path}: {_short(one)} became {_short(other)}"] = None
    more = f" and {len(found) - PATHS_MAX} more" if len(found) > PATHS_MAX else ""
    return "; ".join(list(found)[:PATHS_MAX]) + more


def _short(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)[:VALUE_MAX]
