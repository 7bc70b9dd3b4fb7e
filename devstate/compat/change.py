# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Changes: what a comparison found, as plain data. Each is one root cause; what only moved along with it is folded into it."""

from __future__ import annotations

from devstate.finding import Outcome
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Environment, FieldLayout, Layout

KINDS = (
    "removed", "inserted", "appended", "moved", "packing", "resized", "retyped", "bits", "length", "stride", "reserved-used", "union",
    "renamed", "repurposed", "name-removed", "name-added", "name-renumbered", "limit", "default", "presence", "constant", "header",
    "node", "target", "encoding",
)  # fmt: skip
"""What can happen to a layout. A rule says which of them it speaks of."""


UNKNOWN = "unknown"
"""The carrier of a layout that comes from a source which knows no versions, such as BTF."""


@frozen
class Guard:
    """A version between the door and a place: what it was and is, and who carries it (the format, or the path of a node)."""

    where: str
    old: str | None
    new: str | None

    @property
    def changed(self) -> bool:
        """Whether a reader sees a version that is not its own."""
        return self.old != self.new


@frozen
class Change:
    """One change. ``subject`` is ``STRUCT.FIELD`` or ``/NODE/PROPERTY``; ``struct`` and ``field`` find it in a source file.

    ``read_old``, ``read_new``: what happens when no version tells reader and writer apart. ``old`` and ``new`` say in words what was
    and is; ``folded`` are fields that only moved with it; ``guards`` the versions between the door and the place, outermost first.
    ``wire`` is False for what changes no byte and no meaning, so that no new version is needed; ``note`` is what an OK rests on.
    ``old_field`` and ``new_field`` are for the witness; ``old_struct``, ``new_struct`` and ``context`` say what is read how there.
    """

    kind: str
    subject: str
    struct: str | None
    field: str | None
    read_old: Outcome
    read_new: Outcome
    old: str = ""
    new: str = ""
    folded: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    wire: bool = True
    note: str = ""
    offset: int | None = None
    old_field: FieldLayout | None = None
    new_field: FieldLayout | None = None
    old_struct: str | None = None
    new_struct: str | None = None
    context: str = "one"

    @property
    def worst(self) -> Outcome:
        """The worse of the two directions."""
        return max(self.read_old, self.read_new)


@frozen
class Comparison:
    """Two layouts and what changed between them, in one environment. ``old`` or ``new`` is None for a format that only one side has.

    ``ancestors`` are what ``old`` replaced, nearest first; ``guards`` every version that either side carries; ``only_old`` and ``only_new``
    are structs that only one side has and nothing on the other side stands for. ``supported`` says which directions a window promises.
    """

    old: Layout | None
    new: Layout | None
    changes: tuple[Change, ...]
    environment: Environment
    guards: tuple[Guard, ...] = ()
    ancestors: tuple[Layout, ...] = ()
    only_old: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()
    supported: frozenset[str] = frozenset()
    migrations: tuple[Migration, ...] | None = None

    @property
    def bumped(self) -> bool:
        """Whether any version changed."""
        return any(guard.changed for guard in self.guards)

    @property
    def needs_bump(self) -> bool:
        """Whether anything changed that a reader of the other version must not take for its own."""
        return any(change.wire for change in self.changes)

    @property
    def name(self) -> str:
        """The format's name, the new one when it has two."""
        either = self.new or self.old
        return either.name if either is not None else ""


@frozen
class Migration:
    """A converter from one published version to another: what it loses, and what it fails on (texts; empty when nothing)."""

    old: str
    new: str
    loses: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def unguarded(comparison: Comparison) -> tuple[Change, ...]:
    """The changes that need a new version and have none anywhere between the door and themselves."""
    return tuple([change for change in comparison.changes if change.wire and not any(guard.changed for guard in change.guards)])


__all__ = ["KINDS", "UNKNOWN", "Change", "Comparison", "Guard", "Migration", "Outcome", "unguarded"]
