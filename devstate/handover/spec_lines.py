# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where something stands in a spec: the path of a place that was built, and the line of a path in TOML or JSON.

In TOML lines are found by the headers of tables (``[[sessions.files]]``) and the keys below them; what is written inline has that of its
header. In JSON every value has its own.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.spec import Spec

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z_][\w.]*)\s*\]")
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*[.=]""")


def path_of(spec: Spec, place: str) -> str:
    """The path in the spec of a place (``luo/session/vm/1/folios`` is ``sessions[0].files[0]``); a path stays what it is."""
    parts = place.split(".", 1)[0].split("/")
    if parts[:2] == ["luo", "session"] and len(parts) > 2:
        at = next((at for at, each in enumerate(spec.sessions) if each.name == parts[2]), None)
        if at is None:
            return place
        files = [str(file.token) for file in spec.sessions[at].files]
        file = f".files[{files.index(parts[3])}]" if len(parts) > 3 and parts[3] in files else ".name" if len(parts) == 3 else ""
        return f"sessions[{at}]{file}"
    for first, key, rows in (("luo", "flbs", spec.flbs), ("memblock", "regions", spec.regions), ("subtree", "subtrees", spec.subtrees)):
        names = [each.name for each in rows]
        if parts[0] == first and parts[-1] in names:
            return f"{key}[{names.index(parts[-1])}]"
    return _of_state(spec, parts[1:] if parts[0] == "devstate" else parts) or place


def _of_state(spec: Spec, parts: list[str]) -> str | None:
    """The path of a part of the subtree devstate, however it was declared."""
    for at, each in enumerate(spec.parts):
        names = each.path.split("/")
        if parts[: len(names)] == names:
            return f"parts[{at}]"
    if len(parts) > 2 and parts[0] == "devices" and parts[2].startswith("driver-"):
        mine = [at for at, each in enumerate(spec.devices) if each.machine == parts[1]]
        number = parts[2].removeprefix("driver-")
        return f"devices[{mine[int(number)]}]" if number.isdecimal() and int(number) < len(mine) else None
    names = [each.name for each in spec.guests]
    if len(parts) < 2 or parts[0] not in ("memory", "guests") or parts[1] not in names:
        return None
    return f"guests[{names.index(parts[1])}]" + (f".ranges[{parts[2]}]" if parts[0] == "guests" and len(parts) > 2 else "")


def nearest_line(text: str, path: str) -> int:
    """The line of a path, else of what stands for the whole: the arena where there is no room, the kernel whose forms do not hold it."""
    wanted = [path, *(["arena"] if path in ("", "arena") else []), "kernel", "forms"]
    return next((line for line in (line_of(text, each) for each in wanted if each) if line is not None), 1)


def line_of(text: str, path: str) -> int | None:
    """The line (from 1) of a path: that of its key, else of what it would be in; None when that is not there either. JSON begins with a
    brace.
    """
    lines = _json_lines(text) if text.lstrip()[:1] == "{" else None
    while path:
        found = _line(text, path) if lines is None else lines.get(path)
        if found is not None:
            return found
        path = path[: max(path.rfind("."), path.rfind("[") if path.endswith("]") else -1, 0)]
    return None


def _json_lines(text: str) -> dict[str, int]:
    """The line of each value of a JSON text, by its path. The text was parsed already, so it is well formed."""
    found: dict[str, int] = {}
    stack: list[list[str | int]] = []  # [path of the table or list, key or index of the value that comes]
    line, last = 1, 0
    key: str | None = None
    for token in _JSON.finditer(text):
        line, last = line + text.count("\n", last, token.start()), token.start()
        word = token[0]
        if word in ("}", "]"):
            stack.pop()
        elif word == ",":
            if isinstance(stack[-1][1], int):
                stack[-1][1] += 1
        elif word[0] == '"' and stack and isinstance(stack[-1][1], str) and key is None:
            key = word[1:-1]
        elif word != ":":
            path = ""
            if stack:
                above, at = stack[-1]
                path = f"{above}[{at}]" if isinstance(at, int) else f"{above}.{key}".lstrip(".")
            found.setdefault(path, line)
            key = None
            if word in ("{", "["):
                stack.append([path, 0 if word == "[" else ""])
    return found


def _line(text: str, path: str) -> int | None:
    table, _, key = path.rpartition(".")
    if path.startswith("pins."):
        table, key = "pins", path.removeprefix("pins.")
    found, here = None, ""
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            here = _entered(header[1], line.lstrip().startswith("[["), counts)
            found = number if here in (table, path) else found
            if here == path:
                return number
        key_match = _KEY.match(line) if here == table and header is None else None
        if key_match is not None and (key_match[1] or key_match[2] or key_match[3]) == re.sub(r"\[\d+\]$", "", key):
            return number
    return found


def _entered(name: str, is_array: bool, counts: dict[str, int]) -> str:
    """The path of the table that a header opens; the count of its own array goes up, those inside it begin again."""
    if is_array:
        counts[name] = counts.get(name, -1) + 1
        for inner in [each for each in counts if each.startswith(f"{name}.")]:
            del counts[inner]
    path, parts = "", name.split(".")
    for at, part in enumerate(parts):
        known = counts.get(".".join(parts[: at + 1]))
        path += f"{'.' if path else ''}{part}" + ("" if known is None else f"[{known}]")
    return path
