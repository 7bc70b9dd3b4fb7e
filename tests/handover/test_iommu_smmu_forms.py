# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3: what Linux never writes and the architecture allows: other forms of page tables and stream tables (IHI 0070, 5.2, 5.4, 6.3)."""

from __future__ import annotations

import pytest
from units import SOME, Tables, device, mapped, rules, shape

from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.translate import translate, translation_of
from devstate.pagetable.mapping import Mapping

SID = 0x105
VALID, AA64, EPD1, ENDIAN = 1 << 31, 1 << 41, 1 << 30, 1 << 15
WIDE = 1 << 58
"""CD.DS, of the word of ttb1."""

STAGE1, STAGE2, BOTH = 5 << 1 | 1, 6 << 1 | 1, 7 << 1 | 1
S2AA64, S2ENDIAN = 1 << 51, 1 << 52


def linear(tables: Tables, *words: int, **registers: int) -> Unit:
    """A unit with a linear table in which one entry is not zero."""
    root = tables.page(16)
    tables.words(root + 64 * SID, *words)
    return tables.unit("smmuv3", root, STRTAB_BASE_CFG=10, **registers)


def stage1(tables: Tables, *words: int) -> Unit:
    """A stream with one context."""
    cd = tables.page()
    tables.words(cd, *words)
    return linear(tables, cd | STAGE1, 2)


FAR = [Mapping(0x1000, 1 << 50, 4096, 3)]
"""An address that only tables of the LPA2 form and those of 64K can say."""


@pytest.mark.parametrize(("t0sz", "levels", "granule", "tg0"), [(16, 4, 4096, 0), (12, 5, 4096, 0), (25, 3, 4096, 0), (16, 4, 16384, 2)])
def test_wide_tables_of_stage_1(t0sz: int, levels: int, granule: int, tg0: int) -> None:
    """DS says what the entries are, however many bits an input address has."""
    tables = Tables()
    some = [Mapping(granule, 1 << 50, granule, 3)]
    top_entries = 1 << (64 - t0sz - (granule.bit_length() - 1) - (levels - 1) * (granule.bit_length() - 4))
    top = tables.top("arm-lpae-s1-lpa2", levels, some, granule=granule, top_entries=top_entries)
    unit = stage1(tables, t0sz | tg0 << 6 | VALID | AA64 | EPD1 | 7 << 48, top, WIDE)
    assert (levels, some, []) == (device(unit, SID).levels, mapped(unit), rules(unit, tables=True))


@pytest.mark.parametrize(("t0sz", "sl0", "levels", "bits"), [(16, 2, 4, 48), (12, 4, 5, 52), (12, 2, 4, 52), (25, 1, 3, 39)])
def test_wide_tables_of_stage_2(t0sz: int, sl0: int, levels: int, bits: int) -> None:
    """The high bit of sl0 is another word's: 4 is level -1; from level 0 on, 52 bits need 16 tables at the top."""
    tables = Tables()
    top = tables.top("arm-lpae-s2-lpa2", levels, FAR, top_entries=1 << (bits - 12 - 9 * (levels - 1)))
    words = (STAGE2, 0, 3 | t0sz << 32 | (sl0 & 3) << 38 | S2AA64, top | (sl0 >> 2) << 2 | 1 << 3)
    unit = linear(tables, *words)
    assert ("second-stage", "arm-lpae-s2", levels, 3) == shape(device(unit, SID))
    assert (FAR, []) == (mapped(unit), rules(unit, tables=True))


def test_more_bits_without_ds() -> None:
    """A unit refuses it: it is named, and shown all the same."""
    tables = Tables()
    top = tables.top("arm-lpae-s1-lpa2", 5, FAR)
    unit = stage1(tables, 12 | VALID | AA64 | EPD1, top)
    assert (FAR, ["iommu-geometry"]) == (mapped(unit), rules(unit))


@pytest.mark.parametrize(("t0sz", "levels"), [(0, 3), (1, 3), (2, 2), (7, 2)])
def test_32_bit_tables_of_stage_1(t0sz: int, levels: int) -> None:
    """Three bits say how many of 32; granules are of 4K, whatever tg0 is."""
    tables = Tables()
    some = [Mapping(0x1000, 0x7000, 0x2000, 3), Mapping((1 << 32 - t0sz) - 4096, 0x9000, 4096, 3)]
    top = tables.top("arm-lpae-s1", levels, some, top_entries=1 << (32 - t0sz - 12 - 9 * (levels - 1)))
    unit = stage1(tables, t0sz | 1 << 6 | 5 << 3 | VALID | EPD1 | 7 << 48, top)
    assert ("first-stage", "arm-lpae-s1", levels, 7) == shape(device(unit, SID))
    assert (some, []) == (mapped(unit), rules(unit, tables=True))


@pytest.mark.parametrize(("t0sz", "sl0", "levels", "bits"), [(0, 1, 3, 32), (0x8, 1, 3, 40), (0x0, 0, 2, 32)])
def test_32_bit_tables_of_stage_2(t0sz: int, sl0: int, levels: int, bits: int) -> None:
    """Four bits with a sign: from -8 on."""
    tables = Tables()
    top = tables.top("arm-lpae-s2", levels, [*SOME[:1]], top_entries=1 << (bits - 12 - 9 * (levels - 1)))
    unit = linear(tables, STAGE2, 0, 3 | t0sz << 32 | sl0 << 38, top)
    assert (levels, [*SOME[:1]], []) == (device(unit, SID).levels, mapped(unit), rules(unit, tables=True))


def test_the_upper_half_of_32_bits_is_named() -> None:
    """Its iovas do not begin with ones."""
    tables = Tables()
    top = tables.top("arm-lpae-s1", 2, SOME[:1], top_entries=512)
    unit = stage1(tables, 2 | 1 << 16 | VALID, top, top)
    assert (1, ["iommu-geometry"]) == (len(device(unit, SID).stages), rules(unit))


def test_big_endian_tables() -> None:
    """Are named, and not read."""
    tables = Tables()
    unit = stage1(tables, 16 | VALID | AA64 | EPD1 | ENDIAN, 0x1000)
    assert ((), ["iommu-geometry"]) == (device(unit, SID).stages, rules(unit))
    unit = linear(Tables(), STAGE2, 0, 16 << 32 | 2 << 38 | S2AA64 | S2ENDIAN, 0x1000)
    assert ((), ["iommu-geometry"]) == (device(unit, SID).stages, rules(unit))


def test_a_start_that_there_is_not() -> None:
    """64K tables begin at level 1 at most; 32-bit ones at 2 or 1."""
    for word in (22 << 32 | 3 << 38 | 1 << 46 | S2AA64, 2 << 38):
        assert ["iommu-geometry"] == rules(linear(Tables(), STAGE2, 0, word, 0x1000))


def test_requests_without_a_substream_go_through_stage_2_alone() -> None:
    """S1DSS 1 is as if there were no stage 1."""
    tables = Tables()
    guest = [Mapping(0, tables.page(16), 0x10000, 3)]
    tables.words(guest[0].pa + 64, 25 | VALID | AA64 | EPD1 | 9 << 48, 0x2000)
    second = tables.top("arm-lpae-s2", 3, guest)
    unit = linear(tables, BOTH | 1 << 59, 1, 3 | 25 << 32 | 1 << 38 | S2AA64, second)
    assert [(0, "second-stage", True), (1, "nested", False)] == [(each.pasid, each.translation, each.plain) for each in unit.devices]
    found = translate(unit, SID, 0x3000)
    assert found is not None and guest[0].pa + 0x3000 == found.pa
    assert translate(unit, SID, 0x3000, 2) is None


@pytest.mark.parametrize(("s1dss", "plain"), [(0, None), (2, 0)])
def test_context_0(s1dss: int, plain: int | None) -> None:
    """Is that of requests without a substream where S1DSS says so; else these are aborted."""
    tables = Tables()
    cds = tables.page()
    for number in (0, 1):
        top = tables.top("arm-lpae-s1", 3, [Mapping(0x1000, 0x7000 + 0x1000 * number, 4096, 3)])
        tables.words(cds + 64 * number, 25 | VALID | AA64 | EPD1 | (number + 1) << 48, top)
    unit = linear(tables, cds | STAGE1 | 1 << 59, s1dss)
    kind, found = translation_of(unit, SID)
    assert ("blocked", None) == (kind, found) if plain is None else found is not None and plain == found.pasid
    hit = translate(unit, SID, 0x1000, 1)
    assert hit is not None and 0x8000 == hit.pa


def test_contexts_beyond_the_last() -> None:
    """A second level has room for 64; the stream has four."""
    tables = Tables()
    first, second = tables.page(), tables.page()
    tables.words(first, second | 1)
    for number in (3, 4):
        tables.words(second + 64 * number, 25 | VALID | AA64 | EPD1, tables.top("arm-lpae-s1", 3))
    unit = linear(tables, first | 1 << 4 | STAGE1 | 2 << 59, 2)
    assert [3] == [each.pasid for each in unit.devices]


def test_a_unit_without_substreams() -> None:
    """S1CDMax does not count: there is one context, for all requests."""
    tables = Tables()
    cds = tables.page()
    tables.words(cds, 25 | VALID | AA64 | EPD1, tables.top("arm-lpae-s1", 3))
    unit = linear(tables, cds | 1 << 4 | STAGE1 | 5 << 59, 0, IDR1=10)
    assert ([(0, True)], []) == ([(each.pasid, each.plain) for each in unit.devices], rules(unit))


@pytest.mark.parametrize(
    ("bits", "split", "sid", "found"),
    [
        (6, 8, 0x3F, []),  # one entry at the first level, and as many streams as there are ids
        (6, 8, 0x40, None),
        (8, 8, 0xFF, []),
        (10, 7, 0x7F, ["iommu-entry-value"]),  # no split: counts as 6
    ],
)
def test_splits(bits: int, split: int, sid: int, found: list[str] | None) -> None:
    """A table of two levels stays one when the second has room for all streams."""
    tables = Tables()
    root, second, real = tables.page(), tables.page(4), split if split in (6, 8, 10) else 6
    tables.words(root + 8 * (sid >> real), second | (real + 1))
    tables.words(second + 64 * (sid & (1 << real) - 1), 9)
    unit = tables.unit("smmuv3", root, STRTAB_BASE_CFG=1 << 16 | split << 6 | bits)
    assert ([] if found is None else [sid]) == [each.source_id for each in unit.devices]
    assert (found or []) == rules(unit)


def test_ids_that_the_unit_does_not_have() -> None:
    """IDR1 says how many bits a stream id has: the table may be larger."""
    tables = Tables()
    unit = linear(tables, 9, IDR1=8)
    assert () == unit.devices
    assert [SID] == [each.source_id for each in linear(tables, 9, IDR1=9).devices]


def test_a_form_that_there_is_not_counts_as_linear() -> None:
    """And is named."""
    tables = Tables()
    root = tables.page(16)
    tables.words(root + 64 * SID, 9)
    unit = tables.unit("smmuv3", root, STRTAB_BASE_CFG=3 << 16 | 10)
    assert ([SID], ["iommu-entry-value"]) == ([each.source_id for each in unit.devices], rules(unit))


def test_low_bits_of_top_tables_do_not_count() -> None:
    """A table is at a multiple of its size, whatever the low bits say."""
    tables = Tables()
    unit = stage1(tables, 25 | VALID | AA64 | EPD1, tables.top("arm-lpae-s1", 3) | 0x7F0)
    assert ([*SOME], []) == (mapped(unit), rules(unit))
    tables = Tables()
    unit = linear(tables, STAGE2, 0, 3 | 25 << 32 | 1 << 38 | S2AA64, tables.top("arm-lpae-s2", 3) | 0x10)
    assert ([*SOME], []) == (mapped(unit), rules(unit))


@pytest.mark.parametrize("split", [6, 8, 10])
def test_the_split_by_the_looks(split: int) -> None:
    """A second level that is whole says how many bits it is for."""
    tables = Tables()
    root, second = tables.page(), tables.page(16)
    tables.words(root + 8 * 3, second | (split + 1))
    tables.words(second + 64 * 5, 9)
    unit = tables.unit("smmuv3", root)
    assert ([3 << split | 5], f"split {split}" in unit.mode) == ([each.source_id for each in unit.devices], True)
