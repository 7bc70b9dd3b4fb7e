# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The bytes of a spec to plain tables: TOML, or JSON that means one thing (each key once, numbers only)."""

from __future__ import annotations

import re

from devstate.errors import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SPEC_MAX = 16 << 20
"""Bytes of a spec: a hundred thousand files take half of it."""


def parsed(data: bytes, source: str) -> tuple[dict[str, Any], str]:
    """The tables of a spec, and its text; JSON where it begins with a brace. DecodeError, with the line where it is known, otherwise."""
    if len(data) > SPEC_MAX:
        raise DecodeError("the spec is too large", source=source, expected=f"at most {SPEC_MAX} bytes", found=len(data))
    is_json = data.lstrip()[:1] == b"{"
    try:
        text = data.decode()
        if is_json:
            import json

            return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number), text
        import tomllib

        return tomllib.loads(text), text
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        line = getattr(error, "lineno", None) or re.search(r"at line (\d+)", reason)
        place = source if line is None else f"{source}:{line[1] if isinstance(line, re.Match) else line}"
        raise DecodeError(f"not {'JSON' if is_json else 'TOML'}: {reason}", source=place) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return made


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
