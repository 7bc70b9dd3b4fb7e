# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Building: what is built walks to what was asked for, in every format, and is sound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import EncodeError, UsageError
from devstate.memory.arena import Arena
from devstate.pagetable.build import build, leaf_sizes
from devstate.pagetable.example import guest
from devstate.pagetable.format import (
    ACCESSED,
    COHERENT,
    CONTIGUOUS,
    DIRTY,
    EXECUTE,
    GLOBAL,
    NEXT_LEVEL,
    READ,
    TYPE_SHIFT,
    USER,
    WRITE,
    PageTableFormat,
)
from devstate.pagetable.formats import FORMATS, find_format
from devstate.pagetable.mapping import ALL, Mapping
from devstate.pagetable.table import PageTable
from devstate.pagetable.verify import verify

SAYS = {
    "vtd-second-stage": (READ, WRITE, ACCESSED, DIRTY, COHERENT, 15 << TYPE_SHIFT),
    "vtd-first-stage": (WRITE, EXECUTE, USER, ACCESSED, DIRTY, GLOBAL, 7 << TYPE_SHIFT),
    "amd-v1": (READ, WRITE, USER, ACCESSED, DIRTY, COHERENT),
    "amd-v2": (WRITE, EXECUTE, USER, ACCESSED, DIRTY, GLOBAL, 5 << TYPE_SHIFT),
    "arm-lpae-s1": (WRITE, EXECUTE, USER, ACCESSED, GLOBAL, 3 << TYPE_SHIFT),
    "arm-lpae-s2": (READ, WRITE, EXECUTE, ACCESSED, 9 << TYPE_SHIFT),
    "riscv-64": (READ, WRITE, EXECUTE, USER, ACCESSED, DIRTY, GLOBAL, 2 << TYPE_SHIFT),
}
"""The attributes that a leaf of each format can have or not."""

ALWAYS_READ = ("vtd-first-stage", "amd-v2", "arm-lpae-s1")


@st.composite
def _wanted(draw: st.DrawFn) -> tuple[PageTableFormat, int, str, list[Mapping]]:
    """(format, levels, half of the address space, mappings) that can be: disjoint, of whole granules, some in large aligned pieces."""
    format = draw(st.sampled_from(FORMATS))
    levels = draw(st.integers(max(format.levels[0], 2), format.levels[1]))
    half = draw(st.sampled_from(["lower", "both", "upper"]))
    bits = min(format.shift(levels), 64, format.iova_bits)
    end = 1 << bits - (half == "both")
    far = draw(st.sampled_from([0, 3 << 50])) if format.high else 0
    iova, found = 0, []
    for _ in range(draw(st.integers(1, 8))):
        size = format.granule << draw(st.one_of(st.integers(0, 4), st.integers(0, 20)))
        size += format.granule * draw(st.integers(0, 5))
        align = draw(st.sampled_from([format.granule, 1 << size.bit_length() - 1]))
        iova += draw(st.sampled_from([0, 0, format.granule, 3 << 21, 5 << 30]))
        iova += -iova % align
        if iova + size > end:
            break
        pa = draw(st.integers(0, 1 << 12)) * align + (iova % align) + far
        attributes = sum(bit for bit in SAYS[format.name.removesuffix("-lpa2")] if draw(st.booleans()))
        if format.name.startswith(ALWAYS_READ) or not attributes & (READ | WRITE):
            attributes |= READ
        if format.name == "riscv-64" and attributes & WRITE:
            attributes |= READ
        found.append(Mapping(iova, pa, size, attributes))
        iova += size
    lowest = (1 << 64) - end
    moved = {"lower": [], "both": range(0, len(found), 2), "upper": range(len(found))}[half]
    for n in moved:
        found[n] = Mapping(found[n].iova + lowest, found[n].pa, found[n].size, found[n].attributes)
    return format, levels, half, found


def _joined(mappings: list[Mapping]) -> list[Mapping]:
    """Extents, as a walk gives them."""
    joined: list[Mapping] = []
    for each in sorted(mappings, key=lambda each: each.iova):
        last = joined[-1] if joined else None
        if last and (last.iova + last.size, last.pa + last.size, last.attributes) == (each.iova, each.pa, each.attributes):
            joined[-1] = Mapping(last.iova, last.pa, last.size + each.size, last.attributes)
        else:
            joined.append(each)
    return joined


@settings(max_examples=120, deadline=None)
@given(wanted=_wanted(), runs=st.booleans(), small=st.booleans(), skip=st.booleans(), data=st.data())
def test_what_is_built_is_what_was_asked_for(
    wanted: tuple[PageTableFormat, int, str, list[Mapping]], runs: bool, small: bool, skip: bool, data: st.DataObject
) -> None:
    """With leaves of all sizes, or small ones, in runs or alone, tables that skip levels, tables anywhere: the same mappings, and sound."""
    format, levels, half, mappings = wanted
    largest = format.granule * 600 if small and sum(each.size for each in mappings) < format.granule << 14 else None
    places = data.draw(st.permutations([(n << 20) + (1 << 40) for n in range(12)]))
    built = build(
        Arena(size=1 << 32), format, data.draw(st.permutations(mappings)), levels, sign_extended=half == "both", upper=half == "upper",
        largest=largest, runs=runs, skip=skip and format.flags & NEXT_LEVEL != 0, at=places,
    )  # fmt: skip
    assert places[0] == built.top_table
    assert _joined(mappings) == _joined([Mapping(*each) for each in _fields(built)])
    found = built.walk()  # it may map its own tables, by chance: verify() would mind
    assert () == found.problems
    sizes = {each.size for each in leaf_sizes(format, levels, largest=largest, runs=runs)}
    sizes |= {1 << format.shift(level) for level in range(levels)}
    assert set(found.leaves) <= sizes


def _fields(table: PageTable) -> list[tuple[int, int, int, int]]:
    return [(each.iova, each.pa, each.size, each.attributes) for each in table.extents(ALL & ~CONTIGUOUS)]


def test_the_largest_leaves_that_fit() -> None:
    """Around a 2M boundary that target and iova share, and where they share none."""
    mapping = [Mapping(0x1FF000, 0x405FF000, 0x202000, 3), Mapping(0x800000, 0x1000, 0x200000, 3)]
    built = build(Arena(), "vtd-second-stage", mapping, 3)
    assert {0x1000: 2 + 512, 0x200000: 1} == built.walk().leaves


def test_runs() -> None:
    """A run is one leaf; the hint of LPAE leaves entries as they are, but says so in each."""
    amd = build(Arena(), "amd-v1", [Mapping(0x8000, 0x28000, 0x8000, 3)], 3)
    assert {0x8000: 1} == amd.walk().leaves
    napot = build(Arena(), "riscv-64", [Mapping(0x20000, 0x50000, 0x20000, 3)], 3)
    assert {0x10000: 2} == napot.walk().leaves
    assert {0x1000: 32} == build(Arena(), "riscv-64", [Mapping(0x20000, 0x50000, 0x20000, 3)], 3, runs=False).walk().leaves
    lpae = build(Arena(), "arm-lpae-s2", [Mapping(0x10000, 0x30000, 0x11000, 3)], 3)
    assert {0x1000: 17} == lpae.walk().leaves
    assert [0x10000, 0x1000] == [each.size for each in lpae.extents(ALL)]
    assert [CONTIGUOUS, 0] == [each.attributes & CONTIGUOUS for each in lpae.extents(ALL)]


def test_amd_never_has_512g_in_one_leaf() -> None:
    """Hardware has a bug there."""
    mapping = [Mapping(1 << 39, 1 << 39, 3 << 39, 3)]
    assert {1 << 38: 2, 1 << 40: 1} == build(Arena(), "amd-v1", mapping, 5).walk().leaves


def test_small_and_concatenated_tops() -> None:
    """A top of 32 entries is as aligned as it is large; one of 8 tables is in one piece."""
    small = build(Arena(), "arm-lpae-s2", [Mapping(31 << 39, 1 << 40, 1 << 30, 3)], 4, top_entries=32)
    assert (0, 1) == (small.walk().problem_count, len(small.extents()))
    large = build(Arena(base=0x10001000, size=1 << 28), "arm-lpae-s2", [Mapping(4095 << 30, 1 << 40, 1 << 30, 3)], 3, top_entries=4096)
    assert 0 == large.top_table % (4096 * 8)
    assert [Mapping(4095 << 30, 1 << 40, 1 << 30, 3)] == list(large.extents())


@pytest.mark.parametrize("format", [FORMATS[2], FORMATS[5], FORMATS[6], FORMATS[10]], ids=lambda format: format.label)
def test_the_example_in_several_formats(format: PageTableFormat) -> None:
    """A mixed guest: sound, and as large in all of them."""
    mappings = list(guest(format.granule, seed=7))
    built = build(Arena(), format, mappings, min(format.levels[1], 4))
    verdict = verify(built)
    assert () == verdict.findings
    assert sum(each.size for each in mappings) == verdict.walk.bytes == 6443106304
    assert _joined(mappings) == list(built.extents())


def test_what_cannot_be_built() -> None:
    """EncodeError with the mapping; UsageError for tables that there are not."""

    def refused(text: str, mappings: list[Mapping], name: str = "vtd-second-stage", levels: int = 4, **options: object) -> None:
        with pytest.raises(EncodeError, match=text):
            build(Arena(), name, mappings, levels, **options)  # type: ignore[arg-type]

    page = Mapping(0x1000, 0x1000, 0x1000, 3)
    refused("mapped already", [page, page])
    refused("mapped already", [page, Mapping(0, 1 << 30, 1 << 30, 3)])
    refused("mapped already", [Mapping(0, 1 << 30, 1 << 30, 3), page])
    refused("no leaf is as small", [Mapping(0x1000, 0x1800, 0x1000, 3)])
    refused("no leaf is as small", [Mapping(0x1000, 0x1000, 0x800, 3)])
    refused("cannot reach", [Mapping(1 << 48, 0, 0x1000, 3)])
    refused("cannot reach", [Mapping((1 << 48) - 0x1000, 0, 0x2000, 3)])
    refused("cannot reach", [Mapping(1 << 47, 0, 0x1000, 3)], sign_extended=True)
    refused("cannot reach", [Mapping(1 << 47, 0, 0x1000, 3)], upper=True)
    refused("cannot hold", [Mapping(0, 1 << 52, 0x1000, 3)])
    refused("cannot hold", [Mapping(0, 1 << 48, 0x1000, 3)], "arm-lpae-s1")
    refused("attributes 0x43, of which an entry can say 0x3", [Mapping(0, 0, 0x1000, 3 | COHERENT)], "riscv-64")
    refused("would be none", [Mapping(0, 0, 0x1000, 0)])
    refused("would be none", [Mapping(0, 0, 0x1000, USER)], "riscv-64")
    refused("not where one asks", [Mapping(0, 0, 0x1000, 3 | CONTIGUOUS)], "arm-lpae-s1")
    refused("skip levels", [page], skip=True)
    refused("taken", [page], at=[0x5000, 0x5000])
    with pytest.raises(UsageError, match="levels"):
        build(Arena(), "vtd-second-stage", [page], 7)
    with pytest.raises(EncodeError, match="full"):
        build(Arena(size=0x2000), "vtd-second-stage", [page], 4)


def test_write_only_where_there_is_none() -> None:
    """Reading comes with it, as in the kernel; the formats that have it keep it."""
    for format in (find_format(name) for name in SAYS):
        built = build(Arena(), format, [Mapping(0x4000, 0x8000, 0x1000, WRITE)], 4)
        expected = "w" if format.name in ("vtd-second-stage", "amd-v1", "arm-lpae-s2") else "rw"
        assert [expected] == [each.access for each in built.extents()], format.name
