# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Domains of a unit: equal page tables under one tag, and what they map.

Walks are bounded together: the tables of all domains are read as often as WALKS says of the memory, and EXTRA more. Domains beyond that are
listed without a walk, with the finding ``iommu-domain-budget``.
"""

from __future__ import annotations

from devstate.handover.iommu.model import Domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.handover.iommu.model import Device, Stage
    from devstate.handover.iommu.tables import TableReader
    from devstate.memory import PhysMemory
    from devstate.pagetable.mapping import Walk

WALKS = 4
"""How often all of the memory may be read as page tables: twice is usual, as tables are counted first where they are large."""

EXTRA = 1 << 26
"""Bytes more: a walk of hostile tables reads 4 MiB again at most, so ten of these do not end the reading of a small capture."""

PER_REGION = 64
"""What it costs to begin a walk, in bytes read, for each region of the memory."""


def read_domains(reader: TableReader, devices: Iterable[Device], *, walks: bool = True) -> tuple[Domain, ...]:
    """The domains that the devices use, in the order in which they are first used. ``walks``: and what they map."""
    users: dict[object, tuple[Stage, dict[int, Device]]] = {}
    for number, device in enumerate(devices):
        for stage in device.stages:
            users.setdefault(stage_key(stage), (stage, {}))[1][number] = device
    left = WALKS * reader.memory.size + EXTRA
    found = []
    for stage, those in users.values():
        walk = None
        if not walks:
            pass
        elif left > 0:
            walk = stage.table.walk()
            left -= _cost(stage.table.memory, walk, stage.table.format.granule)
        else:
            path = f"domain {stage.domain_id}"
            reader.find("iommu-domain-budget", "so much was walked that this domain was not", stage.table.top_table, path)
        found.append(Domain(stage, tuple(those.values()), walk))
    return tuple(found)


def stage_key(stage: Stage) -> object:
    """What makes stages equal. Memory seen through tables is another one each time, and counts as the same when nothing else differs."""
    table = stage.table
    return stage.domain_id, table.format.label, table.top_table, table.levels, table.top_entries, table.upper


def _cost(memory: PhysMemory, walk: Walk, granule: int) -> int:
    """Bytes that the walk has read at most: every table once, and again for each problem that it named."""
    tables = sum(walk.tables.values()) + walk.problem_count
    return granule * (tables + 1) + PER_REGION * len(memory.regions) + (memory.size >> 12)
