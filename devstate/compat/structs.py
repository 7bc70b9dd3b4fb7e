# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Compare two versions of one struct: find the causes, and fold into each what only moved because of it.

The leaves that kept their order are walked side by side. Where the distance between the two versions changes, something in between is to
blame: a leaf that came, went, moved or changed its size; where nothing did, the compiler's packing. From there on every leaf that is
off by that distance is folded into the cause, and what is misread there counts for it.
"""

from __future__ import annotations

from bisect import bisect_left

from devstate.compat.leaves import ENDLESS, leaves_of, shapes_of
from devstate.compat.matching import in_order, match
from devstate.compat.reading import Bytes, is_longer_or_shorter, read
from devstate.finding import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.leaves import Leaf
    from devstate.layout.model import Layout, StructLayout

    Pair = tuple[Leaf, Leaf]

SIZE_NEUTRAL = frozenset({"reserved-used", "retyped", "moved", "removed-into-reserved"})
"""Causes that leave the size of their struct alone."""


class Cause:
    """One reason why leaves are elsewhere or otherwise. ``leaves`` are (old, new) with None for what is not there; ``inner`` names the pair
    of structs that is the real cause, for an array or a union whose elements changed."""

    def __init__(self, kind: str, old: Leaf | None, new: Leaf | None, *, inner: tuple[tuple[str, str], ...] = ()) -> None:
        self.kind = kind
        self.leaves = [(old, new)]
        self.inner = inner
        self.folded: list[Pair] = []
        self.read_old = self.read_new = Outcome.OK
        self.grown = False

    @property
    def old(self) -> Leaf | None:
        """The first leaf of the old version."""
        return self.leaves[0][0]

    @property
    def new(self) -> Leaf | None:
        """The first leaf of the new version."""
        return self.leaves[0][1]

    def blame(self, read_old: Outcome, read_new: Outcome) -> None:
        """Count outcomes for this cause."""
        self.read_old, self.read_new = max(self.read_old, read_old), max(self.read_new, read_new)


class Diff:
    """The causes between two versions of a struct that is read in one ``context``: one, element (of an array without
    end), row (of an array of so many), arm (of a union).

    ``sizes`` are the bits that are there in each version when that is not the struct's own size (arms).
    """

    def __init__(
        self, old: tuple[Layout, StructLayout], new: tuple[Layout, StructLayout], context: str, sizes: tuple[int, int] | None = None
    ) -> None:
        self.context = context
        self.old_layout, self.old_struct = old
        self.new_layout, self.new_struct = new
        self.old, self.new = leaves_of(*old), leaves_of(*new)
        self.old_bytes = Bytes(self.old_layout, self.old, sizes and sizes[0])
        self.new_bytes = Bytes(self.new_layout, self.new, sizes and sizes[1])
        self.match = match(self.old_layout, self.old, self.new_layout, self.new)
        kept = in_order([pair for pair in self.match.pairs if "data" in (pair[0].role, pair[1].role)])
        self.row = sorted([pair for pair in self.match.pairs if pair[0].path in kept], key=lambda pair: pair[0].position)
        self.causes: list[Cause] = []
        self.weak: list[Cause] = []
        self.at: dict[int, list[Cause]] = {}
        self.weak_at: dict[int, list[Cause]] = {}
        self.own: dict[int, Cause] = {}
        self.size_cause: Cause | None = None
        self.inner_of: dict[str, tuple[tuple[str, str], ...]] = {}

    def run(self, inner_of: dict[str, tuple[tuple[str, str], ...]]) -> list[Cause]:
        """Every cause, with its outcomes. ``inner_of`` names, by old path, the changed structs inside arrays and unions."""
        self.inner_of = inner_of
        self.find_pairs()
        self.find_unpaired()
        self.fold()
        self.judge_leaves()
        self.judge_size()
        return self.merged()

    # the causes

    def add(self, cause: Cause, *anchors: int, weak: bool = False) -> None:
        """Take in a cause; anchors are the places in the row before which it stands."""
        (self.weak if weak else self.causes).append(cause)
        for anchor in anchors:
            (self.weak_at if weak else self.at).setdefault(anchor, []).append(cause)

    def old_anchor(self, leaf: Leaf) -> int:
        """How many leaves of the row stand before an old leaf."""
        return bisect_left([pair[0].position for pair in self.row], leaf.position)

    def new_anchor(self, leaf: Leaf) -> int:
        """How many leaves of the row stand before a new leaf."""
        return bisect_left([pair[1].position for pair in self.row], leaf.position)

    def find_pairs(self) -> None:
        """Causes in leaves that both versions have."""
        row = {pair[0].path: index for index, pair in enumerate(self.row)}
        for old, new in self.match.pairs:
            index = row.get(old.path)
            kind, inner = self.kind_of(old, new)
            if old.role == new.role == "reserved":
                if old.spans != new.spans:
                    self.add(Cause("resized", old, new), self.old_anchor(old), self.new_anchor(new), weak=True)
            elif index is None and old.role == new.role:
                self.add(Cause("moved", old, new), self.old_anchor(old), self.new_anchor(new))
            elif kind:
                cause = Cause(kind, old, new, inner=inner)
                self.add(cause, *([index + 1] if index is not None else [self.old_anchor(old), self.new_anchor(new)]))
                if index is not None:
                    self.own[index] = cause

    def kind_of(self, old: Leaf, new: Leaf) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What is different in how two leaves are read: a kind, or nothing."""
        shapes = shapes_of(self.old_layout, old, self.new_layout, new)
        sizes = old.end - old.start, new.end - new.start
        if shapes[0] == shapes[1]:
            return ("inner", self.inner_of[old.path]) if sizes[0] != sizes[1] and old.path in self.inner_of else ("", ())
        if old.is_bits or new.is_bits:
            return "bits", ()
        if shapes[0][0] == shapes[1][0] == "union":
            return ("inner", self.inner_of[old.path]) if old.path in self.inner_of else ("union", ())
        if is_longer_or_shorter(self.old_layout, old, self.new_layout, new):
            return "length", ()
        same = shapes[0][0] == shapes[1][0] and shapes[0][0] in ("int", "float")
        return ("resized" if same and sizes[0] != sizes[1] else "retyped"), ()

    def find_unpaired(self) -> None:
        """Causes in leaves that only one version has."""
        old_end = max((leaf.end for leaf in self.old.leaves if leaf.role != "gap"), default=0)
        for leaf in self.match.removed:
            kind = "bits" if self.shares_unit(leaf, self.new_bytes) else "removed"
            kind = "removed-into-reserved" if self.in_reserve(leaf, self.new_bytes) else kind
            self.add(Cause(kind, leaf, None), self.old_anchor(leaf), weak=leaf.role == "reserved")
        for leaf in self.match.inserted:
            behind = self.new_anchor(leaf) == len(self.row) and leaf.start >= old_end
            kind = "bits" if self.shares_unit(leaf, self.old_bytes) else "appended" if behind else "inserted"
            kind = "reserved-used" if self.in_reserve(leaf, self.old_bytes) else kind
            self.add(Cause(kind, None, leaf), self.new_anchor(leaf), weak=leaf.role == "reserved")

    @staticmethod
    def shares_unit(leaf: Leaf, other: Bytes) -> bool:
        """Whether a bit-field takes bits that another one has in the other version."""
        return leaf.is_bits and any(each.is_bits and each.role == "data" for each in other.under(leaf.spans))

    @staticmethod
    def in_reserve(leaf: Leaf, other: Bytes) -> bool:
        """Whether a leaf lies in bytes of the other version that nobody uses: reserved ones, or padding."""
        return leaf.role == "data" and leaf.end <= other.size and all(each.role != "data" for each in other.under(leaf.spans))

    # what moved along

    def fold(self) -> None:
        """Give each leaf that is only off by a distance to the cause of that distance."""
        active: Cause | None = None
        before = 0
        for index, (old, new) in enumerate(self.row):
            distance = new.position - old.position
            if distance != before:
                active = self.blamed(index) or (active if before else None) or self.own.get(index) or self.packing(old, new)
            before = distance
            if distance and active is not None and all(old is not leaf for leaf, _ in active.leaves):
                active.folded.append((old, new))
        if self.old_struct.size != self.new_struct.size:
            self.size_cause = self.sized(len(self.row), active if before else None)

    def sized(self, end: int, active: Cause | None) -> Cause:
        """The cause of another size: what stands at the end, what still has an effect there, else whatever there is."""
        at_end = next((cause for cause in self.at.get(end, []) if cause.kind not in SIZE_NEUTRAL), None)
        found = at_end or active or self.blamed(end)
        anywhere = [cause for cause in reversed(self.causes) if cause.kind not in SIZE_NEUTRAL]
        moved = [cause for cause in self.causes if cause.kind == "moved"]
        return found or next(iter(anywhere + moved), None) or self.packing(None, None)

    def blamed(self, index: int) -> Cause | None:
        """The cause that stands before a place of the row; a weak one becomes a cause when there is no other."""
        strong = [cause for cause in self.at.get(index, []) if cause.kind not in ("retyped", "reserved-used")]
        if strong:
            return strong[0]
        for cause in self.weak_at.get(index, []):
            if cause not in self.causes:
                self.causes.append(cause)
            return cause
        return None

    def packing(self, old: Leaf | None, new: Leaf | None) -> Cause:
        cause = Cause("packing", old, new)
        self.causes.append(cause)
        return cause

    # what it does

    def judge_leaves(self) -> None:
        """Count what every reader's leaf gets for the cause that the leaf belongs to."""
        owner: dict[tuple[str, str], Cause] = {}
        for cause in self.causes:
            for old, new in (*cause.leaves, *cause.folded):
                if old is not None:
                    owner.setdefault(("old", old.path), cause)
                if new is not None:
                    owner.setdefault(("new", new.path), cause)
        to_old = {new.path: old for old, new in self.match.pairs}
        to_new = {old.path: new for old, new in self.match.pairs}
        ignored = (Outcome.OK, Outcome.SHORT) if self.context == "row" else (Outcome.OK,)  # what is behind a row is for the array to say
        for leaf in self.new.leaves:
            got = read(self.new_layout, leaf, to_old.get(leaf.path), self.old_bytes, newer=True)
            if got not in ignored:
                (owner.get(("new", leaf.path)) or self.anyone()).blame(got, Outcome.OK)
        for leaf in self.old.leaves:
            got = read(self.old_layout, leaf, to_new.get(leaf.path), self.new_bytes, newer=False)
            if got not in ignored:
                (owner.get(("old", leaf.path)) or self.anyone()).blame(Outcome.OK, got)

    def anyone(self) -> Cause:
        """The cause of what nothing explains: the first one, or the packing."""
        return self.causes[0] if self.causes else self.packing(None, None)

    def judge_size(self) -> None:
        """A reader that wants more bytes than there are runs behind the end; in an array all elements but the first are misplaced."""
        old, new, cause = self.old_bytes.size, self.new_bytes.size, self.size_cause
        if cause is None or self.context == "arm":
            return
        cause.grown = self.context in ("element", "row")
        if self.context == "element":
            cause.blame(Outcome.MISREAD, Outcome.MISREAD)
        elif self.context == "one" and ENDLESS not in (old, new):
            cause.blame(Outcome.SHORT if new > old else Outcome.OK, Outcome.SHORT if old > new else Outcome.OK)

    def merged(self) -> list[Cause]:
        """The causes, neighbours of one kind taken together: fields that came, went or changed their bits side by side."""
        made: list[Cause] = []
        groups: dict[tuple[object, ...], Cause] = {}
        anchors = {id(cause): index for index, causes in [*self.at.items(), *self.weak_at.items()] for cause in causes}
        for cause in self.causes:
            key = self.group(cause, anchors.get(id(cause)))
            first = groups.get(key) if key is not None else None
            if first is None:
                made.append(cause)
                if key is not None:
                    groups[key] = cause
                continue
            first.leaves += cause.leaves
            first.folded += cause.folded
            first.grown |= cause.grown
            first.blame(cause.read_old, cause.read_new)
        for cause in self.weak:  # reserved fields that came or went beside others belong to them
            first = groups.get(self.group(cause, anchors.get(id(cause))) or ())
            if first is not None and cause not in self.causes:
                first.leaves += cause.leaves
        return made

    @staticmethod
    def group(cause: Cause, anchor: int | None) -> tuple[object, ...] | None:
        """What causes must share to be one."""
        leaf = cause.old or cause.new
        if leaf is None:
            return None
        if cause.kind == "bits":
            return cause.kind, leaf.struct, leaf.field.offset if cause.old is not None else leaf.at
        if cause.kind in ("removed", "inserted", "appended", "reserved-used", "removed-into-reserved"):
            return cause.kind, leaf.struct, anchor
        return None
