# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a field of the reader gets from the bytes of the writer: bit by bit, who wrote what stands where the reader looks.

::

    writer  | pos | size | seals , flags | nr_folios |
    reader  | pos | size | nr_folios     |              nr_folios gets seals and flags: MISREAD
    writer  | pos | size |
    reader  | pos | size | nr_folios     |              nr_folios gets what is behind the end: SHORT

Padding and reserved bytes of the writer are taken to be zero, which is what a new field in their place is made for; a field that the
writer no longer writes, or that stands elsewhere now, is misread there.
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.compat.leaves import ENDLESS, element_shape, innermost, leaves_of, length_of, shapes_of, stride_of, struct_of
from devstate.finding import Outcome
from devstate.layout.model import ArrayType, BytesType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.leaves import Leaf, Leaves, Span
    from devstate.layout.model import Layout


ELEMENTS_MAX = 1024
"""Elements of an array of structs that are looked at one by one: more than a page holds of any published one."""


class Bytes:
    """What a writer wrote: its leaves, and where its bytes end (``size`` in bits; an arm of a union ends where the union does)."""

    def __init__(self, layout: Layout, leaves: Leaves, size: int | None = None) -> None:
        self.layout = layout
        self.size = leaves.size if size is None else size
        self.spans = sorted([(span, leaf) for leaf in leaves.leaves for span in leaf.spans if span[0] < span[1]], key=lambda each: each[0])
        self.starts = [span[0] for span, _ in self.spans]

    def under(self, spans: tuple[Span, ...]) -> list[Leaf]:
        """The leaves that wrote any of these bits, gaps left out, each once, in the order of memory."""
        found: dict[str, Leaf] = {}
        for low, high in spans:
            for span, leaf in self.spans[max(bisect_right(self.starts, low) - 1, 0) :]:
                if span[0] >= high:
                    break
                if span[1] > low and leaf.role != "gap":
                    found[leaf.path] = leaf
        return list(found.values())

    def wrote(self, leaf: Leaf, spans: tuple[Span, ...]) -> bool:
        """Whether any of these bits are data of a leaf: of an array of structs, not what its structs leave unused."""
        struct = struct_of(self.layout, leaf.field.type)
        if struct is None:
            return True
        inner = [each for each in leaves_of(self.layout, struct).leaves if each.role == "data"]
        stride = 8 * max(stride_of(self.layout, leaf.field.type), 1)
        for low, high in spans:
            first = max((low - leaf.start) // stride, 0)
            for base in range(leaf.start + first * stride, min(high, leaf.end), stride):
                if any(base + start < high and base + end > low for each in inner for start, end in each.spans):
                    return True
        return False

    def at(self, spans: tuple[Span, ...], zero_is_fine: bool) -> Outcome:
        """What a reader gets that looks at these bits for something else."""
        wrong = any(leaf.role == "data" and self.wrote(leaf, spans) for leaf in self.under(spans))
        inside = any(low < self.size for low, high in spans if low < high)
        if wrong or (inside and not zero_is_fine):
            return Outcome.MISREAD
        return Outcome.SHORT if any(high > self.size for _, high in spans) else Outcome.OK


def read(layout: Layout, leaf: Leaf, partner: Leaf | None, writer: Bytes, *, newer: bool) -> Outcome:
    """What ``leaf`` of the reader gets; ``partner`` is the same leaf of the writer, ``newer`` whether the reader is the new kernel."""
    if leaf.role != "data":
        return Outcome.OK
    if partner is None:
        return max((writer.at(spans, zero_is_fine=newer) for spans in _looked_at(layout, leaf)), default=Outcome.OK)
    if partner.spans == leaf.spans and _read_alike(layout, leaf, writer.layout, partner):
        return Outcome.OK
    strides = stride_of(layout, leaf.field.type), stride_of(writer.layout, partner.field.type)
    if partner.start == leaf.start and strides[0] != strides[1] and _are_structs(leaf, partner):
        counts = length_of(layout, leaf), length_of(writer.layout, partner)
        lost = None not in counts and counts[0] < counts[1]  # type: ignore[operator]  # both are numbers
        return Outcome.MISREAD if lost else _restrided(layout, leaf, writer, strides, newer=newer)
    if partner.start == leaf.start and is_longer_or_shorter(layout, leaf, writer.layout, partner):
        return _lengthened(layout, leaf, partner, writer, newer=newer)
    same_place = Outcome.MISREAD if partner.start == leaf.start else Outcome.OK
    return max([same_place, *(writer.at(spans, zero_is_fine=False) for spans in _looked_at(layout, leaf))])


def _read_alike(layout: Layout, leaf: Leaf, other: Layout, partner: Leaf) -> bool:
    one, two = shapes_of(layout, leaf, other, partner)
    return one == two


def is_longer_or_shorter(layout: Layout, leaf: Leaf, other: Layout, partner: Leaf) -> bool:
    """Whether two leaves are rows of the same elements (or unions) of different length."""
    one, two = shapes_of(layout, leaf, other, partner)
    if leaf.is_bits or partner.is_bits or one[:-1] != two[:-1]:
        return False
    rows = [each.field.type for each in (leaf, partner)]
    many = any(isinstance(kind, ArrayType | BytesType) for kind in rows) or element_shape(layout, rows[0]) == ("union",)
    return many and length_of(layout, leaf) != length_of(other, partner)


def _lengthened(layout: Layout, leaf: Leaf, partner: Leaf, writer: Bytes, *, newer: bool) -> Outcome:
    longer, shorter = length_of(layout, leaf), length_of(writer.layout, partner)
    if longer is None or shorter is None:
        fixed = shorter if longer is None else longer
        if fixed is not None and fixed <= 1:
            return Outcome.OK  # u32 a[0] and u32 a[1] are how flexible arrays were written once
        return Outcome.SHORT if longer is None else Outcome.MISREAD
    if element_shape(layout, leaf.field.type) == ("union",):
        return Outcome.OK  # what is read of a union is for its arms to say
    if longer < shorter:
        return Outcome.MISREAD
    rest = _looked_at(layout, leaf, partner.end - leaf.start)
    return max((writer.at(spans, zero_is_fine=newer) for spans in rest), default=Outcome.OK)


def _are_structs(leaf: Leaf, partner: Leaf) -> bool:
    return all(isinstance(innermost(each.field.type), StructType) for each in (leaf, partner))


def _restrided(layout: Layout, leaf: Leaf, writer: Bytes, strides: tuple[int, int], *, newer: bool) -> Outcome:
    """An array whose elements have another size: all but the first are elsewhere, and what the first has more is in the second."""
    worst = Outcome.MISREAD if leaf.end == ENDLESS else Outcome.OK
    for spans in _looked_at(layout, leaf):
        first = spans[0][0] < leaf.start + strides[0] * 8
        if not first or spans[-1][1] > leaf.start + strides[1] * 8:
            worst = max(worst, writer.at(spans, zero_is_fine=first and newer))
    return worst


def _looked_at(layout: Layout, leaf: Leaf, behind: int = 0) -> Iterator[tuple[Span, ...]]:
    """The bits that are surely read, each value by itself: of an array with an open end, its first element. ``behind`` skips bits."""
    struct = struct_of(layout, leaf.field.type)
    stride = 8 * max(stride_of(layout, leaf.field.type), 1)
    if struct is None:
        if leaf.end == ENDLESS:
            yield ((leaf.start, leaf.start + stride),)
        else:
            yield ((leaf.start + behind, leaf.end),) if behind else leaf.spans
        return
    inner = [each for each in leaves_of(layout, struct).leaves if each.role == "data"]
    count = min(1 if leaf.end == ENDLESS else (leaf.end - leaf.start) // stride, ELEMENTS_MAX)
    for base in range(leaf.start + behind, leaf.start + count * stride, stride):
        for each in inner:
            yield tuple([(base + low, base + min(high, each.start + stride)) for low, high in each.spans])
