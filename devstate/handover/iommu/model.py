# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What an IOMMU unit says: devices, the page tables that they use, domains, interrupt entries. Plain data.

::

    Unit ─┬─ Device (source id, PASID) ── Stage ── PageTable      one, or two when a guest has tables of its own
          ├─ Domain: equal stages, and the devices that use them
          ├─ Run: neighbours with one and the same entry that gives them no tables
          └─ InterruptTable ── InterruptEntry

Details are numbers by name, in the order to be shown; a PhysAddr is an address, a tuple the words of an entry.
"""

from __future__ import annotations

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from devstate.finding import Finding
    from devstate.pagetable.mapping import Walk
    from devstate.pagetable.table import PageTable

    Details: TypeAlias = "tuple[tuple[str, int | bool | str | tuple[int, ...]], ...]"

BLOCKED, PASS_THROUGH = "blocked", "pass-through"
FIRST_STAGE, SECOND_STAGE, NESTED = "first-stage", "second-stage", "nested"
"""How requests of a device are translated. Nested: the first stage is a guest's, its addresses go through the second."""


@frozen
class Stage:
    """A tree of page tables that a device uses, and the tag of what is cached of it."""

    domain_id: int
    table: PageTable


@frozen
class Device:
    """One entry that a requester uses: by ``source_id`` (bus, device and function; a stream id) and ``pasid``. ``pa``: of the entry.

    ``format``: of the first of ``stages``; or ``blocked``, ``pass-through``, and in Arm's words ``abort``, ``bypass``. ``plain``: requests
    without a PASID use it (and those with PASID 0, where there is nothing else for these).
    """

    source_id: int
    pasid: int
    translation: str
    format: str
    domain_id: int
    pa: int
    stages: tuple[Stage, ...]
    details: Details
    plain: bool = True

    @property
    def levels(self) -> int:
        """Levels of the tables; 0 where there are none."""
        return self.stages[0].table.levels if self.stages else 0

    @property
    def top_table(self) -> int:
        """Physical address of the top table (a guest's when nested); 0 where there is none."""
        return self.stages[0].table.top_table if self.stages else 0


@frozen
class Domain:
    """Page tables, and the devices that use them. ``walk`` is None where the budget did not allow one more."""

    stage: Stage
    devices: tuple[Device, ...]
    walk: Walk | None

    @property
    def domain_id(self) -> int:
        """The tag of what is cached of the tables."""
        return self.stage.domain_id


@frozen
class Run:
    """``count`` neighbours from ``source_id`` on whose entries, ``size`` bytes each from ``pa`` on, are all ``words`` and reach nothing."""

    source_id: int
    count: int
    translation: str
    format: str
    domain_id: int
    pa: int
    size: int
    words: tuple[int, ...]


@frozen
class InterruptEntry:
    """One entry that is not zero. ``kind``: ``remapped``, ``posted``, ``guest``; ``destination`` as the entry has it."""

    index: int
    kind: str
    present: bool
    words: tuple[int, ...]
    vector: int
    destination: int
    pa: int
    details: Details


@frozen
class InterruptTable:
    """A table of ``count`` interrupt entries of ``entry_size`` bytes. ``source_ids``: who uses it; None: every device of the unit."""

    pa: int
    count: int
    entry_size: int
    source_ids: tuple[int, ...] | None
    extended: bool
    entries: tuple[InterruptEntry, ...]


@frozen
class UnitTable:
    """A table of the unit itself: ``size`` bytes at ``pa``, entries of ``entry_size`` bytes as ``schema`` has them."""

    schema: str
    pa: int
    entry_size: int
    size: int


@frozen
class Unit:
    """One IOMMU in the memory ``source``. ``registers``: the values that were given, by name.

    ``geometry``: of the root table, where it has one size or another. ``assumed``: what was taken for granted in place of registers.
    ``interrupts`` is None where the unit does not remap interrupts by tables that are known. ``tables``: every table of the unit that was
    read, by address; page tables are not among them.
    """

    source: str
    kind: str
    mode: str
    geometry: Details
    root: int
    segment: int
    registers: tuple[tuple[str, int], ...]
    assumed: tuple[str, ...]
    devices: tuple[Device, ...]
    runs: tuple[Run, ...]
    domains: tuple[Domain, ...]
    interrupts: tuple[InterruptTable, ...] | None
    tables: tuple[UnitTable, ...]
    findings: tuple[Finding, ...]


def bdf(source_id: int, segment: int = 0) -> str:
    """``0000:00:1f.2``: segment, bus, device and function. Bits above the low 16 of a stream id count as segments."""
    return f"{segment + (source_id >> 16):04x}:{source_id >> 8 & 0xFF:02x}:{source_id >> 3 & 0x1F:02x}.{source_id & 7}"
