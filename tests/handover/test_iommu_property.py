# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any unit that can be written is read back as it was meant: entries are made with the schemas, devices are compared."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from units import Tables, shape

from devstate.codec.encode import encode
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.verify import verify_unit
from devstate.layout.model import Environment
from devstate.layout.registry import Registry

SOURCES = st.integers(0, 0xFFFF)
TAGS = st.integers(0, 0xFFFF)


def entry(name: str, **values: Any) -> bytes:
    """The bytes of an entry; fields that are left out are 0."""
    layout = Registry.shipped().layout(name, Environment())
    zero = {field.name: (0,) * (getattr(field.type, "count", None) or 0) or 0 for field in layout.struct().fields}
    return encode(layout, zero | values)


def seen(unit: Unit) -> dict[tuple[int, int], tuple[object, ...]]:
    """What the unit says of each device."""
    rows = {(each.source_id, each.pasid): (*shape(each), each.top_table) for each in unit.devices}
    assert len(rows) == len(unit.devices)
    return rows


def damaged(unit: Unit) -> list[str]:
    """Findings but those about tags, which are drawn at random."""
    return [each.rule for each in verify_unit(unit) if each.rule not in ("iommu-domain-shared", "iommu-table-two-tags")]


@given(st.dictionaries(SOURCES, st.tuples(st.integers(0, 2), st.integers(1, 3), TAGS), max_size=20))
@settings(deadline=None, max_examples=40)
def test_vtd_legacy(devices: dict[int, tuple[int, int, int]]) -> None:
    """Functions of any buses, with tables of 3 to 5 levels or passed through."""
    tables = Tables()
    root = tables.page()
    contexts: dict[int, int] = {}
    expected: dict[tuple[int, int], tuple[object, ...]] = {}
    for source, (translation, width, tag) in devices.items():
        if source >> 8 not in contexts:
            contexts[source >> 8] = tables.page()
            row = entry("vtd-root-entry", present=1, context_table=contexts[source >> 8] >> 12)
            tables.arena.write(root + 16 * (source >> 8), row)
        top = tables.page()
        row = entry("vtd-context-entry", present=1, translation=translation, second_stage=top >> 12, address_width=width, domain_id=tag)
        tables.arena.write(contexts[source >> 8] + 16 * (source & 0xFF), row)
        through = translation == 2
        kind, format = ("pass-through", "pass-through") if through else ("second-stage", "vtd-second-stage")
        expected[source, 0] = (kind, format, 0 if through else width + 2, tag, 0 if through else top)
    unit = tables.unit("vtd", root, RTADDR=root)
    assert (expected, []) == (seen(unit), damaged(unit))


PASIDS = st.dictionaries(st.integers(0, 0xFFF), st.tuples(st.sampled_from([1, 2, 4]), TAGS), max_size=4)


@given(st.dictionaries(SOURCES, PASIDS, max_size=6))
@settings(deadline=None, max_examples=40)
def test_vtd_scalable(devices: dict[int, dict[int, tuple[int, int]]]) -> None:
    """Functions of both halves of any buses, PASIDs in any tables of their directories."""
    tables = Tables()
    root = tables.page()
    contexts: dict[int, int] = {}
    expected: dict[tuple[int, int], tuple[object, ...]] = {}
    for source, pasids in devices.items():
        if source >> 7 not in contexts:
            contexts[source >> 7] = tables.page()
            tables.words(root + 8 * (source >> 7), contexts[source >> 7] | 1)
        directory = tables.page()
        row = entry("vtd-scalable-context-entry", present=1, pasid_enable=1, directory=directory >> 12)
        tables.arena.write(contexts[source >> 7] + 32 * (source & 0x7F), row)
        groups: dict[int, int] = {}
        for pasid, (kind, tag) in pasids.items():
            if pasid >> 6 not in groups:
                groups[pasid >> 6] = tables.page()
                tables.words(directory + 8 * (pasid >> 6), groups[pasid >> 6] | 1)
            top = tables.page()
            where = {1: {"first_stage": top >> 12}, 2: {"second_stage": top >> 12, "address_width": 2}, 4: {}}[kind]
            row = entry("vtd-pasid-entry", present=1, translation=kind, domain_id=tag, **where)
            tables.arena.write(groups[pasid >> 6] + 64 * (pasid & 63), row)
            names = {1: ("first-stage", "vtd-first-stage"), 2: ("second-stage", "vtd-second-stage"), 4: ("pass-through",) * 2}[kind]
            expected[source, pasid] = (*names, 0 if kind == 4 else 4, tag, 0 if kind == 4 else top)
    unit = tables.unit("vtd", root, RTADDR=root | 1 << 10)
    assert (expected, []) == (seen(unit), damaged(unit))


@given(st.dictionaries(st.integers(0, 1023), st.tuples(st.integers(0, 6), st.booleans(), st.booleans(), TAGS), max_size=20))
@settings(deadline=None, max_examples=40)
def test_amd(devices: dict[int, tuple[int, bool, bool, int]]) -> None:
    """Any modes, reads and writes allowed or not; the rest of the table is runs that cover it."""
    tables = Tables()
    root = tables.page(8)
    expected: dict[tuple[int, int], tuple[object, ...]] = {}
    for source, (mode, read, write, tag) in devices.items():
        top = tables.page()
        allowed = {"read": int(read), "write": int(write)}
        row = entry("amd-device-entry", valid=1, translation_valid=1, mode=mode, host_table=top >> 12, domain_id=tag, **allowed)
        tables.arena.write(root + 32 * source, row)
        if mode:
            expected[source, 0] = ("second-stage", "amd-v1", mode, tag, top)
        elif read or write:
            expected[source, 0] = ("pass-through", "pass-through", 0, tag, 0)
    unit = tables.unit("amd", root, DEVTAB=root | 7, CONTROL=1)
    assert (expected, []) == (seen(unit), damaged(unit))
    covered = [source for run in unit.runs for source in range(run.source_id, run.source_id + run.count)]
    assert sorted([*covered, *(source for source, _ in expected)]) == list(range(1024))


@given(
    st.dictionaries(
        st.integers(0, 1023), st.tuples(st.sampled_from([0, 4, 5, 6]), st.integers(16, 39), st.sampled_from([0, 1, 2]), TAGS), max_size=12
    ),
    st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_smmu(devices: dict[int, tuple[int, int, int, int]], two_levels: bool) -> None:
    """Any configurations, granules and sizes of stage 1, in a linear table or in one of two levels."""
    tables = Tables()
    root = tables.page(16)
    expected: dict[tuple[int, int], tuple[object, ...]] = {}
    level2: dict[int, int] = {}
    for sid, (config, t0sz, granule, tag) in devices.items():
        if two_levels and sid >> 8 not in level2:
            level2[sid >> 8] = tables.page(4)
            tables.words(root + 8 * (sid >> 8), level2[sid >> 8] | 9)
        top, cd = tables.page(16, align=1 << 16), tables.page()
        values: dict[str, int] = {"context": cd >> 6} if config == 5 else {}
        if config == 6:
            values = {"stage2_ttb": top >> 4, "stage2_t0sz": 25, "stage2_sl0": 1, "vmid": tag}
        row = entry("smmu-stream-entry", valid=1, config=config, **values)
        tables.arena.write((level2[sid >> 8] + 64 * (sid & 0xFF)) if two_levels else root + 64 * sid, row)
        row = entry("smmu-context-descriptor", valid=1, epd1=1, aa64=1, t0sz=t0sz, tg0=granule, asid=tag, ttb0=top >> 4)
        tables.arena.write(cd, row)
        if config == 4:
            expected[sid, 0] = ("pass-through", "bypass", 0, 0, 0)
        elif config == 5:
            bits, shift = 64 - t0sz, (12, 16, 14)[granule]
            expected[sid, 0] = ("first-stage", "arm-lpae-s1", -(-(bits - shift) // (shift - 3)), tag, top)
        elif config == 6:
            expected[sid, 0] = ("second-stage", "arm-lpae-s2", 3, tag, top)
    unit = tables.unit("smmuv3", root, STRTAB_BASE_CFG=1 << 16 | 8 << 6 | 10 if two_levels else 10)
    assert (expected, []) == (seen(unit), damaged(unit))
    assert sum(config == 0 for config, *_ in devices.values()) == sum(run.count for run in unit.runs)
