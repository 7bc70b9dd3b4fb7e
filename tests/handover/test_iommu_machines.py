# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Units of real machines in more modes, held to the kernel's log: which devices there are, their groups, and how they are translated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from devstate.cli.iommu_document import document
from devstate.handover.iommu.model import PASS_THROUGH, SECOND_STAGE, Unit, bdf
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.state import unit_state, verify_state
from devstate.handover.iommu.verify import verify_unit
from devstate.memory.open import open_input

EXPECTED = {
    # mode, format, levels, interrupt entries that are present
    "vtd-pass-through": ("legacy", "pass-through", 0, 7),
    "vtd-3-levels": ("legacy", "vtd-second-stage", 3, 7),
    "vtd-scalable-second-stage": ("scalable", "vtd-second-stage", 3, 7),
    "vtd-scalable-pass-through": ("scalable", "pass-through", 0, 7),
    "amd-interrupts": ("amd host tables v1", "amd-v1", 3, 7),
    "amd-pass-through": ("amd device table", "pass-through", 0, 7),
}
EACH = pytest.mark.parametrize("name", EXPECTED)
IOAPIC = {"vtd": 0xFF00, "amd": 0x00A0}
"""What QEMU's IO-APIC requests as: ff:00.0 behind VT-d, 00:14.0 behind AMD's."""


def machine(shipped: Path, name: str, *, registers: bool = True) -> tuple[Any, Unit]:
    """What the log says, and the unit."""
    said = json.loads((shipped / "units" / f"{name}.json").read_text())
    memory = open_input(str(shipped / "units" / f"{name}.core.zst")).memory
    assert memory is not None
    values = {key: int(value, 16) for key, value in said["registers"].items()}
    if registers:
        return said, read_unit(memory, said["unit"], None, values)
    root = values["RTADDR"] if "RTADDR" in values else values["DEVTAB"]
    return said, read_unit(memory, said["unit"], root & ~0xFFF)


@EACH
def test_devices_and_groups(shipped: Path, name: str) -> None:
    """Just the devices of the log reach memory, as its domain type says; devices of one group have one domain, others have others."""
    said, unit = machine(shipped, name)
    mode, format, levels, _ = EXPECTED[name]
    assert mode == unit.mode
    assert sorted(said["iommu_groups"]) == [bdf(device.source_id) for device in unit.devices]
    kind = {"Passthrough": PASS_THROUGH, "Translated": SECOND_STAGE}[said["default_domain_type"]]
    assert {(kind, format, levels)} == {(device.translation, device.format, device.levels) for device in unit.devices}
    tags: dict[int, set[int]] = {}
    for device in unit.devices:
        tags.setdefault(said["iommu_groups"][bdf(device.source_id)], set()).add(device.domain_id)
    assert all(len(each) == 1 for each in tags.values())
    if kind == SECOND_STAGE:
        assert len(tags) == len(unit.domains) == len({tag for each in tags.values() for tag in each})


@EACH
def test_the_document_keeps_to_its_schema(shipped: Path, name: str) -> None:
    """docs/iommu.schema.json."""
    schema = json.loads((Path(__file__).resolve().parents[2] / "docs" / "iommu.schema.json").read_text())
    jsonschema.validate(document(machine(shipped, name)[1], ()), schema)


@EACH
def test_everything_is_sound(shipped: Path, name: str) -> None:
    """No finding, of the page tables neither; records made of it hold of it."""
    _, unit = machine(shipped, name)
    assert () == verify_unit(unit, tables=True)
    assert () == verify_state(unit_state(unit), unit)


@EACH
def test_interrupts(shipped: Path, name: str) -> None:
    """Entries of the IO-APIC and of the one device with a driver; vectors that the processors take."""
    said, unit = machine(shipped, name)
    assert unit.interrupts is not None
    present = [(table, entry) for table in unit.interrupts for entry in table.entries if entry.present]
    assert EXPECTED[name][3] == len(present)
    sources: list[int] = []
    for table, entry in present:
        sources += table.source_ids if table.source_ids is not None else [int(dict(entry.details)["source_id"])]  # type: ignore[arg-type]
        assert 16 <= entry.vector < 0xFF
        assert entry.destination in ((0, 0x100) if unit.kind == "vtd" else (0, 1))  # two processors
    assert {IOAPIC[unit.kind]} < set(sources) <= {IOAPIC[unit.kind], *(_source(name) for name in said["iommu_groups"])}


def _source(name: str) -> int:
    _, bus, rest = name.split(":")
    device, function = rest.split(".")
    return int(bus, 16) << 8 | int(device, 16) << 3 | int(function)


@EACH
def test_without_registers(shipped: Path, name: str) -> None:
    """The tables say the same of the devices."""
    given, bare = (document(machine(shipped, name, registers=registers)[1], ()) for registers in (True, False))
    assert (given["mode"], given["devices"], given["domains"]) == (bare["mode"], bare["devices"], bare["domains"])


def test_what_is_mapped(shipped: Path) -> None:
    """The kernel maps the first 16 MiB one to one for the ISA bridge."""
    _, unit = machine(shipped, "vtd-scalable-second-stage")
    found = {bdf(domain.devices[0].source_id): domain.walk for domain in unit.domains}
    walk = found["0000:00:1f.0"]
    assert walk is not None
    assert [(0, 0, 16 << 20)] == [(each.iova, each.pa, each.size) for each in walk.mappings]
    assert {0x1000: 4096} == walk.leaves
