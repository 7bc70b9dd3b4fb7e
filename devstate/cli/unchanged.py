# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two directories of baselines, and what in them is to be compared at all: a file that is the same on both sides cannot differ.

What a changed format replaces, and what replaces it, is opened as well: rules look at the history of a name.
"""

from __future__ import annotations

import os

from devstate.errors import DecodeError
from devstate.finding import Location
from devstate.layout.declared import Declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import Environment

    Files = dict[str, bytes]
    Sides = tuple[list[Declared], list[Declared]]


def changed_only(old: str, new: str, environments: list[Environment]) -> tuple[Sides, tuple[str, ...]] | None:
    """Both sides in each environment without what is the same, and the names of that; None for anything but two such directories.

    DecodeError for a damaged file.
    """
    before, after = _files(old), _files(new)
    if before is None or after is None:
        return None
    files = before, after
    same = {name for name, data in files[1].items() if files[0].get(name) == data}
    plain = [
        {name: _plain(data, os.path.join(folder, name)) for name, data in side.items()}
        for side, folder in zip(files, (old, new), strict=True)
    ]
    wanted = {each for side in plain for name, one in side.items() if name not in same for each in _names(one)}
    lines = [_names(one) for side in plain for one in side.values()]
    grown = True
    while grown:  # along what is replaced, both ways
        more = {each for names in lines if wanted & names for each in names}
        grown = not more <= wanted
        wanted |= more
    opened = {name for side in plain for name, one in side.items() if name not in same or wanted & _names(one)}
    sides = tuple(
        [_declared(folder, {name: one for name, one in side.items() if name in opened}, each) for each in environments]
        for folder, side in zip((old, new), plain, strict=True)
    )
    left = tuple(str(plain[1][name]["name"]) for name in files[1] if name in same - opened)
    return (sides[0], sides[1]), left


def _files(folder: str) -> Files | None:
    """The JSON files of a directory that holds no Python and no headers; None for anything else."""
    if not os.path.isdir(folder):
        return None
    names = sorted(os.listdir(folder))
    if "__init__.py" in names or not any(name.endswith(".json") for name in names):
        return None
    found: Files = {}
    for name in names:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
    return found


def _plain(data: bytes, source: str) -> Any:
    import json

    try:
        plain = json.loads(data)
        return plain if plain["name"] and plain["layouts"][0]["layout"] else None
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise DecodeError(f"not a baseline: {error}", source=source, expected="{name, fingerprint, layouts}") from error


def _names(plain: Any) -> set[str]:
    """What a format is called, and what it replaces."""
    layout = plain["layouts"][0]["layout"]
    return {str(each) for each in (plain["name"], layout.get("compatible"), layout.get("replaces")) if each}


def _declared(folder: str, files: dict[str, Any], environment: Environment) -> Declared:
    from devstate.source.written import layout_of_baseline

    formats = [(layout_of_baseline(plain, os.path.join(folder, name), environment), name) for name, plain in files.items()]
    places = tuple((layout.name, Location(os.path.join(folder, name))) for layout, name in formats)
    return Declared(folder, "baselines", environment, tuple(layout for layout, _ in formats), places)
