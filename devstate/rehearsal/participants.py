# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who takes part in a rehearsal: guest memory, vCPUs, the IOMMU, interrupts, devices with drivers. Each of them works on real bytes.

Beside the callbacks of the orchestrator each has ``save()``, what it leaves (plain data), and ``restore(left)``, which looks before it
trusts: what does not hold is a LiveUpdateError, and then nothing of it is used.
"""

from __future__ import annotations

import errno
import os
import random

from devstate.errors import DecodeError, LiveUpdateError
from devstate.luo.devices import Device, Devices, DeviceState
from devstate.pagetable.build import build
from devstate.pagetable.coverage import Coverage
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.prove import prove
from devstate.pagetable.table import PageTable
from devstate.pagetable.verify import verify
from devstate.rehearsal import interrupts
from devstate.rehearsal.drivers import Bus, Driver
from devstate.rehearsal.machine import BASE, PAGE, Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devstate.luo.engine import Engine
    from devstate.luo.states import State
    from devstate.memory.arena import Arena
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

REGISTERS = 32
"""u64 registers of a vCPU, as far as a rehearsal has them."""


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

    def save(self) -> Any:
        """Where it is."""
        return [self.pa, self.size]

    def restore(self, left: Any) -> None:
        """It must be where this kernel's guest has it, and preserved."""
        holds(left == [self.pa, self.size], f"guest memory is not where it was: {left}")
        holds(self.covered(self.pa, self.size), "guest memory is not all preserved")

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


class Vcpus:
    """The guest's processors, as their registers."""

    name = "vcpus"

    def __init__(self, count: int) -> None:
        self.registers = [[0] * REGISTERS for _ in range(count)]
        self.frozen: list[list[int]] | None = None

    def run(self, seed: int) -> None:
        """They work: registers are other than before."""
        made = random.Random(seed)
        self.registers = [[made.getrandbits(64) for _ in row] for row in self.registers]

    def freeze(self) -> None:
        """They stop."""
        self.frozen = [list(row) for row in self.registers]

    def cancel(self) -> None:
        """They go on."""
        self.frozen = None

    def save(self) -> Any:
        """All registers."""
        return self.frozen

    def restore(self, left: Any) -> None:
        """As many vCPUs, of as many registers."""
        fits = isinstance(left, list) and len(left) == len(self.registers)
        fits = fits and all(isinstance(row, list) and len(row) == REGISTERS for row in left)
        holds(fits and all(isinstance(each, int) and 0 <= each < 1 << 64 for row in left for each in row), "vCPUs are not what they were")
        self.registers = [list(row) for row in left]


class Iommu:
    """A domain for each device that does DMA: its page tables stay in place, and the hardware goes on using them."""

    name = "iommu"

    def __init__(self, machine: Machine, guest: GuestMemory) -> None:
        self.machine, self.guest = machine, guest
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

    def save(self) -> Any:
        """Roots; the tables are in place."""
        return {number: [table.top_table, LEVELS, self.slots[number]] for number, table in self.tables.items()}

    def restore(self, left: Any) -> None:
        """Every root leads to sound tables, and all that they map, and they themselves, are preserved."""
        holds(isinstance(left, dict), "no domains were left")
        for number, (top, levels, slots) in left.items():
            try:
                table = PageTable(self.machine.memory(), FORMAT, top, levels)
                sound = not verify(table).findings
            except (DecodeError, TypeError) as error:
                raise LiveUpdateError(errno.EINVAL, f"device {number}: {error}") from error
            holds(sound, f"the page tables of device {number} are not sound")
            self.tables[number], self.slots[number] = table, slots

    def proven(self, coverage: Coverage) -> None:
        """No device can reach memory that is not preserved. EINVAL with the first place that it can."""
        for number, table in self.tables.items():
            holds(bool(prove(table, coverage)), f"device {number} can reach memory that is not preserved")


class Interrupts:
    """The remapping table: one entry for each device that does DMA."""

    name = "interrupts"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.table = 0
        self.entries: dict[int, tuple[int, int]] = {}

    def route(self, arena: Arena, devices: list[int], vcpus: int) -> None:
        """At a cold boot: a page of entries, one for each device."""
        self.table = arena.alloc()
        for number in devices:
            place = number % vcpus, VECTOR + number % (256 - VECTOR)
            arena.write(self.table + interrupts.ENTRY_SIZE * number, interrupts.entry(place[1], place[0], number << 3))
            self.entries[number] = place

    def save(self) -> Any:
        """Where the table is, and what each entry in use must say."""
        return [self.table, {number: list(place) for number, place in self.entries.items()}]

    def restore(self, left: Any) -> None:
        """Each entry that was in use says what it said: nothing was routed elsewhere meanwhile."""
        holds(isinstance(left, list) and len(left) == 2, "no interrupt table was left")
        self.table, memory = left[0], self.machine.memory()
        holds(isinstance(self.table, int) and memory.contains(self.table, PAGE), "the interrupt table is not in memory")
        for number, place in left[1].items():
            found = interrupts.raised_at(memory, self.table, number)
            holds(found == tuple(place), f"the interrupt of device {number} goes to {found}, not to {tuple(place)}")
            self.entries[number] = (place[0], place[1])


class RehearsedDevices(Devices):
    """The device tree of a scenario, in the kernel of one hop."""

    def __init__(self, scenario: Scenario, hop: int, machine: Machine, engine: Engine, state: Callable[[], State]) -> None:
        super().__init__(engine=engine, state=state)
        self.scenario = scenario
        bus, root = Bus(), Device("root", driver=Bus(), bus=Bus())
        made: dict[str, Device] = {}
        waiting = list(enumerate(scenario.devices))
        while waiting:  # parents may stand behind their children
            for number, plan in [each for each in waiting if each[1].parent is None or each[1].parent in made]:
                driver = Driver(plan.drivers[hop], number, machine)
                made[plan.name] = Device(plan.name, made[plan.parent] if plan.parent else root, driver=driver, bus=bus)
                waiting.remove((number, plan))
        for device in (root, *made.values()):
            self.add(device)

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

    def save(self) -> Any:
        """What the jump carries."""
        return [[each.path, each.depth, each.requested, each.payload] for each in self.saved()]

    def restore_left(self, left: Any) -> None:
        """Take it up. EINVAL for what no jump carries."""
        holds(isinstance(left, list) and all(isinstance(row, list) and len(row) == 4 for row in left), "no devices were left")
        self.restore([DeviceState(*row) for row in left])


def take_interrupts(guest: GuestMemory, events: dict[int, int]) -> None:
    """The guest takes what is pending: from each device's event descriptor into its own memory."""
    for number, fd in events.items():
        try:
            guest.took(number, os.eventfd_read(fd))
        except BlockingIOError:
            continue
