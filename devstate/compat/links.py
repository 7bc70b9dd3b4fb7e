# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What changed about where a field leads, and about the arms of a union."""

from __future__ import annotations

from devstate.compat.leaves import element_shape, innermost
from devstate.compat.meanings import Meaning
from devstate.compat.words import struct_in, target_text, type_text
from devstate.finding import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.layout.model import Arm, Layout, TargetLayout, UnionType

OK, REFUSED, SHORT, MISREAD = Outcome.OK, Outcome.REFUSED, Outcome.SHORT, Outcome.MISREAD

ROWS = frozenset({"contiguous", "blocks", "pages", "vmalloc"})
"""Targets that are rows of elements: the distance between two is the element's size."""


def context_of(target: TargetLayout) -> str:
    """How what stands at the target is read: one, or element."""
    return "element" if target.kind in ROWS else "one"


def target_changes(old_layout: Layout, old: TargetLayout, new_layout: Layout, new: TargetLayout) -> Iterator[Meaning]:
    """What changed about a link that both sides describe. What its structs hold is compared by itself."""
    if old.kind != new.kind:
        yield Meaning("target", MISREAD, MISREAD, f"leads to {target_text(old)}", f"leads to {target_text(new)}")
        return
    if old.element is not None and new.element is not None:
        shapes = element_shape(old_layout, old.element), element_shape(new_layout, new.element)
        if shapes[0] != shapes[1]:
            yield Meaning("target", MISREAD, MISREAD, f"leads to {target_text(old)}", f"leads to {target_text(new)}")
            return
    if old.depth is not None and new.depth is not None and old.depth != new.depth:
        yield Meaning("constant", MISREAD, MISREAD, f"{old.depth} levels", f"{new.depth} levels")
    if old.size is None or new.size is None or old.size == new.size:
        return
    sizes, grown = (f"{old.size} bytes", f"{new.size} bytes"), new.size > old.size
    if old.kind == "chunks":  # each bitmap is read whole
        yield Meaning("length", SHORT if grown else MISREAD, MISREAD if grown else SHORT, *sizes)
    else:
        yield Meaning("limit", OK if grown else REFUSED, REFUSED if grown else OK, f"an area of {sizes[0]}", f"an area of {sizes[1]}")


def union_changes(old_layout: Layout, old: UnionType, new_layout: Layout, new: UnionType) -> Iterator[Meaning]:
    """Arms that came, went, or mean something else. Structs that are the arms of both sides are compared by themselves."""
    unknown = REFUSED if old.tag is not None and new.tag is not None else MISREAD
    pairs = list(arm_pairs(old, new))
    wrong = [pair for pair in pairs if pair[0].value != pair[1].value and None not in (pair[0].value, pair[1].value)]
    wrong += [pair for pair in pairs if pair not in wrong and not _alike(old_layout, pair[0], new_layout, pair[1])]
    if wrong:
        was, now = (", ".join(f"{arm.name} ({_arm_text(arm)})" for arm in side) for side in zip(*wrong, strict=True))
        yield Meaning("union", MISREAD, MISREAD, was, now)
    gone = [arm for arm in old.arms if all(arm is not pair[0] for pair in pairs)]
    come = [arm for arm in new.arms if all(arm is not pair[1] for pair in pairs)]
    if gone:
        yield Meaning("union", unknown, OK, ", ".join(f"{arm.name} ({_arm_text(arm)})" for arm in gone), "no such arm")
    if come:
        yield Meaning("union", OK, unknown, "no such arm", ", ".join(f"{arm.name} ({_arm_text(arm)})" for arm in come))


def arm_pairs(old: UnionType, new: UnionType) -> Iterator[tuple[Arm, Arm]]:
    """The arms that are one: by name; then those that only lost their name, by the value of the tag or, without one, by their type."""
    by_name = {arm.name: arm for arm in new.arms}
    names = {arm.name for arm in old.arms}
    left = [arm for arm in new.arms if arm.name not in names]
    for arm in old.arms:
        other = by_name.get(arm.name)
        if other is None:
            fits = [each for each in left if each.value == arm.value and (arm.value is not None or each.type == arm.type)]
            other = fits[0] if fits else None
        if other is not None:
            left = [each for each in left if each is not other]
            yield arm, other


def _alike(old_layout: Layout, old: Arm, new_layout: Layout, new: Arm) -> bool:
    both = struct_in(old.type) is not None and struct_in(new.type) is not None
    same = element_shape(old_layout, old.type) == element_shape(new_layout, new.type)
    return same and (both or old_layout.size_of(old.type) == new_layout.size_of(new.type))


def _arm_text(arm: Arm) -> str:
    tag = "" if arm.value is None else f"tag {arm.value}: "
    return f"{tag}{type_text(innermost(arm.type))}"
