# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""compare: two layouts to the changes between them, in one environment. Pure: the same layouts give the same changes.

The walk starts at the roots and follows what both sides have: embedded structs in place, elements of arrays by their stride, links to
what they lead to. Structs of one name that nothing leads to are compared too; what only one side has is listed, and is no change.
"""

from __future__ import annotations

from devstate.compat.change import Change, Comparison, Guard
from devstate.compat.draft import Draft, drafts_of_causes, drafts_of_pairs
from devstate.compat.leaves import count_of, innermost
from devstate.compat.links import arm_pairs, context_of, target_changes
from devstate.compat.maps import compare_maps
from devstate.compat.meanings import numbers
from devstate.compat.nodes import Nodes
from devstate.compat.structs import Diff
from devstate.compat.versions import version_of
from devstate.compat.words import struct_in, union_of
from devstate.finding import Outcome
from devstate.frozen import frozen
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import FieldLayout, Layout, TypeLayout

    Guards = tuple[Guard, ...]
    Names = tuple[str, str]


@frozen
class Unit:
    """A pair of structs to compare, how they are read, and the versions on the way; ``sizes`` are the bits of a union around them."""

    old: str
    new: str
    context: str
    guards: tuple[Guard, ...]
    sizes: tuple[int, int] | None = None


def compare(old: Layout, new: Layout, *, ancestors: tuple[Layout, ...] = (), supported: frozenset[str] = frozenset()) -> Comparison:
    """Everything that changed from ``old`` to ``new``. LimitError or DecodeError for layouts that no compiler could lay out."""
    walk = Walk(old, new)
    walk.run()
    changes = tuple([draft.change() for draft in walk.finished()])
    left = [{struct.name for struct in side.structs} for side in (old, new)]
    only_old = tuple(sorted(left[0] - left[1] - walk.reached[0]))
    only_new = tuple(sorted(left[1] - left[0] - walk.reached[1]))
    return Comparison(old, new, changes, new.environment, tuple(walk.guards), ancestors, only_old, only_new, supported)


class Walk:
    """One run of :func:`compare`."""

    def __init__(self, old: Layout, new: Layout) -> None:
        self.old, self.new = old, new
        self.old_structs = {struct.name: struct for struct in old.structs}
        self.new_structs = {struct.name: struct for struct in new.structs}
        self.root = Guard("", version_of(old), version_of(new))
        self.guards: list[Guard] = [self.root]
        self.drafts: list[Draft] = []
        self.by_pair: dict[Names, list[Draft]] = {}
        self.queue: list[Unit] = []
        self.seen: set[tuple[Names, str, Guards]] = set()
        self.reached: tuple[set[str], set[str]] = (set(), set())

    def run(self) -> None:
        """Fill ``drafts``."""
        old, new, guards = self.old.root, self.new.root, (self.root,)
        if "tagged" in (self.old.encoding, self.new.encoding):
            compare_maps(self)
        elif isinstance(old, NodeLayout) and isinstance(new, NodeLayout):
            Nodes(self).run(old, new, guards)
        elif isinstance(old, str) and isinstance(new, str):
            self.push(old, new, "one", guards)
        else:
            self.drafts.append(self.encoding(guards))
        self.drain()
        for struct in reversed(self.old.structs):  # outermost first: what they lead to is then known
            if struct.name in self.new_structs and struct.name not in self.reached[0] and struct.name not in self.reached[1]:
                self.push(struct.name, struct.name, "one", guards)
                self.drain()
        for kind, before, after in (("limit", self.old.limits, self.new.limits), ("constant", self.old.constants, self.new.constants)):
            for name, meaning in numbers(kind, before, after):
                self.drafts.append(Draft.of_meaning(meaning, f"{self.new.name}.{name}", guards))

    def finished(self) -> list[Draft]:
        """The drafts, arrays and unions resolved into what changed inside them, each change once."""
        made: dict[tuple[str, str], Draft] = {}
        for draft in self.drafts:
            inner = [each for pair in draft.inner for each in self.by_pair.get(pair, []) if each.grows]
            for each in inner:
                each.take_in(draft)
            if inner:
                continue
            key = (draft.kind, draft.subject)
            if key in made:
                made[key].take_in(draft)
            else:
                made[key] = draft
        return list(made.values())

    def encoding(self, guards: Guards) -> Draft:
        """A devicetree became a struct, or the other way round. A struct that starts with its version is told from anything else by it."""
        outcomes = [
            Outcome.REFUSED if isinstance(reader.root, NodeLayout) or reader.carrier.startswith("field:") else Outcome.MISREAD
            for reader in (self.new, self.old)
        ]
        words = ["a devicetree" if isinstance(side.root, NodeLayout) else f"struct {side.root}" for side in (self.old, self.new)]
        return Draft("encoding", self.new.name, outcomes[0], outcomes[1], words[0], words[1], guards)

    def push(self, old: str, new: str, context: str, guards: Guards, sizes: tuple[int, int] | None = None) -> None:
        """Have a pair of structs compared."""
        key = ((old, new), context, guards)
        if key in self.seen or old not in self.old_structs or new not in self.new_structs:
            return
        self.seen.add(key)
        self.queue.append(Unit(old, new, context, guards, sizes))

    def drain(self) -> None:
        """Compare everything that waits."""
        while self.queue:
            self.compare_structs(self.queue.pop())

    def compare_structs(self, unit: Unit) -> None:
        """The changes of one pair of structs."""
        old, new = self.old_structs[unit.old], self.new_structs[unit.new]
        diff = Diff((self.old, old), (self.new, new), unit.context, unit.sizes)
        for side, leaves in zip(self.reached, (diff.old, diff.new), strict=True):
            side.add(leaves.struct.name)
            side.update(owner for leaf in leaves.leaves for owner in leaf.owners)
        if not diff.match.pairs and unit.old != unit.new and diff.match.removed and diff.match.inserted:
            wrong = Draft("target", unit.new, Outcome.MISREAD, Outcome.MISREAD, f"struct {unit.old}", f"struct {unit.new}", unit.guards)
            self.drafts.append(wrong.at(unit.new, None, unit.old, unit.new, unit.context))
            return
        inner_of = {}
        for before, after in diff.match.pairs:
            names = self.inner(before.field.type, after.field.type, unit.guards)
            if names:
                inner_of[before.path] = names
        made = list(drafts_of_causes(diff, diff.run(inner_of), unit, self.carrier))
        made += list(drafts_of_pairs(diff, unit, self.version_field()))
        self.drafts += made
        self.by_pair.setdefault((unit.old, unit.new), []).extend(made)
        self.follow_links(diff, unit)

    def carrier(self, side: str, struct: str, path: str) -> bool:
        """Whether a field of the root struct carries the version."""
        layout = self.old if side == "old" else self.new
        return struct == layout.root and layout.carrier == f"field:{path}"

    def version_field(self) -> frozenset[str]:
        """The fields whose value is the version: that it changes is the point of it."""
        return frozenset(layout.version[0] for layout in (self.old, self.new) if layout.version is not None)

    def inner(self, old: TypeLayout, new: TypeLayout, guards: Guards) -> tuple[Names, ...]:
        """Have the structs compared that are elements of an array or arms of a union; those whose size changed."""
        unions = union_of(old), union_of(new)
        pairs: list[tuple[TypeLayout, TypeLayout]] = []
        context, sizes = "element" if None in (count_of(old), count_of(new)) else "row", None
        if unions[0] is not None and unions[1] is not None:
            context, sizes = "arm", (unions[0].size * 8, unions[1].size * 8)
            pairs = [(one.type, other.type) for one, other in arm_pairs(unions[0], unions[1])]
        elif innermost(old) is not old and innermost(new) is not new:
            pairs = [(old, new)]
        changed = []
        for one, other in pairs:
            names = struct_in(one), struct_in(other)
            if names[0] is None or names[1] is None:
                continue
            self.push(names[0], names[1], context, guards, sizes)
            known = self.old_structs.get(names[0]), self.new_structs.get(names[1])
            if known[0] is not None and known[1] is not None and known[0].size != known[1].size:
                changed.append((names[0], names[1]))
        return tuple(changed)

    def follow_links(self, diff: Diff, unit: Unit) -> None:
        """Compare what fields lead to."""
        renamed = {old.path: new.path for old, new in diff.match.pairs}
        after = {path: (owner, field) for path, owner, field in diff.new.links}
        for path, _, field in diff.old.links:
            owner, other = after.get(renamed.get(path, path), ("", None))
            if other is not None:
                self.link(field, other, f"{owner}.{other.name}", unit.guards, (unit.old, unit.new, unit.context))

    def link(self, old: FieldLayout, new: FieldLayout, subject: str, guards: Guards, where: tuple[str, str, str] | None = None) -> None:
        """Compare two links, and have the structs compared that they lead to."""
        if old.target is None or new.target is None or "kernel" in (old.target.kind, new.target.kind):
            return
        wrong = False
        for meaning in target_changes(self.old, old.target, self.new, new.target):
            draft = Draft.of_meaning(meaning, subject, guards).of_fields(old, new)
            self.drafts.append(draft.at(subject.rpartition(".")[0], new.name, *where) if where else draft)
            wrong |= meaning.kind == "target"
        names = struct_in(old.target.element), struct_in(new.target.element)
        if not wrong and names[0] is not None and names[1] is not None:
            self.push(names[0], names[1], context_of(old.target), guards)


__all__ = ["Change", "Comparison", "compare"]
