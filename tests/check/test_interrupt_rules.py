# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""iommu-state, interrupt-claims and its-lpis over whole handovers: silent on what is right, each defect said once, with its path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devstate.check.run import check
from devstate.handover.build import build
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.packed import STREAM, packed_tables
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.state import unit_state
from devstate.handover.open import open_memory
from devstate.handover.spec import PartSpec, RegionSpec, Spec
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.pagetable.radix import Run
from tests.handover.builders import KERNELS
from tests.handover.test_versions import SCRATCH

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "handover"))
from test_interrupts import records, vector
from test_iommu_state import STRUCTS

RULES = ("iommu-state", "interrupt-claims", "its-lpis")
ROOT = 0x5000_0000
"""Where the unit's tables are, beside the handover."""

Parts = dict[str, list[dict[str, Any]]]


def tables() -> bytes:
    """Root, context and interrupt table of one function, 00:02.0, with an empty top table."""
    pages = [bytearray(4096) for _ in range(4)]

    def put(page: int, at: int, *words: int) -> None:
        pages[page][at : at + 8 * len(words)] = b"".join(word.to_bytes(8, "little") for word in words)

    put(0, 0, ROOT + 0x1000 | 1)
    put(1, 16 * 0x10, ROOT + 0x2000 | 1, 2 | 6 << 8)
    put(3, 16 * 3, 1 | 0x41 << 16 | 0x200 << 32, 0x10 | 1 << 18)
    return b"".join(bytes(page) for page in pages)


def unit_of(data: bytes | None = None) -> Unit:
    """The unit of these tables."""
    memory = PhysMemory([MemoryRegion(ROOT, 4 * 4096, memoryview(data or tables()))])
    return read_unit(memory, "vtd", ROOT, {"RTADDR": ROOT, "IRTA": ROOT + 0x3000 | 7})


def parts_of() -> Parts:
    """The records that fit these tables."""
    return unit_state(unit_of(), "dmar0")


def judged(iommu: Parts | None = None, vectors: list[dict[str, Any]] | None = None, lpis: list[dict[str, Any]] | None = None,
           memory: bool = True, name: bytes = b"vm0", streams: dict[int, bytes] | None = None) -> list[tuple[str, str]]:  # fmt: skip
    """(rule, path) of what check says of a handover with these objects."""
    parts: list[PartSpec] = []

    def add(path: str, format: str, head: dict[str, Any], arrays: dict[str, tuple[str, list[dict[str, Any]]]]) -> None:
        parts.append(PartSpec(path, format, (head,)))
        for name, (struct, rows) in arrays.items():
            whole = [dict(each.fields()) for each in records(struct, rows, format)] if rows else []
            parts.append(PartSpec(f"{path}/{name}", format, tuple(whole), struct, many=True))

    if iommu is not None:
        arrays = {name: (STRUCTS[name], rows) for name, rows in iommu.items() if name != "state"}
        add("iommu/dmar0", "iommu-unit-v1", iommu["state"][0], arrays)
    parts += [PartSpec(f"iommu/dmar0/tables-{place}", STREAM, (), raw=stream) for place, stream in (streams or {}).items()]
    if vectors is not None:
        counts = dict.fromkeys(("pins", "affinities", "masks", "routes", "irqfds", "posted", "flags", "vm"), 0)
        head = {"name": name.ljust(64, b"\0"), "vectors": len(vectors)} | counts
        add("interrupts/vm0", "interrupts-v1", head, {"vectors": ("ds_msi_vector", vectors)})
    if lpis is not None:
        head = dict.fromkeys(("base", "typer", "cbaser", "creadr", "propbaser", "ctlr", "iidr", "areas", "flags", "padding"), 0)
        add("its/its0", "its-v1", head | {"name": bytes(64), "baser": (0,) * 8, "lpis": len(lpis)}, {"lpis": ("ds_lpi", lpis)})
    regions_ = (RegionSpec("trace", 4096),)
    built = build(Spec(KERNELS[-1], regions=regions_, scratch=SCRATCH, parts=tuple(parts), preserved=(Run(ROOT, 4, 0),)))
    view = built.arena.view()
    regions = [*view.regions, *([MemoryRegion(ROOT, 4 * 4096, memoryview(tables()))] if memory else [])]
    handover = open_memory(PhysMemory(regions, source="built"), fdt=built.fdt_pa, scratch=built.scratch)
    assert [] == [problem for problem in handover.problems if problem.code.startswith("state")]
    return [(each.rule, each.location.path or "") for each in check(handover).findings if each.rule in RULES]


VECTOR = vector(0, 0x10, 3)


def test_what_is_right() -> None:
    """No finding; nor where nothing is preserved, nor where the tables are not in the capture."""
    lpis = [{"device": 8, "event": 0, "lpi": 8192}, {"device": 8, "event": 1, "lpi": 8193}]
    assert [] == judged(parts_of(), [VECTOR], lpis)
    assert [] == judged()
    assert [] == judged(parts_of(), [VECTOR], memory=False)


def test_records_of_a_unit_that_do_not_hold() -> None:
    """A domain elsewhere, and so is its attachment; a kind that there is not."""
    parts = parts_of()
    parts["domains"][0]["levels"] = 3
    assert [("iommu-state", f"devstate/iommu/dmar0: domain 6, top table {ROOT + 0x2000:#x}")] == judged(parts)
    parts = parts_of()
    parts["attachments"] = []
    assert [("iommu-state", "devstate/iommu/dmar0: device 0000:00:02.0")] == judged(parts)
    parts = parts_of()
    parts["state"][0]["kind"] = 9
    assert [("iommu-state", "devstate/iommu/dmar0/kind")] == judged(parts)


def test_streams_of_page_tables() -> None:
    """Nothing is wrong with the right one; one that is missing, damaged, or of other tables is named."""
    streams = packed_tables(unit_of())
    parts = unit_state(unit_of(), "dmar0", packed=streams)
    other = bytearray(tables())
    other[0x2008] = 3  # a table below the top one
    assert [] == judged(parts, streams=streams)
    for wrong in ({}, {0: streams[0][:-1]}, packed_tables(unit_of(bytes(other)))):
        assert [("iommu-state", "devstate/iommu/dmar0: tables-0")] == judged(parts, streams=wrong)
    assert [] == judged(parts_of(), streams={0: b"not asked for"})


@pytest.mark.parametrize(
    ("vectors", "paths"),
    [
        ([], []),
        ([VECTOR, vector(1, 0x10, 3)], ["vm0: vector 1 of 0000:00:02.0"]),
        ([vector(0, 0x18, 3)], ["vm0: vector 0 of 0000:00:03.0"]),
        ([VECTOR | {"unit": 1}], ["vm0: vector 0 of 0000:00:02.0"]),
    ],
)
def test_interrupts_that_lead_nowhere(vectors: list[dict[str, Any]], paths: list[str]) -> None:
    """Claimed twice, another's, by nobody, of no unit."""
    assert [("interrupt-claims", f"devstate/interrupts: {path}") for path in paths] == judged(parts_of(), vectors)


def test_entries_of_nobody() -> None:
    """Said where the host's own interrupts are there, so that every entry has an owner among them."""
    assert [("interrupt-claims", "devstate/interrupts: unit 0, entry 3")] == judged(parts_of(), [], name=b"")
    assert [] == judged(parts_of(), [VECTOR], name=b"")


def test_lpis_that_are_mapped_twice() -> None:
    """By two events; and a number that is none."""
    lpis = [{"device": 8, "event": 0, "lpi": 8192}, {"device": 9, "event": 0, "lpi": 8192}, {"device": 9, "event": 1, "lpi": 1}]
    expected = [f"devstate/its/its0: event {event:#x} of device 0x9" for event in (0, 1)]
    assert [("its-lpis", path) for path in expected] == judged(lpis=lpis)
