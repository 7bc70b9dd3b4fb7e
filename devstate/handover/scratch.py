# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The scratch areas (boot memory since 7.4): where the next kernel allocates before it has read the memory map.

The array of {addr u64, size u64} is reached from the carrier, not from the root FDT. Where nobody says where it is, a capture that was
reduced to the pages that matter still holds its page: the one that is neither preserved nor part of the map.
Source: struct kho_scratch in include/asm-generic/kexec_handover.h; low memory, global, then one for each node with memory.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.follow import Follow
    from devstate.handover.preserved import PreservedPages
    from devstate.memory.physmem import PhysMemory

ENTRY = 16
SCRATCH_MAX = 1 << 16
"""Entries of a scratch array: two and one for each NUMA node with memory; Linux has at most 1024 nodes."""

CANDIDATES_MAX = 4096
"""Pages that may be neither preserved nor of the map before a capture counts as unreduced, and is not searched."""

FEWEST = 3
"""Low memory, global, and one node."""

ALIGNMENT = 2 << 20
"""Scratch areas are CMA areas: whole pageblocks, 2 MiB on x86-64 and more elsewhere."""


def open_scratch(follow: Follow, pa: int, size: int) -> None:
    """Read the array of ``size`` bytes at ``pa`` into the handover. What is wrong becomes a problem."""
    data = follow.read(pa, min(size, SCRATCH_MAX * ENTRY), "scratch")
    if data is None:
        return
    follow.handover.scratch_pa = pa
    follow.handover.scratch = _entries(follow, data)
    if size % ENTRY:
        follow.problem("scratch-size", "the scratch array is no whole number of entries", pa, "scratch", f"a multiple of {ENTRY}", size)


def find_scratch(follow: Follow) -> None:
    """Look for the array in a reduced capture: the only page of its shape among those that nothing else explains."""
    handover = follow.handover
    if handover.memory is None or handover.preserved is None or handover.scratch is not None:
        return
    candidates = list(islice(_unexplained(follow, handover.memory, handover.preserved), CANDIDATES_MAX + 1))
    if len(candidates) > CANDIDATES_MAX:
        return
    found = [(pa, entries) for pa in candidates if (entries := _array_at(follow, pa))]
    if len(found) == 1:
        handover.scratch_pa, handover.scratch = found[0]


def _unexplained(follow: Follow, memory: PhysMemory, preserved: PreservedPages) -> Iterator[int]:
    """The pages that are neither preserved nor of the map. Preserved ranges are passed over in one step each."""
    nodes, edges = {*preserved.map.node_pages, follow.handover.fdt_pa}, preserved.map.edges
    for region in memory.regions:
        pa = region.start + -region.start % follow.page_size
        while pa + follow.page_size <= region.end:
            index = bisect_right(edges, pa)
            if index % 2:
                pa = edges[index]
                continue
            if pa not in nodes:
                yield pa
            pa += follow.page_size


def _entries(follow: Follow, data: memoryview) -> list[tuple[int, int]]:
    words = [int.from_bytes(data[at : at + 8], follow.order) for at in range(0, len(data) // ENTRY * ENTRY, 8)]
    return list(zip(words[0::2], words[1::2], strict=True))


def _array_at(follow: Follow, pa: int) -> list[tuple[int, int]]:
    """The entries of the page at ``pa`` if it begins as a scratch array does and holds nothing behind it; empty otherwise."""
    data = follow.read(pa, follow.page_size, "scratch")
    entries = _entries(follow, data) if data is not None else []
    while entries and entries[-1] == (0, 0):
        entries.pop()
    shaped = all(start and start % ALIGNMENT == 0 and size % ALIGNMENT == 0 and start + size < 1 << 52 for start, size in entries)
    return entries if shaped and len(entries) >= FEWEST and any(size for _, size in entries) else []
