# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A domain for each device that does DMA: its page tables stay in place, and the hardware goes on using them."""

from __future__ import annotations

import errno

from devstate.errors import DecodeError, LiveUpdateError
from devstate.handover.spec import PartSpec
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.prove import prove
from devstate.pagetable.table import PageTable
from devstate.pagetable.verify import verify
from devstate.rehearsal.guest import GuestMemory
from devstate.rehearsal.interrupts import ENTRY_SIZE, UNIT, Interrupts
from devstate.rehearsal.machine import PAGE, STRIDE, Machine
from devstate.rehearsal.state import NONE, Left, chars, holds, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.memory.arena import Arena
    from devstate.pagetable.coverage import Coverage
    from devstate.rehearsal.scenario import DevicePlan

FORMAT = "vtd-second-stage"
LEVELS = 3
READ_WRITE = 3

IOVA, WINDOW = 0x4000_0000, 1 << 24
"""Where the first device's ring is in its iova space, and how far from it that of the next one."""

VTD, SECOND_STAGE, IN_PLACE, INTERRUPT_TABLE = 1, 3, 4, 11
"""Numbers of iommu-unit-v1's names."""


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
        table = {"kind": INTERRUPT_TABLE, "entry_size": ENTRY_SIZE, "pa": self.interrupts.table, "size": PAGE}
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
