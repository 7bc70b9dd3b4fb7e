# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where something stands in a spec: the path of a place that was built, and the line of a path in TOML.

Lines are found by the headers of tables (``[[sessions.files]]``) and the keys below them; what is written inline has that of its header.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.spec import Spec

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z_][\w.]*)\s*\]")
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
    return place


def line_of(text: str, path: str) -> int | None:
    """The line (from 1) of a path in TOML: that of its key, else of what it would be in; None when that is not there either."""
    while path:
        found = _line(text, path)
        if found is not None:
            return found
        path = path.rpartition(".")[0]
    return None


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
