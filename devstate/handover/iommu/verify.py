# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge what a unit says as a whole. Beside the findings of reading (tables.py, domains.py) there are these:

``iommu-domain-shared``    one tag for different page tables: the caches of the unit mix them up
``iommu-table-two-tags``   one top table under two tags: what is flushed of one stays cached under the other
``iommu-table-mapped``     a device may write to a table of the unit
``iommu-irte-destination`` an interrupt goes to an APIC id that the unit cannot send to
``iommu-irte-delivery``    a delivery mode that there is not
``iommu-irte-vector``      a vector below 16, which processors refuse
``iommu-irte-claimed``     two entries that send one and the same vector to the same place: one of them has lost its own
``iommu-irte-any-source``  any device may use the entry

``pt-...``, of the page tables themselves, when asked for: see devstate.pagetable.verify.
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Severity
from devstate.handover.iommu.model import SECOND_STAGE, bdf
from devstate.pagetable.format import WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.iommu.model import Device, InterruptEntry, InterruptTable, Unit

LIMIT = 1000
"""Findings of one rule that are kept: whoever has read a thousand knows."""

FIXED = (0, 1)
"""Delivery modes that use the vector: fixed, and lowest priority or arbitrated."""

NO_DELIVERY = {"vtd": (3, 6), "amd": (5, 7)}
"""Delivery modes that there are not."""

PARKED = 0xEF
"""The vector that Linux gives to managed interrupts that are shut down (MANAGED_IRQ_SHUTDOWN_VECTOR): many entries share it."""


def verify_unit(unit: Unit, *, tables: bool = False) -> tuple[Finding, ...]:
    """All that is wrong with a unit, what reading has found first. ``tables``: the page tables of every domain are judged, too."""
    found = list(unit.findings)
    for rule in (_tags, _mapped, _interrupts, _claims):
        for number, (name, severity, message, pa, path, detail) in enumerate(rule(unit)):
            if number == LIMIT:
                break
            found.append(Finding(name, severity, message, Location(source=unit.source, pa=pa, path=path), found=detail))
    if tables:
        found += _tables(unit)
    return tuple(found)


def _scope(unit: Unit, device: Device, number: int) -> tuple[object, ...]:
    """What makes a tag unique beside its number: a PASID where the first stage's caches are told apart by it, else the guest."""
    stage = device.stages[number]
    first = stage.table.format.name not in ("vtd-second-stage", "amd-v1", "arm-lpae-s2")
    if not first:
        return SECOND_STAGE, stage.domain_id
    if unit.kind == "smmuv3":
        guest = device.stages[-1].domain_id if device.stages[-1].table.format.name == "arm-lpae-s2" else None
        return "asid", stage.domain_id, guest, stage.table.upper
    return "pasid", stage.domain_id, device.pasid, device.source_id if device.pasid else None


def _tags(unit: Unit) -> Iterator[tuple[str, Severity, str, int, str, str]]:
    tables: dict[tuple[object, ...], tuple[int, Device]] = {}
    tags: dict[tuple[object, ...], tuple[int, Device]] = {}
    for device in unit.devices:
        for number, stage in enumerate(device.stages):
            top, tag = stage.table.top_table, stage.domain_id
            path = bdf(device.source_id, unit.segment)
            known, other = tables.setdefault(_scope(unit, device, number), (top, device))
            if known != top:
                what = f"{top:#x}, and {known:#x} of {bdf(other.source_id, unit.segment)}"
                yield "iommu-domain-shared", Severity.ERROR, f"tag {tag} stands for different page tables", device.pa, path, what
            if stage.table.format.name == "amd-v2":
                continue  # Linux gives each device a tag of its own there, whatever tables it has
            # A guest's table at the same address in another guest is another table.
            key = (top, stage.table.format.name, id(stage.table.memory) if len(device.stages) > 1 else None)
            first, other = tags.setdefault(key, (tag, device))
            if first != tag:
                what = f"{tag}, and {first} of {bdf(other.source_id, unit.segment)}"
                yield "iommu-table-two-tags", Severity.WARNING, f"the top table {top:#x} has two tags", device.pa, path, what


def _mapped(unit: Unit) -> Iterator[tuple[str, Severity, str, int, str, str | None]]:
    """Every table of the unit that a writable extent covers a part of, for each domain whose targets are memory."""
    import numpy as np

    if not unit.tables or not unit.domains:
        return
    starts = np.array([table.pa for table in unit.tables], dtype=np.uint64)
    ends = np.array([min(table.pa + table.size, (1 << 64) - 1) for table in unit.tables], dtype=np.uint64)
    for domain in unit.domains:
        if domain.walk is None or any(len(device.stages) > 1 and device.stages[-1] != domain.stage for device in domain.devices):
            continue  # a guest's tables map the guest's addresses
        rows = domain.walk.mappings.rows[(domain.walk.mappings.attributes & np.uint64(WRITE)) != 0]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        if not len(rows):
            continue
        last = np.maximum.accumulate(rows[:, 1] + (rows[:, 2] - np.uint64(1)))
        before = np.searchsorted(rows[:, 1], ends, side="left") - 1
        for number in np.flatnonzero((before >= 0) & (last[before] >= starts)).tolist():
            pa = int(starts[number])
            yield "iommu-table-mapped", Severity.ERROR, "a device may write to this table", pa, f"domain {domain.domain_id}", None


def _present(unit: Unit) -> Iterator[tuple[InterruptTable, InterruptEntry, str]]:
    for table in unit.interrupts or ():
        whose = f" of {bdf(table.source_ids[0], unit.segment)}" if table.source_ids else ""
        for entry in table.entries:
            if entry.present:
                yield table, entry, f"interrupt table{whose}, entry {entry.index}"


def _interrupts(unit: Unit) -> Iterator[tuple[str, Severity, str, int, str, str]]:
    for table, entry, path in _present(unit):
        details = dict(entry.details)
        if details.get("source_validation", 1) == 0:
            yield "iommu-irte-any-source", Severity.WARNING, "any device may use the entry", entry.pa, path, "source validation 0"
        if entry.kind == "remapped":
            if not table.extended and entry.destination & ~(0xFF00 if unit.kind == "vtd" else 0xFF):
                what = f"{entry.destination:#x}"
                yield "iommu-irte-destination", Severity.ERROR, "an APIC id of more than 8 bits", entry.pa, path, what
            if details["delivery"] in NO_DELIVERY[unit.kind]:
                yield "iommu-irte-delivery", Severity.ERROR, "a delivery mode that there is not", entry.pa, path, f"{details['delivery']}"
            if details["delivery"] not in FIXED:
                continue
        if entry.vector < 16:
            yield "iommu-irte-vector", Severity.ERROR, "a vector below 16", entry.pa, path, f"{entry.vector:#x}"


def _claims(unit: Unit) -> Iterator[tuple[str, Severity, str, int, str, str]]:
    """A vector of a processor, or of a guest's descriptor or APIC page, belongs to one entry."""
    owners: dict[tuple[object, ...], str] = {}
    for _, entry, path in _present(unit):
        details = dict(entry.details)
        if entry.kind == "remapped":
            if details["delivery"] not in FIXED or entry.vector == PARKED:
                continue
            target: tuple[object, ...] = ("apic", entry.destination, details["logical"])
        else:
            target = (entry.kind, details.get("descriptor_pa", details.get("apic_page_pa")))
        owner = owners.setdefault((*target, entry.vector), path)
        if owner != path:
            message = f"vector {entry.vector:#x} has two entries that send it to the same place"
            yield "iommu-irte-claimed", Severity.WARNING, message, entry.pa, path, owner


def _tables(unit: Unit) -> list[Finding]:
    """The findings of the page tables of every domain that was walked."""
    from devstate.pagetable.verify import verify

    return [finding for domain in unit.domains if domain.walk is not None for finding in verify(domain.stage.table).findings]
