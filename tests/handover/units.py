# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IOMMU tables for tests: words put into an arena, and units read from there."""

from __future__ import annotations

from collections.abc import Iterable

from devstate.handover.iommu.model import Device, Unit
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.verify import verify_unit
from devstate.memory.arena import Arena
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping

SOME = (Mapping(0x1000, 0x7000, 0x2000, 3), Mapping(0x40000000, 0x80000000, 0x40000000, 1))
"""Two extents, readable and writable, and readable: what tables of tests map."""


class Tables:
    """An arena to write the tables of a unit into."""

    def __init__(self) -> None:
        self.arena = Arena()

    def page(self, pages: int = 1, align: int = 4096) -> int:
        """New pages of zeros."""
        return int(self.arena.alloc(pages * 4096, align=align))

    def words(self, pa: int, *values: int) -> None:
        """Write little-endian 64-bit words at ``pa``."""
        self.arena.write(pa, b"".join(value.to_bytes(8, "little") for value in values))

    def top(self, format: str, levels: int, mappings: Iterable[Mapping] = SOME, **geometry: object) -> int:
        """The top table of page tables that map these."""
        return build(self.arena, format, mappings, levels, **geometry).top_table  # type: ignore[arg-type]  # as build() has them

    def unit(self, kind: str, root: int | None, **registers: int) -> Unit:
        """The unit whose root table is at ``root``."""
        return read_unit(self.arena.view(), kind, root, registers)


def device(unit: Unit, source_id: int, pasid: int = 0) -> Device:
    """The one device of the unit with this id."""
    found = [each for each in unit.devices if (each.source_id, each.pasid) == (source_id, pasid)]
    assert len(found) == 1, f"{len(found)} devices {source_id:#x}, PASID {pasid:#x}"
    return found[0]


def rules(unit: Unit, *, tables: bool = False) -> list[str]:
    """The rules of all findings, in their order."""
    return [finding.rule for finding in verify_unit(unit, tables=tables)]


def mapped(unit: Unit, number: int = 0) -> list[Mapping]:
    """The extents of a domain."""
    walk = unit.domains[number].walk
    assert walk is not None
    return list(walk.mappings)


def shape(found: Device) -> tuple[object, ...]:
    """What tests most often look at: translation, format, levels, domain."""
    return found.translation, found.format, found.levels, found.domain_id
