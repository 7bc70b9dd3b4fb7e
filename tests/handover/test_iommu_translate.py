# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One address of one device: through one stage, two, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_iommu_amd import OPEN, READ, TV, V
from test_iommu_amd import unit_of as amd_unit
from test_iommu_smmu import context, linear
from test_iommu_truth import KINDS, unit_of
from units import Tables

from devstate.handover.iommu.translate import translate
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping


@pytest.mark.parametrize("name", KINDS)
def test_every_device_goes_where_its_domain_does(any_captures: Path, name: str) -> None:
    """Some extents of each domain, for each device that uses it."""
    unit = unit_of(any_captures, name)
    for domain in unit.domains:
        assert domain.walk is not None
        for each in list(domain.walk.mappings)[:: max(len(domain.walk.mappings) // 10, 1)]:
            for device in domain.devices:
                found = translate(unit, device.source_id, each.iova)
                assert found is not None
                assert (each.pa, each.access) == (found.pa, found.access)
                assert found.size <= each.size


def test_without_tables() -> None:
    """Pass-through as far as read and write say; blocked; no entry at all."""
    for words, access in (((OPEN,), "rw"), ((READ | V | TV,), "r"), ((V | TV,), None), ((0,), "rw")):
        found = translate(amd_unit(*words), 0x0105, 0x1234)
        assert access == (None if found is None else found.access)
        if found is not None:
            assert (0x1234, (1 << 64) - 0x1234) == (found.pa, found.size)
    assert translate(amd_unit(OPEN), 0x0FFF, 0) is None


def test_nested() -> None:
    """The guest's address goes through the second stage; the smaller leaf and the lesser access count."""
    guest = Arena(0x4000_0000, 1 << 20)
    cds = guest.alloc()
    table = build(guest, "arm-lpae-s1", [Mapping(0x200000, 0x8000_0000, 0x200000, 3), Mapping(0x5000, 0xDEAD000, 4096, 3)], 4)
    guest.write(cds, b"".join(word.to_bytes(8, "little") for word in context(table.top_table, 16)))
    tables, host = Tables(), [Mapping(0x8000_0000, 0x7000_0000, 0x3000, 1)]
    for region in guest.view().regions:
        for at in range(region.start, region.end, 4096):
            copy = tables.page()
            tables.arena.write(copy, region.data[at - region.start : at - region.start + 4096])
            host.append(Mapping(at, copy, 4096, 3))
    second = tables.top("arm-lpae-s2", 3, host)
    unit = linear(cds | 7 << 1 | 1, 2, 3 | 25 << 32 | 1 << 38 | 1 << 51, second, tables=tables)
    assert Mapping(0x202100, 0x7000_2100, 0xF00, 1) == _access(translate(unit, 0x105, 0x202100))
    assert translate(unit, 0x105, 0x203000) is None  # behind what the second stage has
    assert translate(unit, 0x105, 0x5000) is None
    assert translate(unit, 0x105, 0x9000) is None


def _access(found: Mapping | None) -> Mapping | None:
    """The same with read and write only."""
    return None if found is None else Mapping(found.iova, found.pa, found.size, found.attributes & 3)
