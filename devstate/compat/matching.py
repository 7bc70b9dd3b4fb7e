# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which leaf of one version is which of the other: by path; else by place; else by where it stands among those that are known.

A field that lost its name and one of the same shape at the same place that came without one are one field, renamed. Layouts alone
cannot tell that from a field that was dropped and another that took its place: the finding says so.
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.compat.leaves import shapes_of
from devstate.compat.words import are_alike, union_of
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devstate.compat.leaves import Leaf, Leaves
    from devstate.layout.model import Layout

    Pairing = dict[str, Leaf]
    Same = Callable[[Leaf, Leaf], bool]


@frozen
class Match:
    """``pairs`` (old, new) in the order of the old leaves; ``removed`` and ``inserted`` have no partner. Gaps are in none of them."""

    pairs: tuple[tuple[Leaf, Leaf], ...]
    removed: tuple[Leaf, ...]
    inserted: tuple[Leaf, ...]


def match(old_layout: Layout, old: Leaves, new_layout: Layout, new: Leaves) -> Match:
    """Pair the leaves of two versions of a struct."""
    partner: Pairing = {}
    by_path = {leaf.path: leaf for leaf in new.leaves if leaf.role != "gap"}
    for leaf in old.leaves:
        if leaf.role != "gap" and leaf.path in by_path:
            partner[leaf.path] = by_path[leaf.path]

    def same(one: Leaf, other: Leaf) -> bool:
        one_shape, other_shape = shapes_of(old_layout, one, new_layout, other)
        if one.role != other.role or one_shape != other_shape:
            return False
        if one.path.startswith(f"{other.path}.") or other.path.startswith(f"{one.path}."):
            return False  # a struct that became a union: what stands in place of its first field may be any arm
        leads = [each.field.target is not None for each in (one, other)]
        return leads[0] == leads[1] or are_alike(one.field.name, other.field.name)

    for step in (_by_place, _by_regrouping, _by_neighbours):
        if len(partner) < len(old.leaves) and len(partner) < len(new.leaves):
            partner |= step(old, new, partner, same)
    _part_arms(old, new, partner)
    pairs = tuple([(leaf, partner[leaf.path]) for leaf in old.leaves if leaf.path in partner])
    return Match(pairs, _unpaired(old.leaves, partner), _unpaired(new.leaves, {leaf.path: leaf for _, leaf in pairs}))


def _part_arms(old: Leaves, new: Leaves, partner: Pairing) -> None:
    """Take those apart of which one is a union that took in what stood beside it: ``int a; int b;`` as ``union { int a; int b; }``."""
    alone = [{leaf.field.name for leaf in side} for side in _both_unpaired(old, new, partner)]
    for leaf in old.leaves:
        other = partner.get(leaf.path)
        unions = None if other is None else (union_of(leaf.field.type), union_of(other.field.type))
        if unions is None or (unions[0] is None) == (unions[1] is None):
            continue
        arms = {arm.name for union in unions if union is not None for arm in union.arms}
        if arms & alone[0 if unions[0] is None else 1]:
            del partner[leaf.path]


def _unpaired(leaves: Iterable[Leaf], partner: Pairing) -> tuple[Leaf, ...]:
    return tuple([leaf for leaf in leaves if leaf.role != "gap" and leaf.path not in partner])


def _both_unpaired(old: Leaves, new: Leaves, partner: Pairing) -> tuple[tuple[Leaf, ...], tuple[Leaf, ...]]:
    return _unpaired(old.leaves, partner), _unpaired(new.leaves, {each.path: each for each in partner.values()})


def _by_place(old: Leaves, new: Leaves, partner: Pairing, same: Same) -> Pairing:
    """Renamed: the same bits, read in the same way."""
    left, right = _both_unpaired(old, new, partner)
    at = {leaf.spans: leaf for leaf in right}
    return {leaf.path: at[leaf.spans] for leaf in left if leaf.spans in at and same(leaf, at[leaf.spans])}


def _by_regrouping(old: Leaves, new: Leaves, partner: Pairing, same: Same) -> Pairing:
    """Taken into a struct or out of one: ``count`` and ``file_set.count``."""
    left, right = _both_unpaired(old, new, partner)
    found = {}
    for leaf in left:
        fits = [each for each in right if _inside(leaf.path, each.path) and same(leaf, each)]
        if len(fits) == 1 and sum(_inside(each.path, fits[0].path) for each in left) == 1:
            found[leaf.path] = fits[0]
    return found


def _inside(one: str, other: str) -> bool:
    return one.endswith(f".{other}") or other.endswith(f".{one}")


def _by_neighbours(old: Leaves, new: Leaves, partner: Pairing, same: Same) -> Pairing:
    """Renamed and pushed along: as many without a partner between the same two neighbours, each read as before."""
    runs = _runs(old.leaves, set(partner), lambda leaf: leaf.path)
    back = {leaf.path: path for path, leaf in partner.items()}
    others = _runs(new.leaves, set(back), lambda leaf: back[leaf.path])
    found: Pairing = {}
    for between, run in runs.items():
        other = others.get(between, [])
        if len(run) == len(other) and all(same(one, two) for one, two in zip(run, other, strict=True)):
            found |= {one.path: two for one, two in zip(run, other, strict=True)}
    return found


def _runs(leaves: Iterable[Leaf], paired: set[str], key: Callable[[Leaf], str]) -> dict[tuple[str, str], list[Leaf]]:
    """Runs of leaves without a partner, by the partners of their neighbours (named as in the old version)."""
    runs: dict[tuple[str, str], list[Leaf]] = {}
    run: list[Leaf] = []
    before = ""
    for leaf in leaves:
        if leaf.role == "gap":
            continue
        if leaf.path not in paired:
            run.append(leaf)
            continue
        if run:
            runs[before, key(leaf)] = run
        before, run = key(leaf), []
    if run:
        runs[before, ""] = run
    return runs


def in_order(pairs: Iterable[tuple[Leaf, Leaf]]) -> set[str]:
    """The old paths of a largest set of pairs that kept their order: the others moved."""
    ordered = sorted(pairs, key=lambda pair: pair[0].position)
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, leaf) in enumerate(ordered):
        at = bisect_right(tails, leaf.position)  # what has no bytes stands where the next field stands
        before.append(ends[at - 1] if at else -1)
        tails[at : at + 1], ends[at : at + 1] = [leaf.position], [index]
    kept, index = set(), ends[-1] if ends else -1
    while index >= 0:
        kept.add(ordered[index][0].path)
        index = before[index]
    return kept
