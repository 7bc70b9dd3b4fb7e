# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who takes part in a rehearsal: guest memory, vCPUs, the IOMMU, interrupts, devices with drivers. Each of them works on real bytes.

Beside the callbacks of the orchestrator each has ``parts()``, what it leaves, and ``restore(left)``, which looks before it trusts: what
does not hold is a LiveUpdateError, and then nothing of it is used. ``name`` is its subsystem in the subtree ``devstate``.
"""

from __future__ import annotations

import errno
import os
import random

from devstate.errors import DecodeError, LiveUpdateError
from devstate.handover.guests import guests_of
from devstate.handover.spec import GuestRange, GuestSpec, PartSpec
from devstate.luo.devices import Device, Devices, DeviceState
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.prove import prove
from devstate.pagetable.table import PageTable
from devstate.pagetable.verify import verify
from devstate.rehearsal import interrupts
from devstate.rehearsal.drivers import Bus, Driver, load_driver
from devstate.rehearsal.machine import BASE, PAGE, Machine
from devstate.rehearsal.state import Left, chars, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from devstate.layout.registry import Registry
    from devstate.luo.engine import Engine
    from devstate.luo.states import State
    from devstate.memory.arena import Arena
    from devstate.pagetable.coverage import Coverage
    from devstate.rehearsal.scenario import DevicePlan, Scenario

FORMAT = "vtd-second-stage"
LEVELS = 3
READ_WRITE = 3
STRIDE = 64
"""Bytes between stamps: a cache line."""

IOVA, WINDOW = 0x4000_0000, 1 << 24
"""Where the first device's ring is in its iova space, and how far from it that of the next one."""

VECTOR = 0x40
EVERY = 256
"""Stamps between two interrupts of a device."""

GUEST = "guest"
"""The guest, as parts and sessions call it."""

UNIT, MACHINE = "dmar0", "machine"
NONE = 0xFFFFFFFF
VTD, SECOND_STAGE, IN_PLACE = 1, 3, 4
INTERRUPT_TABLE, EXTENDED_IDS = 11, 1
MSIX, ENABLED = 2, 1
REQUESTED, PRESERVED, FROZEN = 1, 2, 2
"""Numbers of the schemas' names: iommu-unit-v1, interrupts-v1, devices-v1."""


def holds(condition: object, reason: str) -> None:
    """LiveUpdateError EINVAL unless something holds."""
    if not condition:
        raise LiveUpdateError(errno.EINVAL, reason)


class GuestMemory:
    """The guest's RAM: the upper half of the machine's memory. Its first page counts the interrupts that the guest has taken."""

    name = "memory"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.pa = BASE + machine.size // 2
        self.size = machine.size // 2
        self.covered: Callable[[int, int], bool] = lambda pa, size: False

    def fill(self, seed: int) -> None:
        """At a cold boot: bytes that are known, and different on every page."""
        self.machine.span(self.pa + PAGE, self.size - PAGE)[:] = pattern(seed, self.size - PAGE)

    def prepare(self) -> None:
        """It stays where it is."""

    def freeze(self) -> None:
        """Nothing to do: no vCPU writes any more."""

    def guest(self, session: str, token: int) -> GuestSpec:
        """Where it is, and which file keeps it; devices write to it through the jump."""
        return GuestSpec(GUEST, (GuestRange(0, self.size, session, token, flags=("shared", "pinned")),))

    def restore(self, left: Left) -> None:
        """It must be where this kernel's guest has it, in one piece or many, and preserved."""
        holds(self.covered(self.pa, self.size), "guest memory is not all preserved")
        for guest in guests_of(left.handover):
            at = 0
            for gpa, pa, size in zip(*[guest.extents[name].tolist() for name in ("gpa", "pa", "size")], strict=True):
                holds((gpa, pa) == (at, self.pa + at), f"guest memory at {gpa:#x} is at {pa:#x}, not where it was")
                at += size
            holds((guest.name, at) == (GUEST, self.size), f"{guest.name} has {at:#x} bytes, not {self.size:#x}")

    def took(self, device: int, count: int) -> None:
        """The guest took interrupts of a device."""
        counters = self.machine.span(self.pa, PAGE).cast("Q")
        counters[device] += count

    def taken(self, device: int) -> int:
        """How many interrupts of a device the guest has taken."""
        return self.machine.span(self.pa, PAGE).cast("Q")[device]


def pattern(seed: int, size: int) -> bytes:
    """The guest's bytes, whole pages of them: each begins with its number."""
    piece = random.Random(seed).randbytes(min(size, 1 << 20))
    data = bytearray((piece * -(-size // len(piece)))[:size])
    for page in range(size // PAGE):
        data[page * PAGE : page * PAGE + 8] = page.to_bytes(8, "little")
    return bytes(data)


class Interrupts:
    """The remapping table: one entry for each device that does DMA."""

    name = "interrupts"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.table = 0
        self.entries: dict[int, tuple[int, int]] = {}

    @property
    def register(self) -> int:
        """IRTA: where the table is, 32-bit APIC ids, and log2 of its entries less 1."""
        return self.table | 1 << 11 | (interrupts.ENTRIES.bit_length() - 2)

    def route(self, arena: Arena, devices: list[int], vcpus: int) -> None:
        """At a cold boot: a page of entries, one for each device."""
        self.table = arena.alloc()
        for number in devices:
            place = number % vcpus, VECTOR + number % (256 - VECTOR)
            arena.write(self.table + interrupts.ENTRY_SIZE * number, interrupts.entry(place[1], place[0], number << 3))
            self.entries[number] = place

    def parts(self) -> tuple[PartSpec, ...]:
        """The vectors of all devices, the entry that each leads to, and where that goes. The table itself is in place."""
        path, form = f"interrupts/{GUEST}", "interrupts-v1"
        head = {
            "name": chars(GUEST), "vectors": len(self.entries), "pins": 0, "affinities": len(self.entries), "masks": 0, "routes": 0,
            "irqfds": 0, "posted": 0, "flags": EXTENDED_IDS, "vm": 0,
        }  # fmt: skip
        vectors = [
            {
                "segment": 0, "source_id": number << 3, "index": 0, "kind": MSIX, "flags": ENABLED, "address": interrupts.message(number),
                "data": 0, "unit": 0, "entry": number, "irq": vector,
            }
            for number, (_, vector) in self.entries.items()
        ]  # fmt: skip
        affinities = [
            {
                "unit": 0, "entry": number, "segment": 0, "source_id": number << 3, "flags": 0, "apic_id": destination,
                "cpu": destination, "mask_first": 0, "mask_words": 0,
            }
            for number, (destination, _) in self.entries.items()
        ]  # fmt: skip
        return (
            PartSpec(path, form, (head,)),
            PartSpec(f"{path}/vectors", form, tuple(vectors), "ds_msi_vector", many=True),
            PartSpec(f"{path}/affinities", form, tuple(affinities), "ds_irq_affinity", many=True),
        )

    def restore(self, left: Left) -> None:
        """Each entry that was in use says what it said: nothing was routed elsewhere meanwhile."""
        path, form = f"interrupts/{GUEST}", "interrupts-v1"
        vectors, affinities = left.records(f"{path}/vectors", form), left.records(f"{path}/affinities", form)
        head, memory = left.record(path, form), self.machine.memory()
        self.table = left.record(f"iommu/{UNIT}", "iommu-unit-v1").interrupts // PAGE * PAGE
        holds((head.vectors, head.affinities) == (len(vectors), len(affinities)), "not as many vectors as were said")
        holds(len(vectors) == len(affinities), "not each vector has a processor")
        holds(not vectors or memory.contains(self.table, PAGE), "the interrupt table is not in memory")
        for vector, affinity in zip(vectors, affinities, strict=True):
            place = affinity.apic_id, vector.irq
            found = interrupts.raised_at(memory, self.table, vector.entry)
            holds(found == place and affinity.entry == vector.entry, f"interrupt entry {vector.entry} goes to {found}, not to {place}")
            holds(vector.address == interrupts.message(vector.entry), f"the message of entry {vector.entry} leads elsewhere")
            self.entries[vector.source_id >> 3] = place


class Iommu:
    """A domain for each device that does DMA: its page tables stay in place, and the hardware goes on using them."""

    name = "iommu"

    def __init__(self, machine: Machine, guest: GuestMemory, interrupts: Interrupts) -> None:
        self.machine, self.guest, self.interrupts = machine, guest, interrupts
        self.tables: dict[int, PageTable] = {}
        self.slots: dict[int, int] = {}

    def attach(self, arena: Arena, plans: tuple[DevicePlan, ...]) -> None:
        """At a cold boot: build the tables of all devices. Pages of a ring are mapped in reverse: their order is the tables' alone."""
        at = self.guest.pa + PAGE
        for number, plan in enumerate(plans):
            pages = -(-plan.slots * STRIDE // PAGE)
            if not pages:
                continue
            holds(at + pages * PAGE <= self.guest.pa + self.guest.size, "the guest has no room for the rings of its devices")
            start = IOVA + WINDOW * number
            mapped = [Mapping(start + PAGE * page, at + PAGE * (pages - 1 - page), PAGE, READ_WRITE) for page in range(pages)]
            built = build(arena, FORMAT, mapped, LEVELS)
            self.tables[number] = PageTable(self.machine.memory(), FORMAT, built.top_table, LEVELS)
            self.slots[number] = plan.slots
            at += pages * PAGE

    def pages(self) -> list[int]:
        """Addresses of all table pages."""
        return sorted({pa for table in self.tables.values() for pas in table.table_pages().values() for pa in pas})

    def prepare(self) -> None:
        """The tables are sound before anything is promised."""
        for number, table in self.tables.items():
            holds(not verify(table).findings, f"the page tables of device {number} are not sound")

    def parts(self) -> tuple[PartSpec, ...]:
        """The unit, its domains and who is attached; all tables are in place."""
        path, form = f"iommu/{UNIT}", "iommu-unit-v1"
        unit = {
            "name": chars(UNIT), "kind": VTD, "segment": 0, "base": 0, "root": 0, "form": 0,
            "interrupts": self.interrupts.register, "features": (0, 0, 0, 0), "tables": 1,
            "domains": len(self.tables), "attachments": len(self.tables), "windows": 0, "flags": 0,
            "padding": 0,
        }  # fmt: skip
        table = {"kind": INTERRUPT_TABLE, "entry_size": interrupts.ENTRY_SIZE, "pa": self.interrupts.table, "size": PAGE}
        domains = [self._domain(number, table) for number, table in self.tables.items()]
        attachments = [
            {
                "segment": 0, "source_id": number << 3, "pasid": NONE, "domain": place, "translation": SECOND_STAGE, "flags": 0,
                "padding": 0, "entry_pa": 0, "entry": (0, 0, 0, 0),
            }
            for place, number in enumerate(self.tables)
        ]  # fmt: skip
        return (
            PartSpec(path, form, (unit,)),
            PartSpec(f"{path}/tables", form, (table,), "ds_iommu_table", many=True),
            PartSpec(f"{path}/domains", form, tuple(domains), "ds_iommu_domain", many=True),
            PartSpec(f"{path}/attachments", form, tuple(attachments), "ds_iommu_attachment", many=True),
        )

    def _domain(self, number: int, table: PageTable) -> dict[str, Any]:
        walk = table.walk()
        first, size = IOVA + WINDOW * number, -(-self.slots[number] * STRIDE // PAGE) * PAGE
        return {
            "id": number, "levels": LEVELS, "granule_shift": 12, "flags": IN_PLACE, "format": chars(FORMAT, 24),
            "top_table": table.top_table, "top_entries": table.top_entries, "parent": NONE, "first": first, "last": first + size - 1,
            "table_pages": sum(walk.tables.values()), "bytes_mapped": size, "dirty_map": 0, "dirty_size": 0, "dirty_first": 0,
            "dirty_shift": 0, "padding": 0,
        }  # fmt: skip

    def restore(self, left: Left) -> None:
        """Every root leads to sound tables, which map as much as was said. What they reach is for :meth:`proven`."""
        path, form = f"iommu/{UNIT}", "iommu-unit-v1"
        domains, attachments = left.records(f"{path}/domains", form), left.records(f"{path}/attachments", form)
        unit = left.record(path, form)
        holds((unit.domains, unit.attachments) == (len(domains), len(attachments)), "the unit does not have as many domains as were left")
        for each in attachments:
            number = each.source_id >> 3
            holds(each.domain < len(domains) and each.translation == SECOND_STAGE, f"device {number} is attached to no domain that is left")
            domain = domains[each.domain]
            holds((text_of(domain.format), domain.id) == (FORMAT, number), f"the domain of device {number} is of another form")
            try:
                table = PageTable(self.machine.memory(), FORMAT, domain.top_table, domain.levels)
                findings, walk = verify(table).findings, table.walk()
            except DecodeError as error:
                raise LiveUpdateError(errno.EINVAL, f"device {number}: {error}") from error
            holds(not findings, f"the page tables of device {number} are not sound")
            holds(walk.bytes == domain.bytes_mapped, f"device {number} maps {walk.bytes:#x} bytes, {domain.bytes_mapped:#x} were left")
            self.tables[number] = table
            self.slots[number] = (domain.last + 1 - domain.first) // STRIDE

    def proven(self, coverage: Coverage) -> None:
        """No device can reach memory that is not preserved. EINVAL with the first place that it can."""
        for number, table in self.tables.items():
            holds(bool(prove(table, coverage)), f"device {number} can reach memory that is not preserved")


class RehearsedDevices(Devices):
    """The device tree of a scenario, in the kernel of one hop."""

    def __init__(
        self, scenario: Scenario, hop: int, machine: Machine, engine: Engine, state: Callable[[], State], registry: Registry
    ) -> None:
        super().__init__(engine=engine, state=state)
        self.scenario = scenario
        bus, root = Bus(), Device("root", driver=Bus(), bus=Bus())
        made: dict[str, Device] = {}
        waiting = list(enumerate(scenario.devices))
        while waiting:  # parents may stand behind their children
            for number, plan in [each for each in waiting if each[1].parent is None or each[1].parent in made]:
                driver = load_driver(plan.driver)(plan.drivers[hop], number, machine, registry)
                made[plan.name] = Device(plan.name, made[plan.parent] if plan.parent else root, driver=driver, bus=bus)
                waiting.remove((number, plan))
        for device in (root, *made.values()):
            self.add(device)

    def drivers(self) -> Iterator[Driver]:
        """Those of the devices of the scenario, in its order."""
        for device in self._planned():
            yield device.driver

    def probe(self, arena: Arena) -> None:
        """At a cold boot: every driver sets its device up."""
        for driver in self.drivers():
            driver.probe(arena)

    def ask(self) -> None:
        """User space asks for the devices that the scenario says."""
        for plan, device in zip(self.scenario.devices, self._planned(), strict=True):
            if plan.requested:
                self.request(device)

    def take_back(self) -> None:
        """User space reclaims the devices that the scenario says."""
        for plan, device in zip(self.scenario.devices, self._planned(), strict=True):
            if device.preserved and plan.reclaim:
                self.reclaim(device)

    def _planned(self) -> list[Device]:
        return [next(device for device in self if device.name == plan.name) for plan in self.scenario.devices]

    def parts(self) -> tuple[PartSpec, ...]:
        """The devices that come along, and what each driver left."""
        path, form = f"devices/{MACHINE}", "devices-v1"
        states = self.saved()
        places = {state.path: place for place, state in enumerate(states)}
        rows = [
            {
                "path": chars(state.path, 128), "parent": places.get(state.path.rpartition("/")[0], NONE), "depth": state.depth,
                "bus": chars(Bus.name, 32), "driver": chars(state.payload[0] if state.payload else "", 48),
                "flags": PRESERVED | (REQUESTED if state.requested else 0), "phase": FROZEN,
            }
            for state in states
        ]  # fmt: skip
        drivers = [
            PartSpec(f"{path}/driver-{place}", state.payload[0], (state.payload[1],)) for place, state in enumerate(states) if state.payload
        ]
        head = PartSpec(path, form, ({"devices": len(rows), "flags": 0},))
        return (head, PartSpec(f"{path}/devices", form, tuple(rows), "ds_device", many=True), *drivers)

    def restore(self, left: Left) -> None:
        """Take it up, parents first. ENODEV for a device that is not here, else the error of the first driver that cannot."""
        path, form = f"devices/{MACHINE}", "devices-v1"
        rows = left.records(f"{path}/devices", form)
        holds(left.record(path, form).devices == len(rows), "not as many devices as were said")
        states = []
        for place, row in enumerate(rows):
            compatible, own = text_of(row.driver), f"{path}/driver-{place}"
            payload = (compatible, left.record(own, compatible)) if compatible else None
            states.append(DeviceState(text_of(row.path), row.depth, bool(row.flags & REQUESTED), payload))
        self.receive(states)


def take_interrupts(guest: GuestMemory, events: dict[int, int]) -> None:
    """The guest takes what is pending: from each device's event descriptor into its own memory."""
    for number, fd in events.items():
        try:
            guest.took(number, os.eventfd_read(fd))
        except BlockingIOError:
            continue
