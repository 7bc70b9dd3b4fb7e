# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3 tables in the forms that no captured machine had, written word by word from the specification."""

from __future__ import annotations

import pytest
from units import SOME, Tables, device, mapped, rules, shape

from devstate.handover.iommu.model import Unit
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping

SID = 0x105
LINEAR = 10
"""STRTAB_BASE_CFG of a linear table of 1024 streams."""

TWO_LEVELS = 1 << 16 | 8 << 6 | 16

VALID, AA64 = 1 << 31, 1 << 41
EPD0, EPD1 = 1 << 14, 1 << 30


def linear(*words: int, tables: Tables | None = None) -> Unit:
    """A unit with a linear table in which one entry is not zero."""
    made = tables or Tables()
    root = made.page(16)
    made.words(root + 64 * SID, *words)
    return made.unit("smmuv3", root, STRTAB_BASE_CFG=LINEAR)


def context(top: int, t0sz: int, tg0: int = 0, asid: int = 7, more: int = EPD1) -> tuple[int, int]:
    """The first words of a context with tables of the lower half."""
    return t0sz | tg0 << 6 | VALID | AA64 | asid << 48 | more, top


@pytest.mark.parametrize(
    ("words", "translation", "format"),
    [((1,), None, "abort"), ((9,), "pass-through", "bypass"), ((8,), None, "abort"), ((3,), None, "abort")],
)
def test_entries_without_tables(words: tuple[int, ...], translation: str | None, format: str) -> None:
    """0x1 aborts, 0x9 bypasses; what is not valid aborts, and so do configurations below 4."""
    unit = linear(*words)
    if translation is None:
        assert [("blocked", format, SID, 1)] == [(run.translation, run.format, run.source_id, run.count) for run in unit.runs]
    else:
        assert (translation, format, 0, 0) == shape(device(unit, SID))
    assert ("stream table linear", []) == (unit.mode, rules(unit))


@pytest.mark.parametrize(
    ("t0sz", "tg0", "levels", "granule"),
    [
        (16, 0, 4, 4096), (25, 0, 3, 4096), (24, 0, 4, 4096), (34, 0, 2, 4096), (16, 2, 4, 16384), (17, 2, 3, 16384), (28, 2, 2, 16384),
        (12, 1, 3, 65536), (16, 1, 3, 65536), (22, 1, 2, 65536), (28, 1, 2, 65536),
    ],
)  # fmt: skip
def test_stage_1(t0sz: int, tg0: int, levels: int, granule: int) -> None:
    """Levels and the size of the top table go by the input bits and the granule."""
    tables = Tables()
    some = [Mapping(0, 1 << 24, granule, 3), Mapping((1 << min(64 - t0sz, 48)) - granule, 1 << 30, granule, 1)]
    shift, index_bits = granule.bit_length() - 1, granule.bit_length() - 4
    top_entries = 1 << (64 - t0sz - shift - (levels - 1) * index_bits)
    top = tables.top("arm-lpae-s1", levels, some, granule=granule, top_entries=top_entries)
    cd = tables.page()
    tables.words(cd, *context(top, t0sz, tg0))
    unit = linear(cd | 5 << 1 | 1, 2, tables=tables)
    found = device(unit, SID)
    assert ("first-stage", "arm-lpae-s1", levels, 7) == shape(found)
    expected = {"sid": SID, "config": 5, "cd_table": cd, "cd_pa": cd, "t0sz": t0sz, "tg0": tg0, "s1cdmax": 0, "s1fmt": 0}
    assert (cd | 11, 2, 0, 0) == dict(found.details)["ste"]
    assert expected.items() <= dict(found.details).items()
    assert (some, top_entries) == (mapped(unit), unit.domains[0].stage.table.top_entries)
    assert [] == rules(unit, tables=True)


@pytest.mark.parametrize(
    ("t0sz", "sl0", "tg", "levels", "granule"),
    [
        (20, 2, 0, 4, 4096), (16, 2, 0, 4, 4096), (24, 1, 0, 3, 4096), (22, 1, 0, 3, 4096), (34, 0, 0, 2, 4096), (30, 0, 0, 2, 4096),
        (17, 2, 2, 3, 16384), (24, 1, 2, 2, 16384), (16, 2, 1, 3, 65536), (24, 1, 1, 2, 65536), (12, 2, 1, 3, 65536),
        (39, 3, 0, 1, 4096), (39, 0, 2, 1, 16384), (16, 3, 2, 4, 16384), (35, 0, 1, 1, 65536),
    ],
)  # fmt: skip
def test_stage_2(t0sz: int, sl0: int, tg: int, levels: int, granule: int) -> None:
    """Levels go by sl0 and the granule; tops of several tables."""
    tables = Tables()
    some = [Mapping(0, 1 << 24, granule, 3), Mapping((1 << min(64 - t0sz, 48)) - granule, 1 << 30, granule, 1)]
    shift, index_bits = granule.bit_length() - 1, granule.bit_length() - 4
    top_entries = 1 << (64 - t0sz - shift - (levels - 1) * index_bits)
    top = tables.top("arm-lpae-s2", levels, some, granule=granule, top_entries=top_entries)
    unit = linear(6 << 1 | 1, 0, 3 | t0sz << 32 | sl0 << 38 | tg << 46 | 1 << 51, top, tables=tables)
    found = device(unit, SID)
    assert ("second-stage", "arm-lpae-s2", levels, 3) == shape(found)
    assert {"vmid": 3, "s2ttb": top, "s2t0sz": t0sz, "s2tg": tg, "s2sl0": sl0}.items() <= dict(found.details).items()
    assert (some, top_entries) == (mapped(unit), unit.domains[0].stage.table.top_entries)
    assert [] == rules(unit, tables=True)


def test_52_bits_of_small_granules() -> None:
    """Only tables of the LPA2 form have them."""
    tables = Tables()
    top = tables.top("arm-lpae-s1-lpa2", 5, [Mapping(1 << 50, 1 << 49, 4096, 3)])
    cd = tables.page()
    tables.words(cd, *context(top, 12))
    unit = linear(cd | 5 << 1 | 1, 2, tables=tables)
    assert ("first-stage", "arm-lpae-s1", 5, 7) == shape(device(unit, SID))
    assert [Mapping(1 << 50, 1 << 49, 4096, 3)] == mapped(unit)


@pytest.mark.parametrize(("more", "count"), [(EPD1, 1), (0, 2), (EPD0, 1), (EPD0 | EPD1, 0)])
def test_halves(more: int, count: int) -> None:
    """Lower and upper half, each there or not; iovas of the upper one begin with ones."""
    tables = Tables()
    low, high = tables.top("arm-lpae-s1", 4), tables.top("arm-lpae-s1", 3, [Mapping(0x5000, 0x9000, 4096, 3)])
    cd = tables.page()
    tables.words(cd, context(low, 16, more=more)[0] | 25 << 16 | 2 << 22, low, high)
    unit = linear(cd | 5 << 1 | 1, 2, tables=tables)
    assert count == len(device(unit, SID).stages) == len(unit.domains)
    if more != EPD0 | EPD1:
        upper = [mapped(unit, number) for number, each in enumerate(unit.domains) if each.stage.table.upper]
        assert ([] if more == EPD1 else [[Mapping((1 << 64) - (1 << 39) + 0x5000, 0x9000, 4096, 3)]]) == upper
    assert [] == rules(unit)


def test_both_halves_may_have_the_same_tables() -> None:
    """They are two domains: what is mapped is mapped at two places."""
    tables = Tables()
    top, cd = tables.top("arm-lpae-s1", 4), tables.page()
    tables.words(cd, context(top, 16, more=0)[0] | 16 << 16 | 2 << 22, top, top)
    unit = linear(cd | 5 << 1 | 1, 2, tables=tables)
    assert [False, True] == [each.stage.table.upper for each in unit.domains]


def contexts(form: int, bits: int, pasids: list[int]) -> Unit:
    """A stream with 2^bits contexts, of which these are valid, each with tables of its own."""
    tables = Tables()
    below = {0: bits, 1: 6, 2: 10}[form]
    root = tables.page(max((64 << bits) >> 12, 1) if form == 0 else 64, align=1 << 18)
    for pasid in pasids:
        top, level2 = tables.top("arm-lpae-s1", 4), root
        if form:
            level2 = tables.page(16)
            tables.words(root + 8 * (pasid >> below), level2 | 1)
        tables.words(level2 + 64 * (pasid & (1 << below) - 1), *context(top, 16, asid=pasid & 0xFFFF))
    return linear(root | form << 4 | 5 << 1 | 1 | bits << 59, 2, tables=tables)


@pytest.mark.parametrize(
    ("form", "bits", "pasids"),
    [(0, 0, [0]), (0, 4, [0, 3, 15]), (1, 10, [0, 64, 1023]), (2, 10, [5]), (2, 20, [0, 0x400, 0xFFFFF]), (1, 3, [7]), (2, 5, [31])],
)
def test_contexts(form: int, bits: int, pasids: list[int]) -> None:
    """One, linear, two levels of 4K or 64K; the last is where it should be."""
    unit = contexts(form, bits, pasids)
    assert pasids == [each.pasid for each in unit.devices]
    assert [(form, bits)] * len(pasids) == [(dict(each.details)["s1fmt"], dict(each.details)["s1cdmax"]) for each in unit.devices]
    assert [] == rules(unit)


@pytest.mark.parametrize("form", [0, 1, 2])
def test_one_context_is_never_in_two_levels(form: int) -> None:
    """Whatever the form says."""
    tables = Tables()
    cd = tables.page()
    tables.words(cd, *context(tables.top("arm-lpae-s1", 4), 16))
    unit = linear(cd | form << 4 | 5 << 1 | 1, 2, tables=tables)
    assert (cd, []) == (dict(device(unit, SID).details)["cd_pa"], rules(unit))


def test_requests_without_a_substream_may_bypass() -> None:
    """Beside the contexts, which then are for requests with a PASID alone."""
    tables = Tables()
    cds = tables.page()
    tables.words(cds + 64, *context(tables.top("arm-lpae-s1", 4), 16))
    unit = linear(cds | 5 << 1 | 1 | 2 << 59, 1, tables=tables)
    assert [(0, "bypass"), (1, "arm-lpae-s1")] == [(each.pasid, each.format) for each in unit.devices]


def test_nested() -> None:
    """Contexts and tables of stage 1 are at the guest's addresses."""
    guest = Arena(0x4000_0000, 1 << 20)
    cds = guest.alloc()
    table = build(guest, "arm-lpae-s1", SOME, 4)
    guest.write(cds, b"".join(word.to_bytes(8, "little") for word in context(table.top_table, 16)))
    tables, host = Tables(), []
    for region in guest.view().regions:
        for at in range(region.start, region.end, 4096):
            copy = tables.page(2)
            tables.arena.write(copy, region.data[at - region.start : at - region.start + 4096])
            host.append(Mapping(at, copy, 4096, 3))
    second = tables.top("arm-lpae-s2", 3, host)
    unit = linear(cds | 7 << 1 | 1, 2, 3 | 25 << 32 | 1 << 38 | 1 << 51, second, tables=tables)
    found = device(unit, SID)
    assert ("nested", "arm-lpae-s1", 4, 7) == shape(found)
    assert [(7, table.top_table), (3, second)] == [(stage.domain_id, stage.table.top_table) for stage in found.stages]
    assert list(SOME) == mapped(unit)
    assert [] == rules(unit)


@pytest.mark.parametrize(("span", "count"), [(1, 1), (5, 16), (9, 256)])
def test_two_levels(span: int, count: int) -> None:
    """A second level has 2^(span - 1) entries; a stream id has the first level's index above it."""
    tables = Tables()
    root, level2 = tables.page(), tables.page(4)
    tables.words(root + 8 * 3, level2 | span)
    for number in range(256):
        tables.words(level2 + 64 * number, 1)
    unit = tables.unit("smmuv3", root, STRTAB_BASE_CFG=TWO_LEVELS)
    assert [(0x300, count)] == [(run.source_id, run.count) for run in unit.runs]
    assert ("stream table 2-level split 8", []) == (unit.mode, rules(unit))


def test_levels_that_are_wrong() -> None:
    """A span beyond the split; reserved bits; a table that is not there; a form and a size that there are not."""
    tables = Tables()
    root, level2 = tables.page(), tables.page(8)
    tables.words(root, level2 | 10, level2 | 9 | 1 << 5, 0x7000000 | 9)
    unit = tables.unit("smmuv3", root, STRTAB_BASE_CFG=TWO_LEVELS)
    assert ["iommu-reserved-bits", "iommu-entry-value", "iommu-table-not-in-memory"] == rules(unit)
    unit = tables.unit("smmuv3", root, STRTAB_BASE_CFG=2 << 16 | 33)
    assert ["iommu-entry-value", "iommu-entry-value"] == rules(unit)[:2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((0x1000 | 3 << 4 | 5 << 1 | 1, 2), "iommu-entry-value"),
        ((6 << 1 | 1, 0, 3 << 46, 0x1000), "iommu-entry-value"),
        ((6 << 1 | 1, 0, 40 << 32 | 2 << 38 | 1 << 51, 0x1000), "iommu-top-table-not-in-memory"),
        ((1 | 1 << 52,), "iommu-reserved-bits"),
        ((5 << 1 | 1 | 21 << 59,), "iommu-entry-value"),
    ],
)
def test_entries_that_are_wrong(words: tuple[int, ...], expected: str) -> None:
    """Forms, granules and sizes that there are not, reserved bits."""
    assert expected in rules(linear(*words))


def test_contexts_that_are_wrong() -> None:
    """A granule that there is not; bits that no tables translate."""
    for first in (16 | 3 << 6, 1):
        tables = Tables()
        cd = tables.page()
        tables.words(cd, first | VALID | EPD1 | AA64, 0x1000)
        found = rules(linear(cd | 5 << 1 | 1, 2, tables=tables))
        assert found == ["iommu-entry-value" if first != 1 else "iommu-geometry"]
