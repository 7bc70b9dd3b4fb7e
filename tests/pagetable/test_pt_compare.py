# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Comparing two trees of tables, against a comparison page by page."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.frozen import values
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.compare import KINDS, Comparison, Difference, compare, compare_mappings
from devstate.pagetable.format import ACCESSED, COHERENT, DIRTY, READ, WRITE
from devstate.pagetable.mapping import Mapping, columns
from devstate.pagetable.table import PageTable

PAGE = 4096
WORLD = 40
"""Pages of the address space in these tests."""


def slowly(old: list[Mapping], new: list[Mapping]) -> list[Difference]:
    """The same, one page at a time."""
    sides = []
    for mappings in (old, new):
        side: dict[int, tuple[int, int]] = {}
        for each in mappings:
            for offset in range(0, each.size, PAGE):
                side[each.iova + offset] = each.pa + offset, each.attributes
        sides.append(side)
    found: list[Difference] = []
    for iova in sorted({*sides[0], *sides[1]}):
        (old_pa, old_bits), (new_pa, new_bits) = (side.get(iova, (None, None)) for side in sides)
        if old_pa is None:
            kind = "only-new"
        elif new_pa is None:
            kind = "only-old"
        elif old_pa != new_pa:
            kind = "target"
        elif old_bits == new_bits:
            continue
        else:
            assert old_bits is not None and new_bits is not None
            kind = "touched" if not (old_bits ^ new_bits) & ~(ACCESSED | DIRTY) else "attributes"
        this = Difference(kind, iova, PAGE, old_pa, old_bits, new_pa, new_bits)
        if found and _goes_on(found[-1], this):
            last = found.pop()
            this = Difference(kind, last.iova, last.size + PAGE, last.old_pa, old_bits, last.new_pa, new_bits)
        found.append(this)
    return found


def _goes_on(last: Difference, this: Difference) -> bool:
    def follows(before: int | None, after: int | None) -> bool:
        return before == after if before is None or after is None else before + last.size == after

    same = (last.kind, last.old_attributes, last.new_attributes) == (this.kind, this.old_attributes, this.new_attributes)
    return same and last.iova + last.size == this.iova and follows(last.old_pa, this.old_pa) and follows(last.new_pa, this.new_pa)


def listed(comparison: Comparison) -> list[Difference]:
    """All of them."""
    return list(comparison)


@st.composite
def _mappings(draw: st.DrawFn, base: int) -> list[Mapping]:
    found, page = [], 0
    while page < WORLD:
        page += draw(st.integers(0, 4))
        pages = draw(st.integers(1, 8))
        target = draw(st.sampled_from([0x100 + page, 0x100 + page, 0x200 + page, draw(st.integers(0, 64))])) * PAGE
        access = READ | WRITE
        attributes = draw(st.sampled_from([access, access, READ, access | DIRTY, access | ACCESSED, READ | COHERENT]))
        found.append(Mapping(base + page * PAGE, target, pages * PAGE, attributes))
        page += pages
    return found


@settings(max_examples=200, deadline=None)
@given(data=st.data(), base=st.sampled_from([0, 1 << 47, (1 << 64) - 64 * PAGE]))
def test_equals_page_by_page(data: st.DataObject, base: int) -> None:
    """Extents, kinds, totals; also at the very end of the address space."""
    old, new = data.draw(_mappings(base)), data.draw(_mappings(base))
    comparison = compare_mappings(*(columns(map(values, mappings)) for mappings in (old, new)))
    expected = slowly(old, new)
    assert expected == listed(comparison)
    totals = {kind: sum(each.size for each in expected if each.kind == kind) for kind in KINDS}
    assert {kind: size for kind, size in totals.items() if size} == comparison.totals


def table_of(mappings: list[Mapping], format: str = "vtd-second-stage", **options: bool) -> PageTable:
    """Tables that map these."""
    return build(Arena(), format, mappings, 4, **options)  # type: ignore[arg-type]


def test_leaf_sizes_and_levels_do_not_matter() -> None:
    """The same mapping in large and in small leaves, with five levels or four, is the same."""
    mappings = [Mapping(0x200000, 0x40200000, 0x400000, 3)]
    small = build(Arena(), "vtd-second-stage", mappings, 5, largest=4096)
    assert [] == listed(compare(table_of(mappings), small))


def test_formats_are_compared_by_access_alone() -> None:
    """Unless one asks for more."""
    first = table_of([Mapping(0, 0x1000, 0x2000, READ | WRITE | COHERENT)])
    second = table_of([Mapping(0, 0x1000, 0x1000, READ | WRITE), Mapping(0x1000, 0x2000, 0x1000, READ)], "riscv-64")
    assert [Difference("attributes", 0x1000, 0x1000, 0x2000, 3, 0x2000, 1)] == listed(compare(first, second))
    assert {"attributes": 0x2000} == compare(first, second, READ | WRITE | COHERENT).totals


def test_nothing_to_compare() -> None:
    """Empty tables on either side, or on both."""
    empty, some = table_of([]), table_of([Mapping(0, 0x1000, 0x1000, 3)])
    assert [] == listed(compare(empty, empty))
    assert [Difference("only-new", 0, 0x1000, None, None, 0x1000, 3)] == listed(compare(empty, some))
    assert [Difference("only-old", 0, 0x1000, 0x1000, 3, None, None)] == listed(compare(some, empty))


@pytest.mark.parametrize("bit", [8, 9, 10])
def test_the_hardware_notes_accessed_and_dirty(bit: int) -> None:
    """Bits 8 and 9 of VT-d are just touched; a software bit is no difference at all."""
    arenas = [Arena(), Arena()]
    tables = [build(arena, "vtd-second-stage", [Mapping(0, 0x1000, 0x3000, 3)], 3) for arena in arenas]
    [leaves] = tables[1].table_pages()[0]
    arenas[1].span(leaves + 8, 8)[bit // 8] |= 1 << bit % 8
    expected = [("touched", 0x1000, 0x1000)] if bit < 10 else []
    assert expected == [(each.kind, each.iova, each.size) for each in listed(compare(*tables))]
