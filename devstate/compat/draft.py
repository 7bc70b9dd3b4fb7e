# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Drafts: changes while the walk still goes on, when outcomes and folded fields can be added to them."""

from __future__ import annotations

from devstate.compat.change import Change
from devstate.compat.leaves import shapes_of
from devstate.compat.links import union_changes
from devstate.compat.meanings import meanings
from devstate.compat.words import field_text, is_text, leaves_text, union_of
from devstate.finding import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from devstate.compat.change import Guard
    from devstate.compat.leaves import Leaf
    from devstate.compat.meanings import Meaning
    from devstate.compat.structs import Cause, Diff
    from devstate.layout.model import FieldLayout

    Guards = tuple[Guard, ...]

    class Unit(Protocol):
        """What a draft needs to know of a unit."""

        @property
        def old(self) -> str: ...
        @property
        def new(self) -> str: ...
        @property
        def context(self) -> str: ...
        @property
        def guards(self) -> Guards: ...


RESERVE_NOTE = "right as long as every old writer left zeros there"


class Draft:
    """A change in the making; the attributes are those of :class:`Change`. ``inner`` names the pairs of structs that are the real cause,
    ``grows`` whether it changes the size of its struct."""

    def __init__(
        self, kind: str, subject: str, read_old: Outcome, read_new: Outcome, old: str = "", new: str = "", guards: Guards = ()
    ) -> None:
        self.kind, self.subject, self.read_old, self.read_new = kind, subject, read_old, read_new
        self.old, self.new, self.guards = old, new, guards
        self.struct: str | None = None
        self.field: str | None = None
        self.folded: list[str] = []
        self.wire = True
        self.note = ""
        self.offset: int | None = None
        self.old_field: FieldLayout | None = None
        self.new_field: FieldLayout | None = None
        self.old_struct: str | None = None
        self.new_struct: str | None = None
        self.context = "one"
        self.inner: tuple[tuple[str, str], ...] = ()
        self.grows = False

    @classmethod
    def of_meaning(cls, meaning: Meaning, subject: str, guards: Guards) -> Draft:
        """A draft of a change of meaning."""
        made = cls(meaning.kind, subject, meaning.read_old, meaning.read_new, meaning.old, meaning.new, guards)
        made.wire, made.note = meaning.wire, meaning.note
        return made

    def of_fields(self, old: FieldLayout | None, new: FieldLayout | None) -> Draft:
        """Say which fields it is about. Returns self."""
        self.old_field, self.new_field = old, new
        return self

    def at(self, struct: str | None, field: str | None, old_struct: str, new_struct: str, context: str) -> Draft:
        """Say where it is. Returns self."""
        self.struct, self.field, self.old_struct, self.new_struct, self.context = struct, field, old_struct, new_struct, context
        return self

    def take_in(self, other: Draft) -> None:
        """Count another draft of the same cause for this one."""
        self.read_old, self.read_new = max(self.read_old, other.read_old), max(self.read_new, other.read_new)
        self.folded += [name for name in other.folded if name not in self.folded]
        if other.context in ("element", "row"):
            self.context = other.context
        if any(guard.changed for guard in self.guards) and not any(guard.changed for guard in other.guards):
            self.guards = other.guards

    def change(self) -> Change:
        """The finished change."""
        names = [name for name in Change._fields if name != "folded"]  # type: ignore[attr-defined]  # set by frozen()
        return Change(folded=tuple(self.folded), **{name: getattr(self, name) for name in names})


def drafts_of_causes(diff: Diff, causes: list[Cause], unit: Unit, carrier: Callable[[str, str, str], bool]) -> Iterator[Draft]:
    """Drafts of what changed in the layout of a pair of structs."""
    for cause in causes:
        leaf = cause.new or cause.old
        kind = {"removed-into-reserved": "removed"}.get(cause.kind, cause.kind)
        if cause.grown and kind in ("appended", "removed", "packing") and not cause.folded:
            kind = "stride" if kind != "packing" else kind
        struct, field, path = _place(diff, cause, leaf)
        draft = Draft(kind, f"{struct}.{field}" if field else struct, cause.read_old, cause.read_new, guards=unit.guards)
        draft.at(struct, field, unit.old, unit.new, unit.context)
        draft.old, draft.new = _texts(diff, cause)
        draft.offset = None if leaf is None else leaf.at
        draft.folded = _folded(cause)
        draft.of_fields(None if cause.old is None else cause.old.field, None if cause.new is None else cause.new.field)
        draft.inner = cause.inner
        draft.grows = diff.old_struct.size != diff.new_struct.size and kind not in ("reserved-used", "retyped")
        if kind == "reserved-used":
            draft.note = RESERVE_NOTE
        elif kind == "retyped" and not max(cause.read_old, cause.read_new):
            draft.wire = False
        moved = [pair for pair in (*cause.leaves, *cause.folded) if pair[0] is not None and pair[1] is not None]
        if any(carrier("old", unit.old, old.path) and carrier("new", unit.new, new.path) for old, new in moved if old and new):
            draft.kind = "header"
        if path is not None or cause.kind == "packing":
            yield draft


def _place(diff: Diff, cause: Cause, leaf: Leaf | None) -> tuple[str, str | None, str | None]:
    """The struct and field that people would name: of a whole struct that came or went, the field that embeds it."""
    if leaf is None or cause.kind == "packing":
        return diff.new_struct.name, None, None
    side = diff.old if cause.new is None else diff.new
    other = diff.new if cause.new is None else diff.old
    steps = leaf.path.split(".")
    if cause.old is None or cause.new is None:
        for depth in range(1, len(steps)):
            prefix = ".".join(steps[:depth])
            if all(each.path != prefix and not each.path.startswith(prefix + ".") for each in other.leaves):
                return leaf.owners[depth - 1] if len(leaf.owners) == len(steps) else side.struct.name, steps[depth - 1], prefix
    return leaf.struct, leaf.field.name, leaf.path


def _texts(diff: Diff, cause: Cause) -> tuple[str, str]:
    """What was and what is."""
    if cause.kind == "packing":
        return tuple(  # type: ignore[return-value]  # two of them
            f"{struct.size} bytes, {'packed' if struct.packed else f'aligned to {struct.align}'}"
            for struct in (diff.old_struct, diff.new_struct)
        )
    sides = [[pair[side] for pair in cause.leaves] for side in (0, 1)]
    old, new = leaves_text(sides[0]), leaves_text(sides[1])
    if cause.grown:
        old, new = (
            f"{diff.old_struct.size} bytes an element" + (f", with {old}" if old else ""),
            f"{diff.new_struct.size} bytes an element" + (f", with {new}" if new else ""),
        )
    return old or "nothing", new or "nothing"


def _folded(cause: Cause) -> list[str]:
    own = {leaf.path for pair in cause.leaves for leaf in pair if leaf is not None}
    return [new.path for old, new in cause.folded if new.path not in own and old.path not in own]


def drafts_of_pairs(diff: Diff, unit: Unit, versions: frozenset[str]) -> Iterator[Draft]:
    """Drafts of what changed in the meaning of fields that both versions have."""
    for old, new in diff.match.pairs:
        subject = f"{new.struct}.{new.field.name}"
        drafts = [Draft.of_meaning(each, subject, unit.guards) for each in _meanings(diff, old, new, versions)]
        shapes = shapes_of(diff.old_layout, old, diff.new_layout, new)
        if old.path.rpartition(".")[2] != new.path.rpartition(".")[2] and old.role == "data":
            drafts.append(Draft("renamed", subject, Outcome.OK, Outcome.OK, old.path, new.path, unit.guards))
            drafts[-1].wire = False
        if shapes[0] == shapes[1] and is_text(old.field.type) != is_text(new.field.type):
            texts = [field_text(leaf.field, leaf.at) for leaf in (old, new)]
            drafts.append(Draft("retyped", subject, Outcome.OK, Outcome.OK, texts[0], texts[1], unit.guards))
            drafts[-1].wire = False
        for draft in drafts:
            draft.at(new.struct, new.field.name, unit.old, unit.new, unit.context)
            draft.of_fields(old.field, new.field)
            draft.offset = new.at
            yield draft


def _meanings(diff: Diff, old: Leaf, new: Leaf, versions: frozenset[str]) -> Iterator[Meaning]:
    if new.field.name not in versions:
        yield from meanings(old.field, new.field)
    unions = union_of(old.field.type), union_of(new.field.type)
    if unions[0] is not None and unions[1] is not None:
        yield from union_changes(diff.old_layout, unions[0], diff.new_layout, unions[1])
