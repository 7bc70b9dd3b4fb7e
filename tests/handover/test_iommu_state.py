# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Units as records of preserved state: written, read again, and held against memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_iommu_truth import KINDS, truth, unit_of
from units import Tables

from devstate.codec.decode import decode_array
from devstate.codec.encode import encode_array
from devstate.codec.record import Record
from devstate.frozen import replace
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.packed import packed_tables, verify_packed
from devstate.handover.iommu.state import FORMAT, NONE, unit_state, verify_state
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.table import PageTable

STRUCTS = {
    "state": "ds_iommu_unit", "tables": "ds_iommu_table", "domains": "ds_iommu_domain", "attachments": "ds_iommu_attachment",
    "windows": "ds_iommu_window",
}  # fmt: skip


def through_bytes(unit: Unit) -> dict[str, list[Record]]:
    """The records of a unit after they were written and read."""
    layout = Registry.shipped().layout(FORMAT, Environment())
    parts = {}
    for name, rows in unit_state(unit, "dmar0").items():
        data = encode_array(layout, STRUCTS[name], rows)
        parts[name] = decode_array(layout, STRUCTS[name], data, len(rows))
    return parts


@pytest.mark.parametrize("name", KINDS)
def test_a_real_unit(any_captures: Path, name: str) -> None:
    """Its records have what the truth has, and hold of the memory that they were made from."""
    unit = unit_of(any_captures, name)
    parts = through_bytes(unit)
    said = truth(any_captures, name)
    (state,) = parts["state"]
    assert (len(parts["domains"]), len(parts["attachments"]), len(parts["tables"])) == (state.domains, state.attachments, state.tables)
    rows = [(each.id, each.format.rstrip(b"\0").decode(), each.levels, each.top_table, each.table_pages) for each in parts["domains"]]
    keys = ("id", "format", "levels", "top_table_pa", "table_pages")
    domains = [each | {"top_table_pa": int(each["top_table_pa"], 16)} for each in said["domains"]]
    assert [tuple(each[key] for key in keys) for each in domains] == rows
    reaching = [each for each in said["devices"] if each["format"] != "blocked"]
    assert [each["domain_id"] for each in reaching] == [parts["domains"][each.domain].id for each in parts["attachments"]]
    assert () == verify_state(parts, unit)


@pytest.mark.parametrize("name", KINDS)
def test_packed_tables(any_captures: Path, name: str) -> None:
    """A stream for each domain, from which its tables come back; one that is not so is named."""
    unit = unit_of(any_captures, name)
    streams = packed_tables(unit)
    assert list(range(len(unit.domains))) == list(streams)
    assert [1 << 2 | 1 << 3] * len(streams) == [row["flags"] & 0xC for row in unit_state(unit, packed=streams)["domains"]]
    assert () == verify_packed(streams, unit)
    damaged = bytearray(streams[1])
    damaged[len(damaged) // 2] ^= 1
    wrong = {0: streams[1], 1: bytes(damaged), 99: streams[0]}
    assert ["tables-1", "tables-99"] == [finding.location.path for finding in verify_packed(wrong, unit)]
    place = max(streams, key=lambda each: len(streams[each]))
    stage = unit.domains[place].stage
    memory = Arena(stage.table.top_table, 4096)
    memory.alloc(4096)
    bare = PageTable(memory.view(), stage.table.format, stage.table.top_table, stage.table.levels)
    other = replace(unit, domains=(replace(unit.domains[place], stage=replace(stage, table=bare)),))
    assert ["tables-0"] == [finding.location.path for finding in verify_packed({0: streams[place]}, other)]


def changed(records: list[Record], place: int, **values: Any) -> list[Any]:
    """The records with some fields of one of them changed."""
    rows: list[Any] = [dict(each.fields()) for each in records]
    rows[place] |= values
    return rows


@pytest.mark.parametrize(
    ("part", "values", "expected"),
    [
        ("domains", {"top_table": 0x1000}, ["iommu-state-domain", "iommu-state-domain", "iommu-state-attachment"]),
        ("domains", {"levels": 5}, ["iommu-state-domain"]),
        ("domains", {"bytes_mapped": 5}, []),
        ("domains", {"parent": 99}, ["iommu-state-reference"]),
        ("attachments", {"domain": NONE}, ["iommu-state-attachment"]),
        ("attachments", {"domain": 99}, ["iommu-state-attachment", "iommu-state-reference"]),
        ("attachments", {"translation": 1}, ["iommu-state-attachment"]),
        ("attachments", {"source_id": 0xFFFF}, ["iommu-state-attachment"] * 2),
        ("attachments", {"entry": (0, 0, 0, 0)}, ["iommu-state-attachment"]),
        ("tables", {"size": 1}, ["iommu-state-table"]),
        ("tables", {"pa": 1}, ["iommu-state-table"] * 2),
    ],
)
def test_records_that_do_not_hold(any_captures: Path, part: str, values: dict[str, Any], expected: list[str]) -> None:
    """What is changed in a record is named; totals are no claim."""
    unit = unit_of(any_captures, "intel48")
    parts: dict[str, Any] = dict(through_bytes(unit))
    parts[part] = changed(parts[part], 0, **values)
    assert expected == [finding.rule for finding in verify_state(parts, unit)]


def test_what_is_missing(any_captures: Path) -> None:
    """Each of a part that is not there, and a window of no domain."""
    unit = unit_of(any_captures, "intel48")
    parts: dict[str, Any] = {"windows": [dict.fromkeys(("domain", "kind", "start", "size"), 0), {"domain": NONE, "kind": 0, "size": 0}]}
    found = [finding.rule for finding in verify_state(parts, unit)]
    counts = {what: found.count(f"iommu-state-{what}") for what in ("attachment", "domain", "table", "reference")}
    assert {"attachment": 11, "domain": 8, "table": len(unit.tables), "reference": 1} == counts


@pytest.mark.parametrize(
    ("window", "fits"),
    [
        ((1, 0xFEE00000, 0x100000), True),
        ((2, 0x0, 0x1000), False),
        ((1, 0x2FFF, 0x1000), True),
        ((1, 0x2FFF, 1 << 63), False),
        ((3, 0x0, 0x1000), True),
        ((4, 0x10000, 0x3000), True),
        ((4, 0x11000, 0x1000), True),
        ((4, 0x10000, 0x4000), False),
        ((4, 0x0, 0x1000), False),
        ((5, 0x0, 0x1000), True),
    ],
)
@pytest.mark.parametrize("domain", [0, NONE])
def test_windows(window: tuple[int, int, int], fits: bool, domain: int) -> None:
    """What may not be mapped is not, and what is direct is mapped to itself, whole."""
    tables = Tables()
    root, context = tables.page(), tables.page()
    maps = [Mapping(0, 0x7000, 0x2000, 3), Mapping(1 << 38, 0, 4096, 3)]
    maps += [Mapping(0x10000, 0x10000, 0x2000, 3), Mapping(0x12000, 0x12000, 0x1000, 1)]
    tables.words(root, context | 1)
    tables.words(context, tables.top("vtd-second-stage", 3, maps) | 1, 1 | 1 << 8)
    unit = tables.unit("vtd", root, RTADDR=root)
    row = dict(zip(("kind", "start", "size"), window, strict=True)) | {"domain": domain, "access": 0, "padding": 0}
    parts = unit_state(unit) | {"windows": [row]}
    assert ([] if fits else ["iommu-state-window"]) == [finding.rule for finding in verify_state(parts, unit)]


def test_nested_domains_name_their_parent() -> None:
    """And only the unit's own tables are tables."""
    tables = Tables()
    root, context, directory, pasids = (tables.page() for _ in range(4))
    guest = tables.page()
    second = tables.top("vtd-second-stage", 4, [Mapping(0x5000, guest, 4096, 3)])
    tables.words(root, context | 1)
    tables.words(context, directory | 9)
    tables.words(directory, pasids | 1)
    tables.words(pasids, second | 2 << 2 | 3 << 6 | 1, 6, 0x5000)
    unit = tables.unit("vtd", root, RTADDR=root | 1 << 10)
    parts = through_bytes(unit)
    assert [(0x5000, 1, 1 << 5), (second, NONE, 0)] == [(each.top_table, each.parent, each.flags & 1 << 5) for each in parts["domains"]]
    assert [root, context, directory, pasids] == [each.pa for each in parts["tables"]]
    assert () == verify_state(parts, unit)
