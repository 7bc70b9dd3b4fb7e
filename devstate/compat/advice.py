# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The bump advisor: whether a new version is needed, whether it is there, and the exact edit that makes it right."""

from __future__ import annotations

from devstate.compat.change import UNKNOWN, unguarded
from devstate.compat.versions import REFUSED, next_version, taken
from devstate.finding import Outcome
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Comparison, Guard
    from devstate.layout.model import Layout


@frozen
class Bump:
    """``needed``: something changed that the old version must not stand for. ``present``: a version changed where it had to (or, when
    none had to, anywhere). ``advice`` is what to do, lines of text."""

    needed: bool
    present: bool
    advice: str


def bump_of(comparison: Comparison) -> Bump:
    """The advice for one comparison."""
    old, new = comparison.old, comparison.new
    if old is None or new is None:
        return Bump(False, False, "")
    needed = comparison.needs_bump
    bare = unguarded(comparison)
    present = comparison.bumped and not bare
    if not needed:
        return Bump(needed, comparison.bumped, _needless(comparison) if comparison.bumped else "no bump needed")
    if present:
        return Bump(needed, present, _finish(old, new))
    owners: dict[Guard | None, list[str]] = {}
    for change in bare:
        owner = next((guard for guard in reversed(change.guards) if guard.old is not None or guard.new is not None), None)
        owners.setdefault(owner, []).append(change.subject)
    return Bump(needed, present, "\n".join(line for owner, subjects in owners.items() for line in _edit(new, owner, subjects)))


def _needless(comparison: Comparison) -> str:
    changed = [guard for guard in comparison.guards if guard.changed]
    kept = ", ".join(f'"{guard.old}"' for guard in changed if guard.old is not None)
    return f"no bump needed: nothing that a layout shows changed; keep {kept}" if kept else "no bump needed"


def _finish(old: Layout, new: Layout) -> str:
    """What else belongs to a version that was rightly changed."""
    lines = ["the new version is right"]
    if new.replaces is None and old.compatible is not None and new.compatible != old.compatible:
        lines.append(f'say what it follows: replaces="{old.compatible}"')
    if taken(new, old) == REFUSED:
        lines.append(f"the new kernel refuses {old.name}: keep its decoder and declare {_accepting(old, new)}, or let the window end")
    return "\n".join(lines)


def _accepting(old: Layout, new: Layout) -> str:
    if new.versions.kind == "ordered" and old.version is not None:
        return f"min_accepted={old.version[1]}"
    return f'Versions(accepts=("{old.compatible or old.name}",))'


def _edit(new: Layout, owner: Guard | None, subjects: list[str]) -> list[str]:
    """The edit for one version that must change."""
    if owner is None:
        if new.carrier == UNKNOWN:
            return ["whatever version covers this struct must change"]
        return [f"nothing versions {new.name}: give it a compatible, or let the format that leads to it carry its version"]
    if not owner.where and new.version is not None:
        field, number = new.version
        return [
            f"the next version is {number + 1}: Const(..., {number + 1}) in {field}, version=({field!r}, {number + 1})",
            *_beside(new, number),
        ]
    was = owner.new or owner.old or new.name
    following = next_version(was)
    if owner.where:
        return [f'the next version of {owner.where} is "{following}": its node says compatible="{following}"', *_beside(new, None)]
    stub = f'CONVERTERS = [Converter("{was}", "{following}", up={{...}}, loses=(...))]    # total on what {was} allows (docs/convert.md)'
    return [
        f'the next version is "{following}": compatible="{following}", replaces="{was}"',
        f'keep the schema of "{was}" as it was, with until=RELEASE',
        "then: devstate baseline update",
        stub,
    ]


def _beside(new: Layout, number: int | None) -> list[str]:
    kept = f"version {number}" if number is not None else "the old form"
    return [f"keep the schema of {kept} of {new.compatible or new.name} beside it, with a variant", "then: devstate baseline update"]


__all__ = ["Bump", "Outcome", "bump_of"]
