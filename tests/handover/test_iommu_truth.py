# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IOMMU units that a real kernel set up, held to what the machine, the kernel's debugfs and the list of mappings say of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from devstate.cli.iommu_document import document
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.verify import verify_unit
from devstate.memory.open import open_input

KINDS = {"amd": "amd", "arm": "smmuv3", "intel-fs": "vtd", "intel48": "vtd"}
EACH = pytest.mark.parametrize("name", KINDS)

OF_THE_MACHINE = {"driver", "iommu_group"}
"""What a truth says of a device that its tables do not."""

OF_THE_TEST = {"source", "checks", "ioas", "areas"}
"""What it says of where it comes from itself."""


@cache
def truth_of(path: Path) -> Any:
    """A truth file, read once."""
    return json.loads(path.read_text())


def truth(captures: Path, name: str) -> Any:
    """The truth of a capture of units."""
    return truth_of(captures / "iommu" / f"{name}.truth.json")


def unit_of(captures: Path, name: str, *, registers: bool = True) -> Unit:
    """The unit of a capture, with or without the values of its registers."""
    said = truth(captures, name)
    memory = open_input(str(captures / "iommu" / f"{name}.core.zst")).memory
    assert memory is not None
    values = {key: int(value, 16) for key, value in said["registers"].items()} if registers else {}
    return read_unit(memory, KINDS[name], int(said["root_table_pa"], 16), values)


@EACH
def test_devices(any_captures: Path, name: str) -> None:
    """Each device of the machine: entry words, domain, format, levels, top table, and where the entries stand."""
    found = document(unit_of(any_captures, name), ())
    rows = {row["bdf"]: row for row in found["devices"]}
    for device in truth(any_captures, name)["devices"]:
        expected = {key: value for key, value in device.items() if key not in OF_THE_MACHINE}
        assert expected == {key: rows[device["bdf"]].get(key) for key in expected}


@EACH
def test_nothing_else_reaches_memory(any_captures: Path, name: str) -> None:
    """Functions that the machine does not have are blocked, or have no entry that counts."""
    said = truth(any_captures, name)
    unit = unit_of(any_captures, name)
    there = {row["bdf"] for row in said["devices"] if row["format"] != "blocked"}
    assert there == {row["bdf"] for row in document(unit, ())["devices"][: len(unit.devices)]}
    blocked = [run for run in unit.runs if run.translation == "blocked"]
    others = said.get("other_device_entries", 0) + sum(row["format"] == "blocked" for row in said["devices"])
    assert others == sum(run.count for run in blocked)
    assert {tuple(int(word, 16) for word in said["other_device_entries_first"]) for _ in blocked} == {run.words for run in blocked}


@EACH
def test_domains(any_captures: Path, name: str) -> None:
    """Each domain: top table, levels, devices, tables, leaves by size, bytes and every extent."""
    domains = document(unit_of(any_captures, name), ())["domains"]
    expected = [{k: v for k, v in row.items() if k not in OF_THE_TEST} for row in truth(any_captures, name)["domains"]]
    assert expected == [{key: row[key] for key in expected[0]} for row in domains]


@EACH
def test_interrupts(any_captures: Path, name: str) -> None:
    """Every interrupt entry in use, with its words; nothing where the unit has no such table, or nobody uses one."""
    found = document(unit_of(any_captures, name), ())["interrupt_remapping"]
    said = truth(any_captures, name).get("interrupt_remapping")
    if said is None or "tables" in said:
        assert (said and {"control_register": said["control_register"], "tables": said["tables"]}) == found
        return
    assert {key: said[key] for key in ("table_pa", "entries", "eim")} == {key: found[key] for key in ("table_pa", "entries", "eim")}
    assert said["used"] == [{key: row[key] for key in said["used"][0]} for row in found["used"]]


@EACH
def test_the_unit(any_captures: Path, name: str) -> None:
    """Mode, root, registers; nothing is taken for granted when all registers are given."""
    said = truth(any_captures, name)
    found = document(unit_of(any_captures, name), ())
    assert (said["mode"], said["root_table_pa"], []) == (found["mode"], found["root_table_pa"], found["assumed"])
    assert said["registers"] == found["registers"]
    for key in ("device_table_bytes", "strtab_log2size"):
        assert said.get(key) == found.get(key)


@EACH
def test_without_registers_the_tables_say_enough(any_captures: Path, name: str) -> None:
    """The same devices and domains; what was taken for granted is said."""
    given, bare = (document(unit_of(any_captures, name, registers=registers), ()) for registers in (True, False))
    assert (given["mode"], given["devices"], given["domains"]) == (bare["mode"], bare["devices"], bare["domains"])
    assert any("not given" in text for text in bare["assumed"])


@EACH
def test_a_real_unit_is_sound(any_captures: Path, name: str) -> None:
    """No finding, neither about the unit nor about any page table."""
    assert () == verify_unit(unit_of(any_captures, name), tables=True)
