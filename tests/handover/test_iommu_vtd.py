# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""VT-d tables in the forms that no captured machine had, written word by word from the specification."""

from __future__ import annotations

import pytest
from units import SOME, Tables, device, mapped, rules, shape

from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.read import read_unit
from devstate.memory.arena import Arena
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping

DEVFN = 0x1F << 3 | 2
SCALABLE = 1 << 10


def legacy(*entry: int, tables: Tables | None = None, bus: int = 0) -> Unit:
    """A unit of one function, 1f.2, with this context entry."""
    made = tables or Tables()
    root, context = made.page(), made.page()
    made.words(root + 16 * bus, context | 1)
    made.words(context + 16 * DEVFN, *entry)
    return made.unit("vtd", root, RTADDR=root)


@pytest.mark.parametrize(("width", "levels"), [(1, 3), (2, 4), (3, 5)])
@pytest.mark.parametrize("kind", [0, 1])
def test_legacy_second_stage(width: int, levels: int, kind: int) -> None:
    """Levels go by the address width; type 1 lets the device hold translations."""
    tables = Tables()
    top = tables.top("vtd-second-stage", levels)
    unit = legacy(top | 1 | kind << 2, width | 7 << 8, tables=tables, bus=0x81)
    found = device(unit, 0x81 << 8 | DEVFN)
    assert ("second-stage", "vtd-second-stage", levels, 7) == shape(found)
    assert top == found.top_table
    assert {"context_entry": (top | 1 | kind << 2, width | 7 << 8), "translation_type": kind}.items() <= dict(found.details).items()
    assert list(SOME) == mapped(unit)
    assert [] == rules(unit, tables=True)


def test_legacy_pass_through() -> None:
    """Type 2: no tables are read, whatever stands where their address would be."""
    unit = legacy(0x123456789000 | 1 | 2 << 2, 2 | 1 << 8)
    assert ("pass-through", "pass-through", 0, 1) == shape(device(unit, DEVFN))
    assert ((), []) == (unit.domains, rules(unit))


def test_legacy_reserved() -> None:
    """Type 3, address width 0, reserved bits: each is named, with its place."""
    unit = legacy(1 | 3 << 2 | 1 << 4, 0 | 1 << 7 | 1 << 24)
    values, bits = "iommu-entry-value", "iommu-reserved-bits"
    assert [values, bits, values, bits, bits, "iommu-top-table-not-in-memory"] == rules(unit)
    assert {finding.location.pa for finding in unit.findings} == {device(unit, DEVFN).pa}


def test_words_that_must_be_zero() -> None:
    """Whole words of an entry: the second of a root entry, the fourth of a context entry, the last of a PASID entry."""
    tables = Tables()
    root = tables.page()
    tables.words(root, tables.page() | 1, 1)
    assert ["iommu-reserved-bits"] == rules(tables.unit("vtd", root, RTADDR=root))
    made = Scalable()
    made.pasid(0, 1 | 4 << 6, 3, 0, 0, 0, 0, 0, 1)
    made.tables.words(made.root + 0x1000 + 32 * (DEVFN % 128) + 24, 1 << 63)
    places = [(finding.rule, finding.location.path) for finding in made.unit().findings]
    assert [
        ("iommu-reserved-bits", "context table of bus 00, upper half: vtd_scalable_context_entry.reserved192"),
        ("iommu-reserved-bits", "PASID table 0x0 on of 00:1f.2: vtd_pasid_entry.reserved448"),
    ] == places


def test_a_capture_that_begins_inside_of_an_entry() -> None:
    """The entries that are whole are read at their places; the cut one is not."""
    data = b"".join(word.to_bytes(8, "little") for bus in range(4) for word in (0x7000_0000 + (bus << 12) | 1, 0))
    memory = PhysMemory([MemoryRegion(0x1008, len(data) - 16, memoryview(data)[8:-8])])
    unit = read_unit(memory, "vtd", 0x1000, {"RTADDR": 0x1000})
    found = [finding.location.path for finding in unit.findings if finding.rule == "iommu-table-not-in-memory"]
    assert ["context table of bus 01", "context table of bus 02"] == found
    assert ["32 of 4096 bytes"] == [finding.found for finding in unit.findings if finding.rule == "iommu-table-partial"]


def test_an_absent_entry_is_not_read() -> None:
    """Without the present bit nothing else counts."""
    unit = legacy(0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF)
    assert ((), ()) == (unit.devices, unit.findings)


@pytest.mark.parametrize(("bits", "mode", "found"), [(2, "reserved", ["iommu-entry-value"]), (3, "abort", [])])
def test_modes_without_tables(bits: int, mode: str, found: list[str]) -> None:
    """All blocked; and a mode that there is not."""
    tables = Tables()
    root = tables.page()
    unit = tables.unit("vtd", root, RTADDR=root | bits << 10)
    assert (mode, (), found) == (unit.mode, unit.devices, rules(unit))


def test_a_unit_without_a_root() -> None:
    """RTADDR is 0 then, and what is at 0 is no table. Interrupts may be remapped all the same."""
    unit = irt(3, REMAPPED, GSTS=1 << 25)
    assert ("off", (), []) == (unit.mode, unit.devices, rules(unit))
    assert unit.interrupts is not None and 1 == len(unit.interrupts[0].entries)


REMAPPED = (3, 1 | 0x41 << 16 | 0x200 << 32, 0x0010 | 1 << 18)
"""Entry 3: vector 0x41 to APIC id 2, for 00:02.0 alone."""


class Scalable:
    """Function 1f.2 with a PASID directory of 2^(7 + size) entries."""

    def __init__(self, size: int = 0, devfn: int = DEVFN) -> None:
        self.tables = Tables()
        self.root, context = self.tables.page(), self.tables.page()
        self.directory = self.tables.page(32)
        self.tables.words(self.root + (8 if devfn >= 128 else 0), context | 1)
        self.tables.words(context + 32 * (devfn % 128), self.directory | size << 9 | 1 << 3 | 1, 5)

    def pasid(self, pasid: int, *words: int) -> None:
        """An entry of a PASID table of its own."""
        table = self.tables.page()
        self.tables.words(self.directory + 8 * (pasid >> 6), table | 1)
        self.tables.words(table + 64 * (pasid & 63), *words)

    def unit(self) -> Unit:
        return self.tables.unit("vtd", self.root, RTADDR=self.root | SCALABLE)


@pytest.mark.parametrize("devfn", [0, 0x7F, 0x80, 0xFF])
def test_both_halves(devfn: int) -> None:
    """Devices 0 to 15 in the lower table, the others in the upper one."""
    made = Scalable(devfn=devfn)
    made.pasid(0, 1 | 4 << 6, 3)
    assert ("pass-through", "pass-through", 0, 3) == shape(device(made.unit(), devfn))


@pytest.mark.parametrize(("mode", "levels"), [(0, 4), (1, 5)])
def test_first_stage(mode: int, levels: int) -> None:
    """Four or five levels."""
    made = Scalable()
    top = made.tables.top("vtd-first-stage", levels, sign_extended=True)
    made.pasid(0, 1 | 1 << 6, 9, top | mode << 2)
    unit = made.unit()
    found = device(unit, DEVFN)
    assert ("first-stage", "vtd-first-stage", levels, 9) == shape(found)
    details = dict(found.details)
    assert ((1 | 1 << 6, 9, top | mode << 2), 1, 5) == (details["pasid_entry"], details["pgtt"], details["rid_pasid"])
    assert list(SOME) == mapped(unit)
    assert [] == rules(unit, tables=True)


@pytest.mark.parametrize(("width", "levels"), [(1, 3), (2, 4), (3, 5)])
def test_second_stage(width: int, levels: int) -> None:
    """Levels go by the address width of the PASID entry."""
    made = Scalable()
    top = made.tables.top("vtd-second-stage", levels)
    made.pasid(0, top | width << 2 | 2 << 6 | 1, 4)
    unit = made.unit()
    assert ("second-stage", "vtd-second-stage", levels, 4) == shape(device(unit, DEVFN))
    assert list(SOME) == mapped(unit)


@pytest.mark.parametrize(("size", "pasid"), [(0, 0x1FFF), (3, 0xFFFF), (7, 0xFFFFF)])
def test_the_last_pasid(size: int, pasid: int) -> None:
    """A directory of 2^(7 + size) entries, each for 64 PASIDs; what is beyond is not read."""
    made = Scalable(size)
    made.pasid(pasid, 1 | 4 << 6, 3)
    made.pasid(0, 1 | 4 << 6, 2)
    unit = made.unit()
    assert [0, pasid] == [each.pasid for each in unit.devices]
    smaller = Scalable(max(size - 1, 0))
    if size:
        smaller.pasid(pasid, 1 | 4 << 6, 3)
        assert () == smaller.unit().devices


def test_nested() -> None:
    """A guest's first stage at the guest's addresses, behind the second stage."""
    made = Scalable()
    guest = Arena(0x4000_0000, 1 << 20)
    table = build(guest, "vtd-first-stage", SOME, 4, sign_extended=True)
    host = []
    for region in guest.view().regions:
        for at in range(region.start, region.end, 4096):
            copy = made.tables.page(2)  # pages apart, so that one extent is not all of it
            made.tables.arena.write(copy, region.data[at - region.start : at - region.start + 4096])
            host.append((at, copy))
    second = made.tables.top("vtd-second-stage", 4, [Mapping(gpa, pa, 4096, 3) for gpa, pa in host])
    made.pasid(0, second | 2 << 2 | 3 << 6 | 1, 6, table.top_table)
    unit = made.unit()
    found = device(unit, DEVFN)
    assert ("nested", "vtd-first-stage", 4, 6) == shape(found)
    assert [table.top_table, second] == [stage.table.top_table for stage in found.stages]
    assert {"second_stage_top_table_pa": second, "second_stage_levels": 4}.items() <= dict(found.details).items()
    assert [list(SOME), 1] == [mapped(unit, 0), len(unit.domains[1].devices)]
    assert [] == rules(unit)


@pytest.mark.parametrize("pgtt", [0, 5, 6, 7])
def test_reserved_translations(pgtt: int) -> None:
    """There are no others."""
    made = Scalable()
    made.pasid(0, 1 | pgtt << 6, 3)
    unit = made.unit()
    assert (["iommu-entry-value"], "reserved") == (rules(unit), device(unit, DEVFN).translation)


def irt(size: int, *entries: tuple[int, int, int], bits: int = 0, **registers: int) -> Unit:
    """A unit with an interrupt table of 2^(size + 1) entries: (index, low, high)."""
    tables = Tables()
    root, table = tables.page(), tables.page(256)
    for index, low, high in entries:
        tables.words(table + 16 * index, low, high)
    return tables.unit("vtd", root, RTADDR=root, IRTA=table | bits | size, **registers)


def test_interrupt_entries() -> None:
    """Remapped and posted, EIME or not, present or not; in the order of their places."""
    remapped = (1 | 1 << 4 | 0x41 << 16 | 0x12345678 << 32, 0x0008 | 1 << 18)
    posted = (1 | 1 << 15 | 0x51 << 16 | (0x12345678C0 >> 6 & 0x3FFFFFF) << 38, 0x0010 | 1 << 18 | 0x12 << 32)
    unit = irt(15, (0xFFFF, *posted), (2, *remapped), (7, 1 << 1, 0), bits=1 << 11)
    assert unit.interrupts is not None
    (table,) = unit.interrupts
    assert (65536, True) == (table.count, table.extended)
    rows = [(each.index, each.kind, each.present, each.vector, each.destination) for each in table.entries]
    assert [(2, "remapped", True, 0x41, 0x12345678), (7, "remapped", False, 0, 0), (0xFFFF, "posted", True, 0x51, 0)] == rows
    assert {"source_id": 8, "level": True, "delivery": 0}.items() <= dict(table.entries[0].details).items()
    assert {"source_id": 16, "descriptor_pa": 0x12345678C0, "urgent": False}.items() <= dict(table.entries[2].details).items()
    assert [] == rules(unit)


def test_interrupts_are_off() -> None:
    """GSTS says so; or nothing says where the table is."""
    assert irt(0, (0, 1, 0), GSTS=1 << 31).interrupts is None
    tables = Tables()
    root = tables.page()
    unit = tables.unit("vtd", root, RTADDR=root)
    assert (None, ("IRTA is not given: no interrupt table is read",)) == (unit.interrupts, unit.assumed)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([(0, 1 | 0x30 << 16 | 0x10000 << 32, 1 << 18)], ["iommu-irte-destination"]),
        ([(0, 1 | 0x30 << 16 | 3 << 5, 1 << 18)], ["iommu-irte-delivery"]),
        ([(0, 1 | 0x0F << 16, 1 << 18)], ["iommu-irte-vector"]),
        ([(0, 1 | 4 << 5, 1 << 18)], []),
        ([(0, 1 | 0x30 << 16, 0)], ["iommu-irte-any-source"]),
        ([(0, 1 | 0x30 << 16, 1 << 18), (1, 1 | 0x30 << 16, 1 << 18)], ["iommu-irte-claimed"]),
        ([(0, 1 | 0x30 << 16, 1 << 18), (1, 1 | 0x30 << 16 | 0x100 << 32, 1 << 18)], []),
        ([(0, 1 | 0xEF << 16, 1 << 18), (1, 1 | 0xEF << 16, 1 << 18)], []),
        ([(0, 1 | 0x30 << 16, 1 << 18), (1, 0x30 << 16, 1 << 18)], []),
        ([(0, 1 | 1 << 15 | 0x30 << 16, 1 << 18), (1, 1 | 1 << 15 | 0x30 << 16, 1 << 18)], ["iommu-irte-claimed"]),
        ([(0, 1 | 0x30 << 16 | 1 << 12, 1 << 18)], ["iommu-reserved-bits"]),
        ([(0, 1 | 0x30 << 16, 3 << 18)], ["iommu-entry-value"]),
        ([(0, 1 | 1 << 15 | 0x30 << 16 | 1 << 12, 1 << 18)], ["iommu-reserved-bits"]),
        ([(0, 1 << 15 | 1 << 12, 0), (1, 1 << 12, 0)], []),
    ],
)
def test_interrupts_that_are_wrong(entries: list[tuple[int, int, int]], expected: list[str]) -> None:
    """Destination, delivery, vector, source, claims, reserved bits."""
    assert expected == rules(irt(3, *entries))


def test_one_tag_for_two_tables() -> None:
    """The caches would mix them up; PASIDs of a first stage are told apart, those of a second stage are not."""
    for pgtt, format, expected in ((2, "vtd-second-stage", ["iommu-domain-shared"]), (1, "vtd-first-stage", [])):
        made = Scalable()
        for pasid in (0, 64):
            top = made.tables.top(format, 4, sign_extended=pgtt == 1)
            made.pasid(pasid, *((top | 2 << 2 | 2 << 6 | 1, 4) if pgtt == 2 else (1 | 1 << 6, 4, top)))
        assert expected == rules(made.unit())


def test_two_tags_for_one_table() -> None:
    """What is flushed of one stays cached under the other."""
    tables = Tables()
    root, context, top = tables.page(), tables.page(), tables.top("vtd-second-stage", 4)
    tables.words(root, context | 1)
    tables.words(context, top | 1, 2 | 1 << 8, top | 1, 2 | 2 << 8)
    assert ["iommu-table-two-tags"] == rules(tables.unit("vtd", root, RTADDR=root))


def test_a_device_may_write_to_the_context_table() -> None:
    """Then it can give itself any memory."""
    tables = Tables()
    root, context = tables.page(), tables.page()
    for access, expected in ((1, []), (3, ["iommu-table-mapped"])):
        top = tables.top("vtd-second-stage", 4, [Mapping(0x1000, context, 4096, access)])
        tables.words(root, context | 1)
        tables.words(context, top | 1, 2 | 1 << 8)
        unit = tables.unit("vtd", root, RTADDR=root)
        assert expected == rules(unit)
