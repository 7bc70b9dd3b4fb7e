# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Compare two devicetrees: nodes and properties by name. A reader refuses what misses something that it needs, and ignores the rest.

A node with a compatible of its own is versioned by it, and by every version on the way to it.
"""

from __future__ import annotations

from devstate.compat.change import Guard
from devstate.compat.draft import Draft
from devstate.compat.leaves import element_shape
from devstate.compat.meanings import meanings
from devstate.compat.words import struct_in, type_text
from devstate.finding import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.compare import Walk
    from devstate.layout.model import FieldLayout, NodeLayout

    Guards = tuple[Guard, ...]

OK, REFUSED, MISREAD = Outcome.OK, Outcome.REFUSED, Outcome.MISREAD


class Nodes:
    """The part of a walk that is in the devicetree."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def run(self, old: NodeLayout, new: NodeLayout, guards: Guards) -> None:
        """Compare two trees."""
        pending = [(old, new, guards, "/" + new.name if new.name else "")]
        while pending:
            old, new, guards, path = pending.pop()
            self.properties(old, new, guards, path)
            for one, other in self.children(old, new, guards, path):
                inner = f"{path}/{other.name}"
                below = guards
                if one.compatible is not None or other.compatible is not None:
                    guard = Guard(inner, one.compatible, other.compatible)
                    below = (*guards, guard)
                    self.walk.guards.append(guard)
                pending.append((one, other, below, inner))

    def note(self, kind: str, subject: str, outcomes: tuple[Outcome, Outcome], old: str, new: str, guards: Guards) -> Draft:
        """Take in a change."""
        draft = Draft(kind, subject, *outcomes, old, new, guards)
        draft.field = subject.rpartition("/")[2]
        self.walk.drafts.append(draft)
        return draft

    def children(self, old: NodeLayout, new: NodeLayout, guards: Guards, path: str) -> list[tuple[NodeLayout, NodeLayout]]:
        """The children that both have; what came, went or has another name is noted."""
        after = {child.name: child for child in new.children}
        before = {child.name: child for child in old.children}
        gone = [child for name, child in before.items() if name not in after]
        come = [child for name, child in after.items() if name not in before]
        for one in list(gone):
            other = next((each for each in come if _alike(one, each)), None)
            if other is not None:
                gone.remove(one)
                come.remove(other)
                names = f"node {one.name}", f"node {other.name}"
                self.note("node", f"{path}/{other.name}", (REFUSED, REFUSED), *names, guards)
        for one in gone:
            self.note("presence", f"{path}/{one.name}", (OK, OK if one.optional else REFUSED), _node_text(one), "no node", guards)
        for one in come:
            self.note("presence", f"{path}/{one.name}", (OK if one.optional else REFUSED, OK), "no node", _node_text(one), guards)
        both = [(child, after[name]) for name, child in before.items() if name in after]
        for one, other in both:
            self.optional(one.optional, other.optional, f"{path}/{other.name}", guards)
        return both

    def optional(self, old: bool, new: bool, subject: str, guards: Guards) -> None:
        """Whether a reader can do without it."""
        if old != new:
            words = {True: "may be absent", False: "required"}
            self.note("presence", subject, (REFUSED, OK) if old else (OK, REFUSED), words[old], words[new], guards)

    def properties(self, old: NodeLayout, new: NodeLayout, guards: Guards, path: str) -> None:
        """The properties of one node."""
        after = {field.name: field for field in new.properties}
        before = {field.name: field for field in old.properties}
        gone = [field for name, field in before.items() if name not in after]
        come = [field for name, field in after.items() if name not in before]
        for one in list(gone):
            fits = [each for each in come if each.size == one.size and each.optional == one.optional]
            only = fits[0] if len(gone) == len(come) == len(fits) == 1 else None
            other = next((each for each in fits if self.same_payload(one, each)), only)
            if other is not None:
                gone.remove(one)
                come.remove(other)
                names = f"property {one.name}", f"property {other.name}"
                self.note("node", f"{path}/{other.name}", (REFUSED, REFUSED), *names, guards).of_fields(one, other)
        for one in gone:
            outcomes = OK, OK if one.optional else REFUSED
            self.note("presence", f"{path}/{one.name}", outcomes, _property_text(one), "no property", guards).of_fields(one, None)
        for one in come:
            outcomes = OK if one.optional else REFUSED, OK
            self.note("presence", f"{path}/{one.name}", outcomes, "no property", _property_text(one), guards).of_fields(None, one)
        for name, field in before.items():
            if name in after:
                self.payload(field, after[name], f"{path}/{name}", guards)

    def same_payload(self, old: FieldLayout, new: FieldLayout) -> bool:
        """Whether two properties hold the same thing."""
        kinds = [None if field.target is None else field.target.kind for field in (old, new)]
        shapes = element_shape(self.walk.old, old.type), element_shape(self.walk.new, new.type)
        return shapes[0] == shapes[1] and kinds[0] == kinds[1] and struct_in(old.type) == struct_in(new.type)

    def payload(self, old: FieldLayout, new: FieldLayout, subject: str, guards: Guards) -> None:
        """What one property holds. Readers check its length first."""
        walk = self.walk
        self.optional(old.optional, new.optional, subject, guards)
        shapes = element_shape(walk.old, old.type), element_shape(walk.new, new.type)
        texts = type_text(old.type), type_text(new.type)
        names = struct_in(old.type), struct_in(new.type)
        if old.size != new.size:
            self.note("node", subject, (REFUSED, REFUSED), *texts, guards).of_fields(old, new)
        elif shapes[0] != shapes[1]:
            self.note("retyped", subject, (MISREAD, MISREAD), *texts, guards).of_fields(old, new)
        elif names[0] is not None and names[1] is not None:
            walk.push(names[0], names[1], "one", guards)
        for meaning in meanings(old, new):
            draft = Draft.of_meaning(meaning, subject, guards).of_fields(old, new)
            draft.field = new.name
            walk.drafts.append(draft)
        walk.link(old, new, subject, guards)


def _alike(old: NodeLayout, new: NodeLayout) -> bool:
    """Whether two nodes are one under another name: the same compatible, or the same properties."""
    if old.compatible is not None and new.compatible is not None:
        return old.compatible == new.compatible
    names = [{field.name for field in node.properties} for node in (old, new)]
    return bool(names[0]) and names[0] == names[1]


def _node_text(node: NodeLayout) -> str:
    return f"a node {node.name}" + (" that may be absent" if node.optional else " that the reader needs")


def _property_text(field: FieldLayout) -> str:
    return type_text(field.type) + (" that may be absent" if field.optional else " that the reader needs")
