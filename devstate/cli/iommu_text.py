# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An IOMMU unit as lines of text: the unit, its devices, its domains, its interrupt entries."""

from __future__ import annotations

from devstate.handover.iommu.model import bdf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.iommu.model import Device, Domain, InterruptEntry, InterruptTable, Run, Unit


def lines(unit: Unit) -> Iterator[str]:
    """One line a thing; what begins with spaces belongs to the line above."""
    yield f"unit       {unit.kind}, {unit.mode}, root table {unit.root:#x}"
    yield from (f"  register {name} {value:#x}" for name, value in unit.registers)
    yield from (f"  assumed  {text}" for text in unit.assumed)
    yield from (_device(unit, device) for device in unit.devices)
    yield from (_run(unit, run) for run in unit.runs)
    for domain in unit.domains:
        yield from _domain(unit, domain)
    for table in unit.interrupts or ():
        yield from _table(unit, table)


def _device(unit: Unit, device: Device) -> str:
    pasid = f" pasid {device.pasid:#x}" if device.pasid or not device.plain else ""
    pasid += " and without" if device.pasid and device.plain else ""
    head = f"device     {bdf(device.source_id, unit.segment)}{pasid} domain {device.domain_id}"
    if not device.stages:
        return f"{head} {device.format}"
    nested = f", nested in {device.stages[-1].table.top_table:#x}" if device.translation == "nested" and len(device.stages) > 1 else ""
    return f"{head} {device.format}, {device.levels} levels, top table {device.top_table:#x}{nested}"


def _run(unit: Unit, run: Run) -> str:
    first, last = bdf(run.source_id, unit.segment), bdf(run.source_id + run.count - 1, unit.segment)
    words = " ".join(f"{word:#x}" for word in run.words)
    return f"entries    {first} {run.format}: {words}" if run.count == 1 else f"entries    {first} to {last} {run.format}, each: {words}"


def _domain(unit: Unit, domain: Domain) -> Iterator[str]:
    table, walk = domain.stage.table, domain.walk
    names = dict.fromkeys(bdf(device.source_id, unit.segment) for device in domain.devices)
    upper = ", upper half" if table.upper else ""
    yield f"domain     {domain.domain_id} {table.format.label}, {table.levels} levels, top table {table.top_table:#x}{upper}"
    yield f"  devices  {' '.join(names)}"
    if walk is None:
        yield "  mapped   not walked"
        return
    yield f"  mapped   {walk.bytes} bytes in {len(walk.mappings)} extents, {sum(walk.tables.values())} tables"
    if walk.leaves:
        yield f"  leaves   {', '.join(f'{count} of {size:#x}' for size, count in sorted(walk.leaves.items()))}"
    if walk.problem_count:
        yield f"  problems {walk.problem_count}; --verify names them"


def _table(unit: Unit, table: InterruptTable) -> Iterator[str]:
    whose = "" if table.source_ids is None else f" of {' '.join(bdf(source_id, unit.segment) for source_id in table.source_ids)}"
    apic = ", 32-bit APIC ids" if table.extended else ""
    yield f"interrupts table {table.pa:#x}, {table.count} entries of {table.entry_size} bytes, {len(table.entries)} in use{apic}{whose}"
    for entry in table.entries:
        yield f"  entry    {entry.index} {_entry(unit, entry)}"


def _entry(unit: Unit, entry: InterruptEntry) -> str:
    details = dict(entry.details)
    source = details.get("source_id")
    origin = f", from {bdf(source, unit.segment)}" if isinstance(source, int) else ""
    words = " ".join(f"{word:#x}" for word in entry.words)
    target = f"to {entry.destination:#x}"
    if entry.kind != "remapped":
        target = f"to guest at {details.get('descriptor_pa', details.get('apic_page_pa'))}"
    absent = "" if entry.present else ", not present"
    return f"{entry.kind} vector {entry.vector:#x} {target}{origin}{absent}: {words}"
