# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What changed about a field that stands where it stood: the names of its values, its unit, what a reader accepts of it.

Each function yields :class:`Meaning`; where in the layout that is, and under which version, is for the caller to say.
"""

from __future__ import annotations

from devstate.compat.words import are_alike, names_text
from devstate.finding import Outcome
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.layout.model import FieldLayout

OK, REFUSED, SHORT, MISREAD = Outcome.OK, Outcome.REFUSED, Outcome.SHORT, Outcome.MISREAD

_SENTINELS = ("MAX", "COUNT", "LAST", "NUM", "END", "NR", "SIZE", "ALL")
"""Last words of enumerators that only count the others: they change whenever one is added."""


@frozen
class Meaning:
    """One change of meaning: its kind, the outcomes, and what was and is."""

    kind: str
    read_old: Outcome
    read_new: Outcome
    old: str
    new: str
    wire: bool = True
    note: str = ""


def meanings(old: FieldLayout, new: FieldLayout) -> Iterator[Meaning]:
    """Every change of meaning of a field whose bytes are read in the same way."""
    if old.unit != new.unit and old.unit and new.unit:
        yield Meaning("repurposed", MISREAD, MISREAD, f"in {old.unit}", f"in {new.unit}")
    if old.kind and new.kind and old.kind != new.kind:
        yield Meaning("union", MISREAD, MISREAD, f"{old.kind}", f"{new.kind}")
    elif old.names and new.names:
        yield from _names(old, new)
    yield from _must(old, new)
    yield from _range(old, new)
    if old.default != new.default and old.optional and new.optional:
        yield Meaning("default", MISREAD, OK, f"absent means {old.default}", f"absent means {new.default}")


def _names(old: FieldLayout, new: FieldLayout) -> Iterator[Meaning]:
    """Flags and values: the same name for another number, a number for another name, and names that came and went."""
    what = "bit" if old.kind == "flags" else "value"
    before, after = _without_sentinels(old), _without_sentinels(new)
    renumbered = [name for name in before if name in after and before[name] != after[name]]
    if renumbered:
        was, now = (", ".join(f"{name} is {what} {side[name]}" for name in renumbered) for side in (before, after))
        yield Meaning("name-renumbered", MISREAD, MISREAD, was, now)
    gone = {name: number for name, number in before.items() if name not in after}
    come = {name: number for name, number in after.items() if name not in before}
    by_number = {number: name for name, number in come.items()}
    for name, number in list(gone.items()):
        other = by_number.get(number)
        if other is None:
            continue
        del gone[name]
        come.pop(other, None)
        alike = are_alike(name, other)
        outcome = OK if alike else MISREAD
        kind = "renamed" if alike else "name-renumbered"
        yield Meaning(kind, outcome, outcome, f"{what} {number} is {name}", f"{what} {number} is {other}", wire=not alike)
    gone = {name: number for name, number in gone.items() if number not in after.values()}
    come = {name: number for name, number in come.items() if number not in before.values()}
    if gone:
        yield Meaning("name-removed", REFUSED, OK, names_text(f"{name} ({what} {number})" for name, number in gone.items()), "unknown")
    if come:
        yield Meaning("name-added", OK, REFUSED, "unknown", names_text(f"{name} ({what} {number})" for name, number in come.items()))


def _without_sentinels(field: FieldLayout) -> dict[str, int]:
    """The names without those that only count the others: so called, and with the highest number."""
    highest = max((number for _, number in field.names), default=0)
    return {name: number for name, number in field.names if number < highest or not _is_sentinel(name)}


def _is_sentinel(name: str) -> bool:
    words = name.upper().strip("_").split("_")
    return words[-1] in _SENTINELS or words[0] in ("NR", "NUM", "MAX")


def _must(old: FieldLayout, new: FieldLayout) -> Iterator[Meaning]:
    """The only value that a reader accepts."""
    if old.must == new.must:
        return
    if old.must is not None and new.must is not None:
        yield Meaning("constant", REFUSED, REFUSED, f"must be {old.must}", f"must be {new.must}")
    elif old.must == 0:
        yield Meaning("reserved-used", OK, REFUSED, "must be 0", "in use", note="every old writer stored 0 there")
    elif old.must is not None:
        yield Meaning("limit", OK, REFUSED, f"must be {old.must}", "any value")
    else:
        yield Meaning("limit", REFUSED, OK, "any value", f"must be {new.must}")


def _range(old: FieldLayout, new: FieldLayout) -> Iterator[Meaning]:
    """The least and the largest value that a reader accepts. A bound that only one side states is no change: it may be better known now."""
    for word, before, after, sign in (("at least", old.minimum, new.minimum, -1), ("at most", old.maximum, new.maximum, 1)):
        if before is None or after is None or before == after:
            continue
        looser = (after - before) * sign > 0
        yield Meaning("limit", OK if looser else REFUSED, REFUSED if looser else OK, f"{word} {before}", f"{word} {after}")


def numbers(kind: str, old: tuple[tuple[str, int], ...], new: tuple[tuple[str, int], ...]) -> Iterator[tuple[str, Meaning]]:
    """Named limits (kind limit: a reader refuses more) or constants (kind constant: both must use the same), those that both sides have."""
    before = dict(old)
    for name, value in new:
        if name not in before or before[name] == value:
            continue
        outcomes = (MISREAD, MISREAD) if kind == "constant" else (OK, REFUSED) if value > before[name] else (REFUSED, OK)
        yield name, Meaning(kind, *outcomes, str(before[name]), str(value))
