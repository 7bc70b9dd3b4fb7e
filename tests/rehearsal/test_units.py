# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IOMMU units of rehearsed machines, without processes: what a kernel writes, hardware finds; `devstate iommu` finds the same; and no byte
of it that flips goes unnoticed where it means something.
"""

from __future__ import annotations

import pytest

from devstate.errors import DecodeError, LiveUpdateError, UsageError
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.state import unit_state
from devstate.handover.iommu.verify import verify_unit
from devstate.pagetable import native
from devstate.pagetable.dma import Dma, Ring
from devstate.rehearsal.domains import IOVA, WINDOW, Iommu, source_of
from devstate.rehearsal.guest import GuestMemory
from devstate.rehearsal.interrupts import Interrupts
from devstate.rehearsal.machine import PAGE, STAMP, STRIDE, Machine
from devstate.rehearsal.scenario import STAGES, DevicePlan, Scenario
from devstate.rehearsal.units.kinds import KINDS
from devstate.rehearsal.units.smmuv3 import Smmuv3

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")

PLANS = tuple([DevicePlan(f"d{number}", slots=slots) for number, slots in enumerate((64, 0, 100, *[1] * 33))])
"""A bridge among them, and more than one bus, second level and page of interrupt tables has."""


def made(kind: str, stage: str, plans: tuple[DevicePlan, ...] = PLANS) -> tuple[Machine, Iommu, Interrupts]:
    """A machine that has booted, as far as its unit goes."""
    scenario = Scenario("units", memory=16 << 20, vcpus=3, devices=plans, iommu=kind, stage=stage)
    machine = Machine.create(scenario.memory, len(plans))
    guest = GuestMemory(machine)
    iommu = Iommu(machine, guest, scenario)
    interrupts = Interrupts(iommu)
    arena = machine.arena()
    arena.reserve(guest.pa, guest.size)
    arena.reserve(*machine.scratch)
    interrupts.route([number for number, each in enumerate(plans) if each.slots], scenario.vcpus)
    iommu.attach(arena, interrupts.places)
    return machine, iommu, interrupts


KIND = pytest.mark.parametrize("kind", [*KINDS])
STAGE = pytest.mark.parametrize("stage", STAGES)


@KIND
@STAGE
def test_hardware_finds_what_a_kernel_wrote(kind: str, stage: str) -> None:
    """From the registers alone: page tables of each device, and where its interrupt goes, which is nobody else's place."""
    machine, iommu, interrupts = made(kind, stage)
    unit = KINDS[kind](machine.memory(), iommu.unit.registers)
    assert 35 == len(iommu.tables) == len(set(interrupts.places.values()))
    for number, place in interrupts.places.items():
        source = source_of(number)
        found = unit.table(source)
        assert found is not None
        assert (iommu.tables[number].top_table, KINDS[kind].shape(stage).format) == (found.top_table, found.format.name)
        assert place == unit.raised(source, unit.message(source))
        assert unit.sound(source, place)
        assert not unit.sound(source, (place[0] + 1, place[1]))
    for stranger in (source_of(1), source_of(700), 0xFFFF):
        assert unit.table(stranger) is None
        if kind != "vtd":  # there the entry is chosen by the message, and refused for another's
            assert unit.raised(stranger, unit.message(source_of(0))) is None
    assert unit.raised(source_of(2), unit.message(source_of(0))) in (None, interrupts.places[2])
    assert unit.raised(source_of(0), (0x1000, 0)) is None


@KIND
@STAGE
def test_a_stamp_goes_where_the_ring_is(kind: str, stage: str) -> None:
    """Its pages are mapped in reverse."""
    machine, iommu, _ = made(kind, stage)
    table = iommu.unit.table(source_of(2))
    assert table is not None
    Dma(table).stamp(Ring(IOVA + 2 * WINDOW, 100, STRIDE, 2), 0, 65)
    written = STAMP.unpack(machine.span(iommu.guest.pa + 2 * PAGE, STAMP.size))  # behind the counters and the ring of device 0
    assert (64, 2) == written[:2]


@KIND
@STAGE
def test_the_unit_is_one_that_devstate_reads(kind: str, stage: str) -> None:
    """The same devices, page tables and interrupts; nothing is wrong with any of it."""
    machine, iommu, interrupts = made(kind, stage)
    seen = read_unit(machine.memory(), kind, None, iommu.unit.registers)
    assert {source_of(number): table.top_table for number, table in iommu.tables.items()} == {
        each.source_id: each.top_table for each in seen.devices
    }
    assert () == verify_unit(seen, tables=True)
    entries = [entry for table in seen.interrupts or () for entry in table.entries if entry.present]
    assert (len(interrupts.places) if KINDS[kind].remaps else 0) == len(entries)
    assert () == seen.assumed


@KIND
@STAGE
def test_all_pages_are_known(kind: str, stage: str) -> None:
    """Whatever is not zero in the kernel's half stands in one of them."""
    machine, iommu, _ = made(kind, stage)
    pages = {*iommu.pages()}
    used = {pa for pa in range(0x1_0000_0000, iommu.guest.pa, PAGE) if any(machine.span(pa, PAGE))}
    assert used <= pages


@KIND
@STAGE
def test_damage_is_stopped_or_seen(kind: str, stage: str) -> None:
    """Each byte of each entry on the way to page tables: hardware never raises, and a change of where it goes changes what is read."""
    machine, iommu, _ = made(kind, stage, PLANS[:1])
    before, source = iommu.unit.table(0), 0
    assert before is not None
    said = _said(machine, iommu)
    for table in iommu.look().tables:
        for at in range(min(table.size, 64)):
            byte = machine.span(table.pa + at, 1)
            byte[0] ^= 0xFF
            found = iommu.unit.table(source)
            same = found is not None and repr(found) == repr(before) and found.top_entries == before.top_entries
            assert same or _said(machine, iommu) != said, f"{table.schema}, byte {at}"
            byte[0] ^= 0xFF
    assert repr(before) == repr(iommu.unit.table(source))


def _said(machine: Machine, iommu: Iommu) -> object:
    """What a kernel would leave of the unit, and what it would find wrong."""
    seen = read_unit(machine.memory(), iommu.kind.kind, None, iommu.unit.registers)
    return unit_state(seen), [each.rule for each in seen.findings]


def test_lpis_wait_while_they_are_masked() -> None:
    """Once, however often they come; then they are taken, once. Who clears the bits meanwhile has lost them."""
    _, iommu, interrupts = made("smmuv3", "second")
    unit, place = iommu.unit, interrupts.places[0]
    assert not unit.masked(place)
    interrupts.freeze()
    assert unit.masked(place)
    unit.pend(place)
    unit.pend(place)
    interrupts.release()
    assert [False, True, False] == [unit.masked(place), unit.taken(place), unit.taken(place)]


def test_the_records_of_lpis_say_what_is_pending() -> None:
    """Enabled or not, and pending where it is."""
    _, iommu, interrupts = made("smmuv3", "second")
    interrupts.freeze()
    iommu.unit.pend(interrupts.places[2])
    (lpis,) = [part.records for part in iommu.unit.parts({}) if part.path.endswith("lpis")]
    assert {0: 0, source_of(2): 2, source_of(3): 0}.items() <= {each["device"]: each["flags"] for each in lpis}.items()


@KIND
def test_as_many_places_as_it_says(kind: str) -> None:
    """The last of them is one of its own, too."""
    unit = KINDS[kind]
    most = unit.places(3)
    places = {unit.place(number, 3) for number in range(most)}
    assert most == len(places)
    assert all(vector < 256 for _, vector in places) or kind == "smmuv3"


def test_a_guest_without_room_for_rings() -> None:
    """Is refused."""
    plans = tuple([DevicePlan(f"d{number}", slots=4096) for number in range(40)])
    with pytest.raises(LiveUpdateError, match="no room for the rings"):
        made("amd", "second", plans)


@KIND
@STAGE
def test_a_machine_without_devices(kind: str, stage: str) -> None:
    """Has a unit all the same, which lets nobody through."""
    machine, iommu, interrupts = made(kind, stage, (DevicePlan("bridge", slots=0),))
    seen = iommu.look()
    assert ((), (), {}) == (seen.devices, verify_unit(seen), interrupts.places)
    assert iommu.pages() and iommu.unit.table(0) is None
    assert [] == [row for part in iommu.unit.parts({}) if part.many and part.path.endswith("lpis") for row in part.records]
    assert machine.size == 16 << 20


def test_before_there_is_a_unit() -> None:
    """There is none to ask."""
    machine = Machine.create(8 << 20, 0)
    iommu = Iommu(machine, GuestMemory(machine), Scenario("none"))
    with pytest.raises(LiveUpdateError, match="no IOMMU unit"):
        Interrupts(iommu).freeze()


def test_a_walk_out_of_memory_is_an_error_for_kernels() -> None:
    """And a stop for hardware."""
    machine, iommu, _ = made("smmuv3", "second", PLANS[:1])
    lost = Smmuv3(machine.memory(), iommu.unit.registers | {"STRTAB_BASE": 0x1000})
    assert lost.table(0) is None
    with pytest.raises((DecodeError, UsageError)):
        lost.found(0)
