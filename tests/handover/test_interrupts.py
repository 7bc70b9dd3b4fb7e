# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Records of interrupts held against the tables of units, and against what is pending after the jump."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_iommu_amd import interrupts as amd_unit
from test_iommu_truth import unit_of
from test_iommu_vtd import irt

from devstate.codec.decode import decode_array
from devstate.codec.encode import encode_array
from devstate.handover.interrupts.messages import amd_index, vtd_index, vtd_message, vtd_pin, vtd_pin_index
from devstate.handover.interrupts.model import INTX, NONE, Interrupts
from devstate.handover.interrupts.pending import verify_descriptors, verify_lpis, verify_pending
from devstate.handover.interrupts.verify import verify_interrupts
from devstate.handover.iommu.model import Unit
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.memory.physmem import MemoryRegion, PhysMemory

STRUCTS = {
    "vectors": "ds_msi_vector", "pins": "ds_ioapic_pin", "affinities": "ds_irq_affinity", "masks": "ds_cpu_mask", "routes": "ds_gsi_route",
    "irqfds": "ds_irqfd", "posted": "ds_posted_interrupt",
}  # fmt: skip

PIN_SOURCE = 0xFF00


def records(struct: str, rows: list[dict[str, Any]], format: str = "interrupts-v1") -> list[Any]:
    """Rows as records, through bytes; fields that are left out are 0."""
    layout = Registry.shipped().layout(format, Environment())
    zero = {field.name: (0,) * 4 if field.name == "pending" else 0 for field in layout.struct(struct).fields}
    return decode_array(layout, struct, encode_array(layout, struct, [zero | row for row in rows]), len(rows))


def made(name: str = "", **parts: list[dict[str, Any]]) -> Interrupts:
    """An object with these parts."""
    return Interrupts.of(name, {part: records(STRUCTS[part], rows) for part, rows in parts.items()})


def vector(index: int, source_id: int, entry: int, **more: Any) -> dict[str, Any]:
    """A message vector that leads to an entry."""
    address, data = vtd_message(entry)
    return {"index": index, "source_id": source_id, "kind": 2, "flags": 1, "entry": entry, "address": address, "data": data} | more


def pin(number: int, entry: int, **more: Any) -> dict[str, Any]:
    """A pin that leads to an entry."""
    return {"pin": number, "entry": entry, "source_id": PIN_SOURCE, "redirection": vtd_pin(entry, 0x30)} | more


def rules(*interrupts: Interrupts, units: list[Unit], complete: bool = True) -> list[str]:
    return [finding.rule for finding in verify_interrupts(interrupts, units, complete=complete)]


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF))
def test_messages_lead_to_their_entry(index: int, number: int) -> None:
    """Both ways, for each of 65536 entries."""
    assert index == vtd_index(*vtd_message(index)) == vtd_pin_index(vtd_pin(index, number))
    assert index & 0x7FF == amd_index(index)


def test_messages_that_are_not_remappable() -> None:
    """Another address, or the form of a processor's own interrupts; a subhandle counts only with its bit."""
    assert (None, None, None) == (vtd_index(0xFEE00000, 5), vtd_index(0xFED00010, 5), vtd_pin_index(0x30))
    assert (4, 9) == (vtd_index(0xFEE00090, 5), vtd_index(0xFEE00098, 5))


def real(unit: Unit) -> Interrupts:
    """Records that claim each entry of a real machine's table: IO-APIC pins, and vectors of its devices."""
    assert unit.interrupts is not None
    pins, vectors = [], []
    for entry in unit.interrupts[0].entries:
        source = int(dict(entry.details)["source_id"])  # type: ignore[arg-type]  # a number
        if source == PIN_SOURCE:
            pins.append(pin(len(pins), entry.index))
        else:
            vectors.append(vector(len(vectors), source, entry.index))
    return made(pins=pins, vectors=vectors)


def test_a_real_machine(any_captures: Path) -> None:
    """Every entry is claimed by its own source: nothing is wrong. One claim less, and it is nobody's."""
    unit = unit_of(any_captures, "intel48")
    interrupts = real(unit)
    assert (4, 8) == (len(interrupts.pins), len(interrupts.vectors))
    assert [] == rules(interrupts, units=[unit])
    fewer = Interrupts("", interrupts.vectors[1:], interrupts.pins)
    assert ["irq-entry-unclaimed"] == rules(fewer, units=[unit])
    assert [] == rules(fewer, units=[unit], complete=False)


REMAPPED = (3, 1 | 0x41 << 16 | 0x200 << 32, 0x0010 | 1 << 18)
"""Entry 3: vector 0x41 to APIC id 2, for 00:02.0 alone."""

POSTED = (5, 1 | 1 << 15 | 0x51 << 16 | 0x40 << 38, 0x0010 | 1 << 18)
"""Entry 5: vector 0x51 into the descriptor at 0x1000."""


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (vector(0, 0x10, 3), []),
        (vector(0, 0x10, 4), ["irq-entry-missing", "irq-entry-unclaimed"]),
        (vector(0, 0x18, 3), ["irq-entry-source"]),
        (vector(0, 0x10, 3, unit=1), ["irq-unit", "irq-entry-unclaimed"]),
        (vector(0, 0x10, 3, address=vtd_message(4)[0]), ["irq-message"]),
        (vector(0, 0x10, 3, address=0xFEE00000), ["irq-message"]),
        (vector(0, 0x10, 3, address=0, flags=0), []),
        (vector(0, 0x10, 3) | {"entry": NONE}, ["irq-no-entry", "irq-entry-unclaimed"]),
        (vector(0, 0x10, 3) | {"entry": NONE, "flags": 0}, ["irq-entry-unclaimed"]),
        (vector(0, 0x10, 3) | {"entry": NONE, "unit": NONE}, ["irq-entry-unclaimed"]),
    ],
)
def test_a_vector(row: dict[str, Any], expected: list[str]) -> None:
    """Entry, source, unit and message."""
    assert expected == rules(made(vectors=[row]), units=[irt(3, REMAPPED)])


def test_an_entry_that_is_not_present() -> None:
    """Its vector would be refused."""
    assert ["irq-entry-dead"] == rules(made(vectors=[vector(0, 0x10, 3)]), units=[irt(3, (3, REMAPPED[1] & ~1, REMAPPED[2]))])


@pytest.mark.parametrize(
    ("qualifier", "source", "fits"), [(0, 0x11, False), (1, 0x14, True), (2, 0x16, True), (3, 0x17, True), (3, 0x18, False)]
)
def test_source_qualifiers(qualifier: int, source: int, fits: bool) -> None:
    """Function bits that do not count."""
    unit = irt(3, (3, REMAPPED[1], REMAPPED[2] | qualifier << 16))
    assert ([] if fits else ["irq-entry-source"]) == rules(made(vectors=[vector(0, source, 3)]), units=[unit])


def test_an_entry_claimed_twice() -> None:
    """By two vectors, by a vector and a pin, by two guests."""
    unit = irt(3, REMAPPED)
    one, two = vector(0, 0x10, 3), vector(1, 0x10, 3)
    assert ["irq-entry-claimed"] == rules(made(vectors=[one, two]), units=[unit])
    assert ["irq-entry-claimed"] == rules(made(vectors=[one], pins=[pin(0, 3, source_id=0x10)]), units=[unit])
    assert ["irq-entry-claimed"] == rules(made("a", vectors=[one]), made("b", vectors=[one]), units=[unit])
    assert [] == rules(made(vectors=[one]), made(vectors=[one | {"unit": 1}]), units=[unit, irt(3, REMAPPED)])


def test_a_pin() -> None:
    """Its redirection entry leads where the record says."""
    unit = irt(3, (3, REMAPPED[1], PIN_SOURCE | 1 << 18))
    assert [] == rules(made(pins=[pin(2, 3)]), units=[unit])
    assert ["irq-message"] == rules(made(pins=[pin(2, 3, redirection=0x30)]), units=[unit])
    assert ["irq-message"] == rules(made(pins=[pin(2, 3, redirection=vtd_pin(4, 0x30))]), units=[unit])
    assert ["irq-entry-unclaimed"] == rules(made(pins=[pin(2, NONE)]), units=[unit])


@pytest.mark.parametrize(
    ("row", "masks", "expected"),
    [
        ({"apic_id": 2}, [], []),
        ({"apic_id": 3}, [], ["irq-affinity"]),
        ({"apic_id": 2, "entry": 4}, [], ["irq-entry-missing"]),
        ({"apic_id": 2, "cpu": 70, "mask_words": 2}, [0, 1 << 6], []),
        ({"apic_id": 2, "cpu": 70, "mask_first": 1, "mask_words": 2}, [0, 0, 1 << 6], []),
        ({"apic_id": 2, "cpu": 71, "mask_words": 2}, [0, 1 << 6], ["irq-affinity"]),
        ({"apic_id": 2, "cpu": 200, "mask_words": 2}, [0, 1 << 6], ["irq-affinity"]),
        ({"apic_id": 2, "mask_first": 1, "mask_words": 2}, [1, 1], ["irq-affinity"]),
    ],
)
def test_affinity(row: dict[str, Any], masks: list[int], expected: list[str]) -> None:
    """Where it goes, and where it may."""
    unit = irt(3, REMAPPED)
    interrupts = made(vectors=[vector(0, 0x10, 3)], affinities=[{"entry": 3} | row], masks=[{"bits": bits} for bits in masks])
    assert expected == rules(interrupts, units=[unit])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"descriptor": 0x1000, "vector": 0x51}, []),
        ({"descriptor": 0x1040, "vector": 0x51}, ["irq-posted"]),
        ({"descriptor": 0x1000, "vector": 0x52}, ["irq-posted"]),
        ({"descriptor": 0x1000, "vector": 0x51, "entry": 3}, ["irq-posted"]),
        ({"descriptor": 0x1000, "vector": 0x51, "entry": 9}, ["irq-entry-missing"]),
    ],
)
def test_posted(row: dict[str, Any], expected: list[str]) -> None:
    """The entry leads to the descriptor and vector of the record."""
    vectors = [vector(0, 0x10, 3), vector(1, 0x10, 5)]
    assert expected == rules(made("guest", vectors=vectors, posted=[{"entry": 5} | row]), units=[irt(3, REMAPPED, POSTED)])


def test_amd() -> None:
    """An entry is found in the table of its device; devices that share one share its entries."""
    unit = amd_unit((0x30, 1 | 2 << 8, 0x41), (0x50, 1 | 1 << 7, 0x51 | 1 << 12))
    rows = [vector(0, 0x10, 3, address=0xFEE00000, data=3), vector(0, 0x11, 5, address=0xFEE00000, data=0x805)]
    posted = [{"source_id": 0x11, "entry": 5, "descriptor": 0x1000, "vector": 0x51}]
    affinities = [{"source_id": 0x10, "entry": 3, "apic_id": 2}]
    assert [] == rules(made(vectors=rows, posted=posted, affinities=affinities), units=[unit])
    assert ["irq-entry-claimed", "irq-entry-unclaimed"] == rules(made(vectors=[rows[0], rows[0] | {"source_id": 0x11}]), units=[unit])
    assert ["irq-entry-missing"] == rules(made(vectors=[rows[0] | {"source_id": 0x12}]), units=[unit], complete=False)
    assert ["irq-message"] == rules(made(vectors=[rows[0] | {"data": 4}]), units=[unit], complete=False)


def test_routes_and_links() -> None:
    """An irqfd needs a route; a resampled one a pin; one GSI may go to one pin of each chip."""
    routes = [{"gsi": 5, "kind": 1, "chip": 0, "pin": 5}, {"gsi": 5, "kind": 1, "chip": 2, "pin": 5}, {"gsi": 24, "kind": 2}]
    assert [] == rules(made(routes=routes, irqfds=[{"gsi": 5, "flags": 1}, {"gsi": 24}]), units=[])
    assert ["irq-route"] == rules(made(routes=routes, irqfds=[{"gsi": 25}]), units=[])
    assert ["irq-route"] == rules(made(routes=routes, irqfds=[{"gsi": 24, "flags": 1}]), units=[])
    assert ["irq-route"] == rules(made(routes=[*routes, {"gsi": 24, "kind": 2}]), units=[])
    assert ["irq-route"] == rules(made(routes=[*routes, {"gsi": 5, "kind": 1, "chip": 2, "pin": 6}]), units=[])


@pytest.mark.parametrize(
    ("part", "row", "less"),
    [
        ("vectors", {"source_id": 8, "index": 3, "flags": 4 | 1}, {"flags": 1}),
        ("pins", {"ioapic": 1, "pin": 3, "flags": 1 | 2}, {"flags": 1}),
        ("irqfds", {"gsi": 5, "index": INTX, "counter": 2}, {"counter": 0}),
        ("irqfds", {"gsi": 5, "index": INTX, "flags": 2}, {"flags": 0}),
        ("posted", {"vcpu": 7, "pending": (0, 2, 0, 1 << 63)}, {"pending": (0, 2, 0, 0)}),
    ],
)
def test_pending_bits_survive(part: str, row: dict[str, Any], less: dict[str, Any]) -> None:
    """As it was, or more: fine. Less, or no record at all: lost."""
    before = made(**{part: [row]})
    assert () == verify_pending(before, before)
    assert () == verify_pending(made(**{part: [row | less]}), before)
    for after in (made(**{part: [row | less]}), made()):
        assert ["irq-pending-lost"] == [finding.rule for finding in verify_pending(before, after)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"descriptor": 0x1040, "pending": (2, 0, 0, 4), "control": 0xF2 << 16 | 2}, []),
        ({"descriptor": 0x1040, "pending": (3, 0, 0, 4), "control": 0xF2 << 16 | 2}, []),
        ({"descriptor": 0x1040, "pending": (2, 0, 0, 0), "control": 0xF2 << 16 | 2}, ["irq-descriptor"]),
        ({"descriptor": 0x1040, "pending": (2, 0, 0, 4), "control": 0xF3 << 16}, ["irq-descriptor"]),
        ({"descriptor": 0x1020}, ["irq-descriptor"]),
        ({"descriptor": 0x5000}, ["irq-descriptor"]),
    ],
)
def test_descriptors(row: dict[str, Any], expected: list[str]) -> None:
    """What is pending in memory is in the record; where a descriptor cannot be; one that is not there."""
    data = bytearray(4096)
    data[0x40:0x68] = b"".join(word.to_bytes(8, "little") for word in (2, 0, 0, 4, 0xF2 << 16 | 2))
    memory = PhysMemory([MemoryRegion(0x1000, 4096, memoryview(bytes(data)))])
    found = verify_descriptors(made(posted=[row]), memory, Registry.shipped())
    assert expected == [finding.rule for finding in found]


def test_pending_lpis_survive() -> None:
    """Whatever collection they go to then."""
    rows = [{"device": 8, "event": 0, "lpi": 8200, "flags": 3}, {"device": 8, "event": 1, "lpi": 8201, "flags": 1}]
    before = records("ds_lpi", rows, "its-v1")
    assert () == verify_lpis(before, records("ds_lpi", [rows[0] | {"collection": 5}], "its-v1"))
    assert ["irq-pending-lost"] == [each.rule for each in verify_lpis(before, records("ds_lpi", [rows[0] | {"flags": 1}], "its-v1"))]
