# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An IOMMU unit as the document that ``iommu --json`` writes (docs/iommu.schema.json, docs/iommu.md)."""

from __future__ import annotations

from devstate.handover.iommu.model import bdf
from devstate.memory.physmem import PhysAddr
from devstate.report.json import address, finding_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from devstate.finding import Finding
    from devstate.handover.iommu.model import Device, Domain, InterruptEntry, InterruptTable, Run, Unit

BLOCKED_MAX = 4096
"""Entries that reach nothing and are listed as devices: those of 16 buses. ``blocked`` has all of them, as runs."""

ENTRY = {"amd": ("dte", "dte_pa"), "smmuv3": ("ste", "ste_pa"), "vtd": ("context_entry", "context_entry_pa")}
"""What the words of a device's entry and its address are called."""


def document(unit: Unit, found: Sequence[Finding], *, mappings: bool = True) -> dict[str, Any]:
    """The document; ``mappings``: with the extents of every domain."""
    return {
        "unit": unit.kind,
        "mode": unit.mode,
        "root_table_pa": address(unit.root),
        **{name: shown(value) for name, value in unit.geometry},
        "segment": unit.segment,
        "registers": {name: f"{value:#x}" for name, value in unit.registers},
        "assumed": list(unit.assumed),
        "devices": [*(_device(unit, device) for device in unit.devices), *_blocked_devices(unit)],
        "blocked": [_run(unit, run) for run in unit.runs],
        "domains": [_domain(unit, domain, mappings=mappings) for domain in unit.domains],
        "interrupt_remapping": _interrupts(unit),
        "findings": [finding_row(finding) for finding in found],
    }


def shown(value: Any) -> Any:
    """A detail: an address in hex, words as hex, a number as it is."""
    if isinstance(value, PhysAddr):
        return f"{int(value):#x}"
    return [f"{word:#x}" for word in value] if isinstance(value, tuple) else value


def _device(unit: Unit, device: Device) -> dict[str, Any]:
    row = {
        "bdf": bdf(device.source_id, unit.segment),
        "pasid": device.pasid,
        "without_pasid": device.plain,
        "translation": device.translation,
        "domain_id": device.domain_id,
        "format": device.format,
        "levels": device.levels,
        "top_table_pa": address(device.top_table),
    }
    return row | {name: shown(value) for name, value in device.details}


def _blocked_devices(unit: Unit) -> Iterator[dict[str, Any]]:
    """Every entry of the runs, as far as there are not too many."""
    left = BLOCKED_MAX
    words, pa = ENTRY[unit.kind]
    for run in unit.runs:
        for number in range(min(run.count, left)):
            yield {
                "bdf": bdf(run.source_id + number, unit.segment),
                "pasid": 0,
                "translation": run.translation,
                "domain_id": run.domain_id,
                "format": run.format,
                "levels": 0,
                "top_table_pa": "0x0",
                words: shown(run.words),
                pa: f"{run.pa + number * run.size:#x}",
            } | ({"sid": run.source_id + number} if unit.kind == "smmuv3" else {})
        left = max(left - run.count, 0)


def _run(unit: Unit, run: Run) -> dict[str, Any]:
    return {
        "first": bdf(run.source_id, unit.segment),
        "last": bdf(run.source_id + run.count - 1, unit.segment),
        "count": run.count,
        "translation": run.translation,
        "format": run.format,
        "entry": shown(run.words),
        "entry_pa": address(run.pa),
    }


def _domain(unit: Unit, domain: Domain, *, mappings: bool) -> dict[str, Any]:
    table, walk = domain.stage.table, domain.walk
    attachments = [[bdf(device.source_id, unit.segment), device.pasid] for device in domain.devices]
    row: dict[str, Any] = {
        "id": domain.domain_id,
        "format": table.format.name,
        "levels": table.levels,
        "top_table_pa": address(table.top_table),
        "top_table_entries": table.top_entries,
        "granule": table.format.granule,
        "sign_extended": table.sign_extended,
        "upper": table.upper,
        "devices": list(dict.fromkeys(name for name, _ in attachments)),
        "attachments": attachments,
        "table_pages": None if walk is None else sum(walk.tables.values()),
        "leaf_sizes": None if walk is None else {f"{size:#x}": count for size, count in sorted(walk.leaves.items())},
        "bytes_mapped": None if walk is None else walk.bytes,
        "extents": None if walk is None else len(walk.mappings),
        "problems": None if walk is None else walk.problem_count,
    }
    if mappings:
        row["mappings"] = None if walk is None else list(_rows(domain))
    return row


def _rows(domain: Domain) -> Iterator[list[Any]]:
    """[iova, pa, size, access] of each extent, from lists a block at a time: numbers of numpy are slow one by one."""
    from devstate.pagetable.mapping import access_text

    assert domain.walk is not None  # asked by the caller
    access = [access_text(attributes) for attributes in range(4)]
    for first in range(0, len(domain.walk.mappings), 4096):
        for iova, pa, size, attributes in domain.walk.mappings.rows[first : first + 4096].tolist():
            yield [f"{iova:#x}", f"{pa:#x}", size, access[attributes & 3]]


def _interrupts(unit: Unit) -> dict[str, Any] | None:
    """The one table of a VT-d unit; the tables of the devices of an AMD one."""
    if unit.interrupts is None:
        return None
    if unit.kind == "vtd":
        table = unit.interrupts[0]
        return _table(table) | {"eim": table.extended, "used": [_entry(entry) for entry in table.entries]}
    control = dict(unit.registers).get("CONTROL")
    return {
        "control_register": address(control),
        "tables": [
            _table(table)
            | {
                "devices": [bdf(source_id, unit.segment) for source_id in table.source_ids or ()],
                "extended_destination": table.extended,
                "used": [_entry(entry) for entry in table.entries],
            }
            for table in unit.interrupts
        ],
    }


def _table(table: InterruptTable) -> dict[str, Any]:
    return {"table_pa": address(table.pa), "entries": table.count, "entry_bytes": table.entry_size}


def _entry(entry: InterruptEntry) -> dict[str, Any]:
    row = {
        "index": entry.index,
        "low": f"{entry.words[0]:#x}",
        "high": f"{entry.words[1]:#x}" if len(entry.words) > 1 else "0x0",
        "present": entry.present,
        "kind": entry.kind,
        "vector": f"{entry.vector:#x}",
        "dest_id": f"{entry.destination:#x}",
        "entry_pa": address(entry.pa),
    }
    return row | {name: shown(value) for name, value in entry.details}
