# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""AMD device tables in the forms that no captured machine had, written word by word from the specification."""

from __future__ import annotations

import pytest
from units import SOME, Tables, device, mapped, rules, shape

from devstate.errors import UsageError
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.read import read_unit
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping

READ, WRITE, GIOV, GV = 1 << 61, 1 << 62, 1 << 54, 1 << 55
V, TV = 1, 2
OPEN = READ | WRITE | V | TV
GA, XT = 1 << 17, 1 << 50


def unit_of(*words: int, tables: Tables | None = None, devid: int = 0x0105, **registers: int) -> Unit:
    """A unit whose device table of 1024 entries has one that is not zero."""
    made = tables or Tables()
    root = made.page(8)
    made.words(root + 32 * devid, *words)
    return made.unit("amd", root, DEVTAB=root | 7, **registers)


@pytest.mark.parametrize("mode", [1, 2, 3, 4, 5, 6])
def test_host_tables(mode: int) -> None:
    """1 to 6 levels."""
    tables = Tables()
    some = [each for each in SOME if each.iova + each.size <= 1 << min(12 + 9 * mode, 64)]
    top = tables.top("amd-v1", mode, some)
    unit = unit_of(OPEN | top | mode << 9, 9, tables=tables)
    found = device(unit, 0x0105)
    assert ("second-stage", "amd-v1", mode, 9) == shape(found)
    details = dict(found.details)
    assert ((OPEN | top | mode << 9, 9, 0, 0), mode, True, False) == tuple(details[key] for key in ("dte", "mode", "read", "guest_valid"))
    assert some == mapped(unit)
    assert [] == rules(unit, tables=True)
    assert 128 == unit.domains[0].stage.table.top_entries if mode == 6 else True


@pytest.mark.parametrize(
    ("words", "translation"),
    [
        ((OPEN, 5, 0, 0), "pass-through"),
        ((READ | V | TV, 5, 0, 0), "pass-through"),
        ((WRITE | V | TV, 5, 0, 0), "pass-through"),
        ((V | TV, 0, 0, 0), None),
        ((READ | WRITE | V, 0, 0, 0), None),
    ],
)
def test_mode_0(words: tuple[int, ...], translation: str | None) -> None:
    """Pass-through as far as read and write say; neither, or no translation, is blocked."""
    unit = unit_of(*words)
    if translation is not None:
        assert (translation, translation, 0, 5) == shape(device(unit, 0x0105))
    else:
        runs = [(run.translation, run.count) for run in unit.runs]
        assert [("pass-through", 0x105), ("blocked", 1), ("pass-through", 0x400 - 0x106)] == runs
    assert [] == rules(unit)


def test_mode_7_and_reserved_bits() -> None:
    """No seven levels; bits that must be 0."""
    unit = unit_of(OPEN | 7 << 9 | 1 << 2, 1, 3 << 52)
    assert ["iommu-reserved-bits", "iommu-entry-value", "iommu-reserved-bits", "iommu-geometry"] == rules(unit)
    assert 7 == dict(device(unit, 0x0105).details)["mode"]


class Guest:
    """A device whose GCR3 table has ``levels`` levels, each entry in tables of its own."""

    def __init__(self, levels: int) -> None:
        self.tables = Tables()
        self.levels = levels
        self.root = self.tables.page()

    def pasid(self, pasid: int, top: int) -> None:
        """Lead from the root to an entry for this PASID."""
        table = self.root
        for level in range(self.levels - 1, 0, -1):
            below = self.tables.page()
            self.tables.words(table + 8 * (pasid >> 9 * level & 511), below | 1)
            table = below
        self.tables.words(table + 8 * (pasid & 511), top | 1)

    def words(self, more: int = 0, paging: int = 0) -> tuple[int, ...]:
        """The device entry."""
        root = self.root
        low = OPEN | GV | more | (self.levels - 1) << 56 | (root >> 12 & 7) << 58
        return low, 9 | (root >> 15 & 0xFFFF) << 16 | root >> 31 << 43, paging << 54, 0


@pytest.mark.parametrize(("levels", "pasid"), [(1, 0), (1, 511), (2, 0x3FFFF), (3, 0xFFFFF)])
@pytest.mark.parametrize(("paging", "table_levels"), [(0, 4), (1, 5)])
def test_guest_tables(levels: int, pasid: int, paging: int, table_levels: int) -> None:
    """One to three levels of GCR3 tables; guest tables of four or five levels."""
    made = Guest(levels)
    top = made.tables.top("amd-v2", table_levels, sign_extended=True)
    made.pasid(pasid, top)
    unit = unit_of(*made.words(GIOV, paging), tables=made.tables)
    found = device(unit, 0x0105, pasid)
    assert ("first-stage", "amd-v2", table_levels, 9) == shape(found)
    assert (top, "amd guest tables v2") == (found.top_table, unit.mode)
    assert {"gcr3_table": made.root, "gcr3_entry": (top | 1,)}.items() <= dict(found.details).items()
    assert list(SOME) == mapped(unit)
    assert [] == rules(unit, tables=True)


def test_pasids_of_a_device_that_passes_through() -> None:
    """Without GIoV and without host tables, requests that have no PASID pass through."""
    made = Guest(1)
    made.pasid(5, made.tables.top("amd-v2", 4, sign_extended=True))
    unit = unit_of(*made.words(), tables=made.tables)
    assert ("pass-through", "pass-through", 0, 9) == shape(device(unit, 0x0105))
    assert ("first-stage", "amd-v2", 4, 9) == shape(device(unit, 0x0105, 5))
    assert [] == rules(unit)


def test_devices_with_the_same_guest_tables_have_tags_of_their_own() -> None:
    """So Linux does it: nothing is wrong."""
    made = Guest(1)
    made.pasid(0, made.tables.top("amd-v2", 4, sign_extended=True))
    low, middle, third, _ = made.words(GIOV)
    root = made.tables.page(8)
    made.tables.words(root, low, middle, third, 0, low, middle + 1, third, 0)
    unit = made.tables.unit("amd", root, DEVTAB=root | 7)
    assert ([9, 10], []) == ([each.domain_id for each in unit.devices], rules(unit))


def test_nested() -> None:
    """The GCR3 table and the guest's tables are at the guest's addresses; requests without a PASID use the host's tables."""
    guest = Arena(0x4000_0000, 1 << 20)
    gcr3 = guest.alloc()
    table = build(guest, "amd-v2", SOME, 4, sign_extended=True)
    guest.write(gcr3 + 8 * 3, (table.top_table | 1).to_bytes(8, "little"))
    made = Guest(1)
    host = []
    for region in guest.view().regions:
        for at in range(region.start, region.end, 4096):
            copy = made.tables.page(2)
            made.tables.arena.write(copy, region.data[at - region.start : at - region.start + 4096])
            host.append(Mapping(at, copy, 4096, 3))
    top = made.tables.top("amd-v1", 4, host)
    made.root = int(gcr3)
    low, *rest = made.words()
    unit = unit_of(low | top | 4 << 9, *rest, tables=made.tables)
    assert ("second-stage", "amd-v1", 4, 9) == shape(device(unit, 0x0105))
    found = device(unit, 0x0105, 3)
    assert ("nested", "amd-v2", 4, 9) == shape(found)
    assert {"second_stage_top_table_pa": top, "second_stage_levels": 4}.items() <= dict(found.details).items()
    assert list(SOME) == mapped(unit, 1)
    assert [] == rules(unit)


def test_encryption_bit() -> None:
    """With active memory encryption each address has a bit that is none of it, that of the device table too."""
    bit = 1 << 47
    made = Guest(1)
    top, irt = made.tables.top("amd-v2", 4, sign_extended=True), made.tables.page()
    made.pasid(0, top | bit)
    made.root |= bit
    low, middle, _, _ = made.words(GIOV)
    root = made.tables.page(8)
    made.tables.words(root, low, middle, 1 | 3 << 1 | irt | bit | 2 << 60)
    unit = read_unit(made.tables.arena.view(), "amd", None, {"DEVTAB": root | bit | 7}, encryption_bit=47)
    assert (root, [], top) == (unit.root, rules(unit), device(unit, 0).top_table)
    assert list(SOME) == mapped(unit)
    assert unit.interrupts is not None and irt == unit.interrupts[0].pa
    for kind, number in (("vtd", 47), ("amd", 52), ("amd", 11)):
        with pytest.raises(UsageError, match="encryption bit"):
            read_unit(made.tables.arena.view(), kind, root, encryption_bit=number)


@pytest.mark.parametrize(("pages", "count"), [(0, 128), (511, 65536)])
def test_the_size_of_the_device_table(pages: int, count: int) -> None:
    """4K pages less one."""
    tables = Tables()
    root = tables.page(512)
    unit = tables.unit("amd", root, DEVTAB=root | pages)
    assert [("pass-through", count)] == [(run.translation, run.count) for run in unit.runs]


@pytest.mark.parametrize(
    ("after", "count"),
    [((0, 0, 0, 0), 256), ((0x7F454C46,), 256), ((1 << 63 | 1,), 256), ((V | 1 << 4,), 256), ((V,), 384), ((V | TV, 0, 1, 0), 384)],
)
def test_the_size_of_the_device_table_by_its_looks(after: tuple[int, ...], count: int) -> None:
    """Without DEVTAB it ends at a page of zeros, or where an entry could not be one."""
    tables = Tables()
    root = tables.page(3)
    for entry in range(256):
        tables.words(root + 32 * entry, V | TV)
    tables.words(root + 8192 + 32 * 7, *after)
    unit = tables.unit("amd", root)
    assert count == sum(run.count for run in unit.runs)
    assert f"a device table of {count} entries" in unit.assumed[0]


def interrupts(*entries: tuple[int, int, int], length: int = 9, control: int = GA, **registers: int) -> Unit:
    """Two devices that share an interrupt table of 2^length entries: (byte offset, low, high)."""
    tables = Tables()
    root, irt = tables.page(8), tables.page(8)
    for devid in (0x10, 0x11):
        tables.words(root + 32 * devid, V | TV, 0, 1 | length << 1 | irt | 2 << 60)
    for offset, *words in entries:
        tables.words(irt + offset, *words)
    return tables.unit("amd", root, DEVTAB=root | 7, CONTROL=control, **registers)


def test_interrupts_of_128_bits() -> None:
    """Remapped, a guest's, and one that is taken and not yet valid."""
    remapped = (1 | 0x7F3412 << 8, 0x41 | 0x12 << 56)
    guest = (1 | 1 << 7 | 1 << 6 | 5 << 8 | 0xABCD << 32, 0x51 | 0x12345 << 12)
    unit = interrupts((0x20, *remapped), (0x30, *guest), (0x40, 0, 0xFF), control=GA | XT)
    assert unit.interrupts is not None
    (table,) = unit.interrupts
    assert (512, 16, (0x10, 0x11), True) == (table.count, table.entry_size, table.source_ids, table.extended)
    assert [(2, remapped), (3, guest), (4, (0, 0xFF))] == [(each.index, each.words) for each in table.entries]
    rows = [(each.kind, each.present, each.vector, each.destination) for each in table.entries]
    assert [("remapped", True, 0x41, 0x127F3412), ("guest", True, 0x51, 5), ("remapped", False, 0xFF, 0)] == rows
    assert {"guest_tag": 0xABCD, "apic_page_pa": 0x12345000, "running": True} == dict(table.entries[1].details)
    assert [] == rules(unit)


def test_interrupts_of_32_bits() -> None:
    """Two in each of the words; the mark of one that is only taken."""
    unit = interrupts((0, (1 | 2 << 8 | 0x31 << 16) << 32, 0xFFFFFFFE), control=1, length=4)
    assert unit.interrupts is not None
    (table,) = unit.interrupts
    rows = [(each.index, each.present, each.vector, each.destination, each.words) for each in table.entries]
    assert (16, 4) == (table.count, table.entry_size)
    assert [(1, True, 0x31, 2, (0x310201,)), (2, False, 0xFF, 0xFF, (0xFFFFFFFE,))] == rows
    assert [] == rules(unit)


@pytest.mark.parametrize(
    ("registers", "size", "said"),
    [
        ({"EFR": 1 << 7}, 16, "as EFR allows"),
        ({"EFR": 0}, 4, "as EFR allows"),
        ({}, 16, "neither CONTROL nor EFR"),
    ],
)
def test_without_control(registers: dict[str, int], size: int, said: str) -> None:
    """What EFR allows; 128 bits when nothing is known."""
    tables = Tables()
    root, irt = tables.page(8), tables.page(8)
    tables.words(root, V | TV, 0, 1 | 1 << 1 | irt | 2 << 60)
    unit = tables.unit("amd", root, DEVTAB=root | 7, **registers)
    assert unit.interrupts is not None
    assert size == unit.interrupts[0].entry_size
    assert any(said in text for text in unit.assumed)


@pytest.mark.parametrize(("control", "word"), [(0, 1), (1, 1), (2, 0), (3, 1)])
def test_tables_are_only_read_where_interrupts_are_remapped(control: int, word: int) -> None:
    """Not for passed or aborted ones, nor without the valid bit; control 3 is not there."""
    unit = unit_of(V | TV, 0, word | 0x100000000 | control << 60)
    assert () == unit.interrupts
    assert (["iommu-entry-value"] if control == 3 else []) == rules(unit)


@pytest.mark.parametrize(
    ("entries", "control", "expected"),
    [
        ([(0, 1 | 0x100 << 8, 0x41)], GA, ["iommu-irte-destination"]),
        ([(0, 1 | 0x100 << 8, 0x41)], GA | XT, []),
        ([(0, 1, 0x41), (16, 1, 0x41)], GA, ["iommu-irte-claimed"]),
        ([(0, 1 | 7 << 2, 0x41)], GA, ["iommu-irte-delivery"]),
        ([(0, 1, 0x0F)], GA, ["iommu-irte-vector"]),
        ([(0, 1, 0x41 | 1 << 8)], GA, ["iommu-reserved-bits"]),
        ([(0, 1 | 1 << 7, 0x41 | 5 << 12), (16, 1 | 1 << 7, 0x41 | 5 << 12)], GA, ["iommu-irte-claimed"]),
        ([(0, 1 | 1 << 7, 0x41 | 5 << 12), (16, 1 | 1 << 7, 0x41 | 6 << 12)], GA, []),
    ],
)
def test_interrupts_that_are_wrong(entries: list[tuple[int, int, int]], control: int, expected: list[str]) -> None:
    """Destination, claims, delivery, vector, reserved bits."""
    assert expected == rules(interrupts(*entries, control=control))


def test_segments_of_the_device_table() -> None:
    """Only the first is where DEVTAB says; that the others are not read is said."""
    tables = Tables()
    root = tables.page(16)
    tables.words(root + 32 * 0x3F, 3 | 3 << 61)
    unit = tables.unit("amd", root, DEVTAB=root | 15, CONTROL=1 | 1 << 17 | 2 << 34)
    assert [0x3F] == [each.source_id for each in unit.devices]
    assert ["CONTROL says that the device table is in 4 segments: only the first is read, of 16384 entries"] == [*unit.assumed]
