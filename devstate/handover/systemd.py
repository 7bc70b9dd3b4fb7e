# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""systemd's session: the file descriptor stores of units, across a live update (systemd 261 and later).

systemd-shutdown creates the session ``systemd`` just before the jump. Token 0 is a memfd with a JSON mapping, the others are the
files in the order in which they were saved. PID 1 of the next kernel reads the mapping and gives the files back::

    {"version": 1,
     "state": {"kexecsCount": 1},
     "units": {"NAME.service": {"fdstore": [{"type": "fd", "name": "FDNAME", "token": 1},
                                            {"type": "luo_session", "name": "FDNAME", "sessionName": "SESSION"}]}}}

Unknown keys are allowed. A unit's own LUO session cannot be inside another: the mapping only names it. Two forms of the time of review
may be met in handovers of development builds: without version and ``units``, keyed by unit, else the same; and keyed by control group,
a list a group, with ``fd_index`` and ``session_name``. (Facts: src/core/luo.c and src/shared/luo-util.c of systemd; pull requests
41683, 42530. What systemd refuses is a problem here and gives no label.)
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.handover.labels import Labels, Problems, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SESSION = "systemd"
TOKEN = 0
VERSION = 1

MAX_MAPPING = 1 << 20
"""Bytes of the mapping: some 10,000 entries. Bounds what parsing may take."""

MAX_DEPTH = 32
"""Brackets in brackets: the mapping has five levels, and unknown keys may hold some of their own."""

MAX_NAME = 255
"""Characters in a unit's or a file's name (UNIT_NAME_MAX, FDNAME_MAX); a control group's path is held to it as well."""

MAX_SESSION_NAME = 63
"""Bytes in the name of a session, as in the kernel."""

MAX_DIGITS = 20
"""Digits of 2**64 - 1: a longer number is no token."""


@frozen
class Entry:
    """One file of a unit: ``owner`` as "unit NAME" or "cgroup PATH"; a ``token`` of this session or the name of another ``session``."""

    owner: str
    name: str
    token: int | None
    session: str | None


def labels(content: bytes | None, tokens: Collection[int]) -> Labels:
    """Who owns what, from the content of token 0: None when it is not in the capture, empty when there is no token 0."""
    problems = Problems()
    entries = list(_entries(_mapping(content, problems), problems))
    files: dict[int, str] = {TOKEN: "systemd mapping"} if TOKEN in tokens else {}
    sessions: dict[str, str] = {}
    present = set(tokens)
    for each in entries:
        what = f"{each.owner} fd {each.name}"
        if each.token is None and each.session is not None:
            if sessions.setdefault(each.session, each.owner) != each.owner:
                problems.add(f"{what}: session {each.session} belongs to {sessions[each.session]} already")
        elif each.token not in present:
            problems.add(f"{what}: token {each.token} is not in the session")
        elif each.token in files:
            problems.add(f"{what}: token {each.token} is {files[each.token]} already")
        elif each.token is not None:
            files[each.token] = what
    return Labels(SESSION, files, sessions, problems.told())


def _mapping(content: bytes | None, problems: Problems) -> dict[str, object]:
    """The JSON object in the content, empty with a problem when there is none."""
    if content is None:
        problems.add("the mapping (token 0) is not in the capture")
    elif not content:
        problems.add("the session has no mapping (token 0)")
    elif len(content) > MAX_MAPPING:
        problems.add(f"the mapping has more than {MAX_MAPPING} bytes")
    else:
        try:
            parsed = _parse(content)
        except ValueError as error:
            problems.add(f"the mapping cannot be read: {shown(str(error))}")
        else:
            if isinstance(parsed, dict):
                return parsed
            problems.add("the mapping is no JSON object")
    return {}


def _parse(content: bytes) -> object:
    """What the JSON says. ValueError when it is none, not in UTF-8, or nested too deeply."""
    import json

    text = content.decode("utf-8")
    if _deeper(text, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return json.loads(text, parse_int=_number, parse_constant=_refuse)


def _deeper(text: str, limit: int) -> bool:
    """Whether brackets outside strings nest deeper than ``limit``: known before a recursive parser sees them."""
    depth, inside, escaped = 0, False, False
    for each in text:
        if escaped:
            escaped = False
        elif inside:
            inside, escaped = each != '"', each == "\\"
        elif each == '"':
            inside = True
        elif each in "[{":
            depth += 1
            if depth > limit:
                return True
        elif each in "]}":
            depth -= 1
    return False


def _number(text: str) -> object:
    return int(text) if len(text) <= MAX_DIGITS else None


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is no JSON number")


def _entries(mapping: dict[str, object], problems: Problems) -> Iterator[Entry]:
    """The good entries of a mapping in any of its forms."""
    if "version" in mapping or "units" in mapping:
        version, units = _unsigned(mapping.get("version")), mapping.get("units", {})
        if version is None or version > VERSION:
            found = "has no version" if version is None else f"is of version {version}, {VERSION} is known"
            problems.add(f"the mapping {found}: not read")
            return
        if not isinstance(units, dict):
            problems.add("units of the mapping is no object")
            return
        mapping = units
    for key, value in mapping.items():
        grouped = isinstance(value, list)
        owner = f"{'cgroup' if grouped else 'unit'} {shown(key)}"
        store = value if grouped else value.get("fdstore") if isinstance(value, dict) else None
        if len(key) > MAX_NAME:
            problems.add(f"{owner[:MAX_NAME]}...: the name is too long")
        elif not isinstance(store, list):
            problems.add(f"{owner}: its fdstore is no list")
        else:
            for raw in store:
                entry = _entry(owner, raw, grouped)
                if isinstance(entry, Entry):
                    yield entry
                else:
                    problems.add(f"{owner}: {entry}")


def _entry(owner: str, raw: object, grouped: bool) -> Entry | str:
    """One entry of a store, or why it is none."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str) or not isinstance(raw.get("name"), str):
        return "an entry has no type or no name"
    if len(raw["name"]) > MAX_NAME:
        return "the name of an entry is too long"
    name = shown(raw["name"])
    if raw["type"] == "fd":
        token = _unsigned(raw.get("fd_index" if grouped else "token"))
        if token is None or token == (1 << 64) - 1:
            return f"fd {name} has no token"
        if token == TOKEN:
            return f"fd {name} has token {TOKEN}, which is the mapping's"
        return Entry(owner, name, token, None)
    if raw["type"] == "luo_session":
        session = raw.get("session_name" if grouped else "sessionName")
        if not isinstance(session, str) or not 0 < len(session.encode("utf-8", "surrogatepass")) <= MAX_SESSION_NAME:
            return f"fd {name} has no session name"
        if session == SESSION:
            return f"fd {name} names the session {SESSION}, which is systemd's own"
        return Entry(owner, name, None, session)
    return f"fd {name} is of unknown type {shown(raw['type'])[:MAX_NAME]!r}"


def _unsigned(value: object) -> int | None:
    """A 64-bit number, or one that is written as a text (systemd does so above 2**53)."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64 else None
