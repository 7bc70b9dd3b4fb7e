# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Converters as the running tool knows them: steps between schema names, and the chains that they make.

A converter (``devstate.schema.converter``) is two steps, up to the version that replaces another and down again. Values are plain data, so
that they stand in the compiled file beside the layouts; ``devstate.layout.converting`` carries them out.
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Moves = Mapping[str, Any]


@frozen
class Step:
    """From the schema called ``source`` to the one called ``target``; ``down`` to an older version.

    ``moves`` are values by field of the target (``field`` of its root, else ``struct.field``), ``back`` those of the other way, None where
    there is none. ``loses`` are the fields of the source that the way down does not keep, empty on the way up.
    """

    source: str
    target: str
    down: bool
    moves: Moves
    back: Moves | None = None
    loses: tuple[str, ...] = ()


def steps_from_plain(plain: Any) -> list[Step]:
    """Both ways of the converters in a compiled file. DecodeError when the data is not of that form."""
    made = []
    try:
        for each in plain:
            old, new, up, down = str(each["old"]), str(each["new"]), each["up"], each["down"]
            if up is not None:
                made.append(Step(old, new, False, dict(up), down))
            if down is not None:
                made.append(Step(new, old, True, dict(down), up, tuple(map(str, each["loses"]))))
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise DecodeError(f"not a list of converters: {error}", advice="run `make gen`") from error
    return made


def chain(steps: Iterable[Step], source: str, target: str) -> tuple[Step, ...] | None:
    """The fewest steps from one schema to another: none when they are the same, None when no chain leads there."""
    found: dict[str, tuple[Step, ...]] = {source: ()}
    known, pending = list(steps), [source]
    for name in pending:
        if name == target:
            return found[name]
        for step in known:
            if step.source == name and step.target not in found:
                found[step.target] = (*found[name], step)
                pending.append(step.target)
    return None


def reached(steps: Iterable[Step], source: str) -> list[str]:
    """Every schema that some chain leads to from ``source``, nearest first, ``source`` itself not."""
    known, found = list(steps), [source]
    for name in found:
        found += dict.fromkeys(step.target for step in known if step.source == name and step.target not in found)
    return found[1:]
