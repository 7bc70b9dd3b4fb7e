# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whether the links of two layouts lead to memory of the same form, so that an address means the same in both."""

from __future__ import annotations

from devstate.frozen import values
from devstate.layout.model import ArrayType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import FieldLayout, Layout, TypeLayout

    Pairs = list[tuple[str, str]]

_BY_NAME = ("handle", "token", "opaque", "kernel")
"""Links whose meaning is not the layout's to say."""


def is_alike(one_layout: Layout, one: FieldLayout, other_layout: Layout, other: FieldLayout) -> bool:
    """Whether an address (or a list of pages) in ``one`` can stand in ``other``; True for fields that are no links."""
    pairs: Pairs = []
    if not _same_target(one, other, pairs):
        return False
    for pair in pairs:  # grows while it is walked; no pair stands in it twice
        was, now = one_layout.struct(pair[0]).fields, other_layout.struct(pair[1]).fields
        if len(was) != len(now) or not all(_same_field(each, twin, pairs) for each, twin in zip(was, now, strict=True)):
            return False
    return True


def _same_target(one: FieldLayout, other: FieldLayout, pairs: Pairs) -> bool:
    was, now = one.target, other.target
    if was is None or now is None:
        return was is now
    if was.kind != now.kind:
        return False
    if was.kind in _BY_NAME:
        return True
    if (was.size, was.depth, was.element is None) != (now.size, now.depth, now.element is None):
        return False
    return was.element is None or now.element is None or _same_type(was.element, now.element, pairs)


def _same_field(one: FieldLayout, other: FieldLayout, pairs: Pairs) -> bool:
    """Same name, place and meaning; what is said about them besides is no matter."""
    was, now = ((each.name, each.offset, each.size, each.shift, each.width, each.kind, each.names, each.must) for each in (one, other))
    return was == now and _same_type(one.type, other.type, pairs) and _same_target(one, other, pairs)


def _same_type(one: TypeLayout, other: TypeLayout, pairs: Pairs) -> bool:
    while isinstance(one, ArrayType) and isinstance(other, ArrayType):
        if (one.stride, one.count, one.counted_by) != (other.stride, other.count, other.counted_by):
            return False
        one, other = one.element, other.element
    if isinstance(one, StructType) and isinstance(other, StructType):
        pair = (one.struct, other.struct)
        if pair not in pairs:
            pairs.append(pair)
        return True
    if isinstance(one, UnionType) and isinstance(other, UnionType):
        arms = list(zip(one.arms, other.arms, strict=False))
        shape = (one.size, one.tag, len(one.arms)) == (other.size, other.tag, len(other.arms))
        return shape and all(a.value == b.value and _same_type(a.type, b.type, pairs) for a, b in arms)
    return type(one) is type(other) and values(one) == values(other)
