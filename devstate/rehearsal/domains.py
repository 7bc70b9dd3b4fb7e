# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A domain for each device that does DMA: its page tables stay in place, and the hardware goes on using them.

What is left are the records that `devstate iommu --parts` makes of any unit: registers, tables, domains, attachments with the words of
their entries; and, where a scenario wants it, the page tables as streams beside those in memory.
"""

from __future__ import annotations

import errno

from devstate.errors import DecodeError, LiveUpdateError, UsageError
from devstate.finding import Severity
from devstate.handover.iommu.packed import STREAM, packed_tables
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.state import FORMAT, KINDS, STRUCTS, registers_of, unit_state
from devstate.handover.iommu.verify import verify_unit
from devstate.handover.spec import PartSpec
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.prove import prove
from devstate.pagetable.verify import verify
from devstate.rehearsal.guest import GuestMemory
from devstate.rehearsal.machine import PAGE, STRIDE, Machine
from devstate.rehearsal.state import Left, holds, text_of
from devstate.rehearsal.units.kinds import KINDS as UNITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping as Mapped

    from devstate.codec.record import Record
    from devstate.handover.iommu.model import Unit as Seen
    from devstate.memory.arena import Arena
    from devstate.pagetable.coverage import Coverage
    from devstate.pagetable.table import PageTable
    from devstate.rehearsal.scenario import Scenario
    from devstate.rehearsal.units.unit import Place, Unit

READ_WRITE = 3

IOVA, WINDOW = 0x4000_0000, 1 << 24
"""Where the first device's ring is in its iova space, and how far from it that of the next one."""

ARRAYS = ("tables", "domains", "attachments")
"""The parts of a unit that are left, beside itself; it has no windows."""

STREAMS = "packed"
"""What a scenario calls page tables that are left as streams, too."""


def source_of(number: int) -> int:
    """Bus, device and function of a device: function 0 of the next."""
    return number << 3


class Iommu:
    """The unit of the scenario's kind, and the page tables of each device."""

    name = "iommu"

    def __init__(self, machine: Machine, guest: GuestMemory, scenario: Scenario) -> None:
        self.machine, self.guest, self.scenario = machine, guest, scenario
        self.kind = UNITS[scenario.iommu]
        self.tables: dict[int, PageTable] = {}
        self._unit: Unit | None = None

    @property
    def unit(self) -> Unit:
        """The unit. LiveUpdateError ENOENT before it was set up, or found."""
        if self._unit is None:
            raise LiveUpdateError(errno.ENOENT, "there is no IOMMU unit")
        return self._unit

    def attach(self, arena: Arena, places: Mapped[int, Place]) -> None:
        """At a cold boot: build the tables of all devices. Pages of a ring are mapped in reverse: their order is the tables' alone."""
        at, shape, built = self.guest.pa + PAGE, self.kind.shape(self.scenario.stage), {}
        for number in places:
            pages = self._pages(number)
            holds(at + pages * PAGE <= self.guest.pa + self.guest.size, "the guest has no room for the rings of its devices")
            start = IOVA + WINDOW * number
            mapped = [Mapping(start + PAGE * page, at + PAGE * (pages - 1 - page), PAGE, READ_WRITE) for page in range(pages)]
            built[source_of(number)] = build(arena, shape.format, mapped, shape.levels, sign_extended=shape.sign_extended)
            at += pages * PAGE
        self._unit = self.kind.write(arena, self.machine.memory(), built, {source_of(number): place for number, place in places.items()})
        self.tables = {number: self._found(number) for number in places}
        self.machine.program({"iommu": self.kind.kind, "registers": self._unit.registers})

    def _pages(self, number: int) -> int:
        """Pages of a device's ring."""
        return -(-self.scenario.devices[number].slots * STRIDE // PAGE)

    def _found(self, number: int) -> PageTable:
        """The page tables of a device, from the root on. LiveUpdateError EINVAL when the way is damaged."""
        try:
            table = self.unit.found(source_of(number))
        except (DecodeError, UsageError) as error:
            raise LiveUpdateError(errno.EINVAL, f"device {number}: {error}") from error
        if table is None:
            raise LiveUpdateError(errno.EINVAL, f"no entry leads device {number} to page tables")
        return table

    def look(self, *, walks: bool = True) -> Seen:
        """The unit as its tables have it; ``walks``: and what its page tables map."""
        return read_unit(self.machine.memory(), self.kind.kind, None, self.unit.registers, walks=walks)

    def pages(self) -> list[int]:
        """Addresses of all pages of page tables, and of the tables that lead there."""
        found = {pa for table in self.tables.values() for pas in table.table_pages().values() for pa in pas}
        if self._unit is not None:
            found |= {pa for each in self.look(walks=False).tables for pa in range(each.pa // PAGE * PAGE, each.pa + each.size, PAGE)}
            found |= {*self._unit.pages()}
        return sorted(found)

    def prepare(self) -> None:
        """All tables are sound before anything is promised."""
        for number, table in self.tables.items():
            holds(not verify(table).findings, f"the page tables of device {number} are not sound")
        errors = [each for each in verify_unit(self.look()) if each.severity is Severity.ERROR]
        holds(not errors, f"the tables of the unit: {errors[0].message}" if errors else "")

    def parts(self) -> tuple[PartSpec, ...]:
        """The unit, its domains and who is attached; all tables are in place."""
        path, seen = f"iommu/{self.kind.name}", self.look()
        streams = packed_tables(seen) if self.scenario.tables == STREAMS else {}
        state = unit_state(seen, self.kind.name, packed=streams)
        arrays = [PartSpec(f"{path}/{part}", FORMAT, tuple(state[part]), STRUCTS[part], many=True) for part in ARRAYS]
        packed = [PartSpec(f"{path}/tables-{place}", STREAM, (), raw=stream) for place, stream in streams.items()]
        return (PartSpec(path, FORMAT, (state["state"][0],)), *arrays, *packed)

    def restore(self, left: Left) -> None:
        """Every device is led to the tables that were left, and these are sound. What they reach is for :meth:`proven`."""
        path = f"iommu/{self.kind.name}"
        head = left.record(path, FORMAT)
        domains, attachments = left.records(f"{path}/domains", FORMAT), left.records(f"{path}/attachments", FORMAT)
        holds(head.kind == KINDS[self.kind.kind], "a unit of another kind was left")
        holds((head.domains, head.attachments) == (len(domains), len(attachments)), "the unit does not have as many domains as were left")
        self._unit = self.kind(self.machine.memory(), registers_of(self.kind.kind, head))
        for each in attachments:
            number = each.source_id >> 3
            holds(each.domain < len(domains), f"device {number} is attached to no domain that is left")
            self.tables[number] = self._restored(number, domains[each.domain])
        holds(len(self.look(walks=False).devices) == len(attachments), "the unit lets more devices through than were left, or less")

    def _restored(self, number: int, domain: Record) -> PageTable:
        """The page tables of a device. EINVAL when they are not those that were left."""
        table = self._found(number)
        said = text_of(domain.format), domain.levels, domain.top_table
        holds((table.format.name, table.levels, table.top_table) == said, f"device {number} is not led to the tables that were left")
        try:
            findings, walk = verify(table).findings, table.walk()
        except DecodeError as error:
            raise LiveUpdateError(errno.EINVAL, f"device {number}: {error}") from error
        holds(not findings, f"the page tables of device {number} are not sound")
        holds(walk.bytes == domain.bytes_mapped, f"device {number} maps {walk.bytes:#x} bytes, {domain.bytes_mapped:#x} were left")
        return table

    def proven(self, coverage: Coverage) -> None:
        """No device can reach memory that is not preserved, and no table is there. EINVAL with the first place that it can."""
        for number, table in self.tables.items():
            holds(bool(prove(table, coverage)), f"device {number} can reach memory that is not preserved")
        holds(all(self.guest.covered(pa, PAGE) for pa in self.pages()), "a table of the unit is not preserved")
