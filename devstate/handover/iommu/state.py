# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A unit as records of preserved state (schemas/project/iommu.py), and records held against the unit that memory really has.

``iommu-state-table``       a record of a table that the unit does not have there, or no record of one that it has
``iommu-state-domain``      the same of a domain: tag, format, geometry, top table
``iommu-state-attachment``  the same of an attachment: translation, domain, words of the entry
``iommu-state-reference``   an attachment, a window or a guest's domain names a domain that there is not
``iommu-state-window``      a domain maps iovas of a window that no mapping may use; or a direct window not to itself (where it was walked)
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Severity
from devstate.handover.iommu.domains import stage_key
from devstate.handover.iommu.model import BLOCKED, FIRST_STAGE, NESTED, PASS_THROUGH, SECOND_STAGE, bdf
from devstate.handover.iommu.windows import window_faults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from typing import Any, TypeAlias

    from devstate.codec.record import Record
    from devstate.handover.iommu.model import Device, Domain, Unit

    Parts: TypeAlias = "Mapping[str, Iterable[Record | Mapping[str, Any]]]"

FORMAT = "iommu-unit-v1"
STRUCTS = {
    "state": "ds_iommu_unit",
    "tables": "ds_iommu_table",
    "domains": "ds_iommu_domain",
    "attachments": "ds_iommu_attachment",
    "windows": "ds_iommu_window",
}
"""The struct of each part."""

NONE = 0xFFFFFFFF

KINDS = {"vtd": 1, "amd": 2, "smmuv3": 3}
TRANSLATIONS = {BLOCKED: 0, PASS_THROUGH: 1, FIRST_STAGE: 2, SECOND_STAGE: 3, NESTED: 4}
TABLES = {
    "vtd-root-entry": 1, "vtd-scalable-root-entry": 1, "vtd-context-entry": 2, "vtd-scalable-context-entry": 2,
    "vtd-pasid-directory-entry": 3, "vtd-pasid-entry": 4, "amd-device-entry": 5, "amd-gcr3-entry": 6, "smmu-stream-level1": 7,
    "smmu-stream-entry": 8, "smmu-context-level1": 9, "smmu-context-descriptor": 10, "vtd-remapped-irte": 11, "amd-remapped-irte": 11,
    "amd-irte": 11,
}  # fmt: skip
"""The number that ds_iommu_table.kind has for a table of these entries."""

SIGN_EXTENDED, UPPER, IN_PLACE, PACKED, NESTED_TABLES = 1, 2, 4, 8, 32
REGISTERS = {
    "vtd": ("RTADDR", "GSTS", "IRTA", ("CAP", "ECAP")),
    "amd": ("DEVTAB", "CONTROL", "", ("EFR", "EFR2")),
    "smmuv3": ("STRTAB_BASE", "STRTAB_BASE_CFG", "", ("IDR0", "IDR1", "IDR3", "IDR5")),
}
"""What root, form, interrupts and features of ds_iommu_unit are, by kind."""


def unit_state(unit: Unit, name: str = "", *, packed: Container[int] = ()) -> dict[str, list[dict[str, Any]]]:
    """The parts of the unit's object: values for the structs of FORMAT, by the name of the part. Windows are not in the tables: none.

    ``packed``: places of the domains that have a stream as well (packed.py).
    """
    tables = [{"kind": TABLES[each.schema], "entry_size": each.entry_size, "pa": each.pa, "size": each.size} for each in unit.tables]
    places = {stage_key(domain.stage): place for place, domain in enumerate(unit.domains)}
    domains = [_domain(domain, places) for domain in unit.domains]
    for place, row in enumerate(domains):
        row["flags"] |= PACKED * (place in packed)
    attachments = [_attachment(unit, device, places) for device in unit.devices]
    registers = dict(unit.registers)
    root, form, interrupts, features = REGISTERS[unit.kind]
    values = [registers.get(each, 0) for each in features]
    state = {
        "name": name.encode()[:63].ljust(64, b"\0"),
        "kind": KINDS[unit.kind],
        "segment": unit.segment,
        "base": registers.get("base", 0),
        "root": registers.get(root, unit.root),
        "form": registers.get(form, 0),
        "interrupts": registers.get(interrupts, 0),
        "features": tuple(values + [0] * (4 - len(values))),
        "tables": len(tables),
        "domains": len(domains),
        "attachments": len(attachments),
        "windows": 0,
        "flags": 1 | 2 * bool(unit.interrupts),
        "padding": 0,
    }
    return {"state": [state], "tables": tables, "domains": domains, "attachments": attachments, "windows": []}


def _domain(domain: Domain, places: Mapping[object, int]) -> dict[str, Any]:
    table, user = domain.stage.table, domain.devices[0]
    nested = user.translation == NESTED and stage_key(user.stages[-1]) != stage_key(domain.stage)
    bits = table.iova_bits
    top = (1 << 64) - (1 << bits) if table.upper else 0
    flags = SIGN_EXTENDED * table.sign_extended | UPPER * table.upper | IN_PLACE | NESTED_TABLES * nested
    return {
        "id": domain.domain_id,
        "levels": table.levels,
        "granule_shift": table.format.granule_shift,
        "flags": flags,
        "format": table.format.name.encode().ljust(24, b"\0"),
        "top_table": table.top_table,
        "top_entries": table.top_entries,
        "parent": places[stage_key(user.stages[-1])] if nested else NONE,
        "first": top,
        "last": (1 << 64) - 1 if table.upper or table.sign_extended else (1 << bits) - 1,
        "table_pages": sum(domain.walk.tables.values()) if domain.walk else 0,
        "bytes_mapped": min(domain.walk.bytes, (1 << 64) - 1) if domain.walk else 0,
        "dirty_map": 0,
        "dirty_size": 0,
        "dirty_first": 0,
        "dirty_shift": 0,
        "padding": 0,
    }


def _attachment(unit: Unit, device: Device, places: Mapping[object, int]) -> dict[str, Any]:
    details = dict(device.details)
    words: Any = next((details[key] for key in ("pasid_entry", "dte", "ste", "context_entry") if key in details), ())
    return {
        "segment": unit.segment,
        "source_id": device.source_id & 0xFFFF,
        "pasid": NONE if device.plain else device.pasid,
        "domain": places[stage_key(device.stages[0])] if device.stages else NONE,
        "translation": TRANSLATIONS.get(device.translation, 0),
        "flags": 0,
        "padding": 0,
        "entry_pa": device.pa,
        "entry": tuple(words[:4]) + (0,) * (4 - len(words[:4])),
    }


def registers_of(kind: str, head: Record) -> dict[str, int]:
    """The registers that a record of a unit has, by name, as read_unit() takes them. 0 stands for one that is not known."""
    root, form, interrupts, features = REGISTERS[kind]
    values = {root: head.root, form: head.form, interrupts: head.interrupts, **dict(zip(features, head.features, strict=False))}
    return {name: value for name, value in values.items() if name == root or (name and value)}


def verify_state(parts: Parts, unit: Unit) -> tuple[Finding, ...]:
    """What of the records does not hold of the unit that was read from memory."""
    found: list[Finding] = []

    def find(rule: str, message: str, pa: int | None, path: str, expected: object = None, seen: object = None) -> None:
        place = Location(source=unit.source, pa=pa, path=path)
        wanted, there = (None if value is None else str(value) for value in (expected, seen))
        found.append(Finding(rule, Severity.ERROR, message, place, expected=wanted, found=there))

    real = unit_state(unit)
    for part, rule, key, values in (
        ("tables", "iommu-state-table", _table_key, _table_values),
        ("domains", "iommu-state-domain", _domain_key, _domain_values),
    ):
        said = {key(each): values(each) for each in map(_plain, parts.get(part, ()))}
        there = {key(each): values(each) for each in real[part]}
        _differences(find, rule, said, there)
    domains = [_plain(each) for each in parts.get("domains", ())]
    attachments = [_plain(each) for each in parts.get("attachments", ())]
    _differences(
        find,
        "iommu-state-attachment",
        {_attachment_key(each): _attachment_values(each, domains) for each in attachments},
        {_attachment_key(each): _attachment_values(each, real["domains"]) for each in real["attachments"]},
    )
    windows = [_plain(each) for each in parts.get("windows", ())]
    for path, message, seen in window_faults(windows, unit):
        find("iommu-state-window", message, None, path, seen=seen)
    references = [("attachment", each["domain"]) for each in attachments]
    references += [("window", each["domain"]) for each in windows]
    references += [("domain", each["parent"]) for each in domains]
    for what, place in references:
        if place != NONE and place >= len(domains):
            find("iommu-state-reference", f"the {what} names a domain that there is not", None, what, f"0..{len(domains) - 1}", place)
    return tuple(found)


def _differences(find: Any, rule: str, said: dict[str, Any], there: dict[str, Any]) -> None:
    for key in sorted(said.keys() | there.keys()):
        if key not in there:
            find(rule, "a record of what the unit does not have", None, key)
        elif key not in said:
            find(rule, "the unit has this, and there is no record of it", None, key)
        elif said[key] != there[key]:
            find(rule, "the record does not say what stands in memory", None, key, there[key], said[key])


def _plain(record: Record | Mapping[str, Any]) -> dict[str, Any]:
    if hasattr(record, "_names"):
        return dict(zip(record._names, record, strict=True))
    return dict(record)


def _table_key(row: Mapping[str, Any]) -> str:
    return f"table {row['pa']:#x}"


def _table_values(row: Mapping[str, Any]) -> tuple[object, ...]:
    return row["kind"], row["entry_size"], row["size"]


def _domain_key(row: Mapping[str, Any]) -> str:
    return f"domain {row['id']}, top table {row['top_table']:#x}"


def _domain_values(row: Mapping[str, Any]) -> tuple[object, ...]:
    name = bytes(row["format"]).rstrip(b"\0").decode("latin-1")
    flags = row["flags"] & (SIGN_EXTENDED | UPPER | NESTED_TABLES)
    return name, row["levels"], row["granule_shift"], row["top_entries"], flags


def _attachment_key(row: Mapping[str, Any]) -> str:
    pasid = "" if row["pasid"] == NONE else f", PASID {row['pasid']:#x}"
    return f"device {bdf(row['source_id'], row['segment'])}{pasid}"


def _attachment_values(row: Mapping[str, Any], domains: list[Any]) -> tuple[object, ...]:
    place = row["domain"]
    domain = _domain_key(domains[place]) if place < len(domains) else None
    return row["translation"], domain, f"{row['entry_pa']:#x}", tuple(f"{word:#x}" for word in row["entry"])
