# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Real captures with some bytes changed: what no captured machine happened to hand over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devstate.handover.model import Handover
from devstate.handover.open import open_memory
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.open import open_input
from devstate.memory.save import save_elf


def edited(capture: Path, writes: Mapping[int, bytes]) -> PhysMemory:
    """The memory of a capture with ``writes`` {address: bytes} done to it, each inside one region."""
    memory = open_input(str(capture)).memory
    assert memory is not None
    regions = []
    for region in memory.regions:
        data = bytearray(region.data[: region.size])
        for pa, new in writes.items():
            if region.start <= pa < region.end:
                assert pa + len(new) <= region.end
                data[pa - region.start : pa - region.start + len(new)] = new
        regions.append(MemoryRegion(region.start, region.size, memoryview(data)))
    return PhysMemory(regions, source=memory.source)


def opened(capture: Path, writes: Mapping[int, bytes]) -> Handover:
    """The handover in it."""
    return open_memory(edited(capture, writes))


def saved(capture: Path, writes: Mapping[int, bytes], path: Path) -> str:
    """It as a core in ``path``; returns the path as text."""
    save_elf(str(path), edited(capture, writes).regions)
    return str(path)
