# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The handover of a running kernel: where its root FDT and its scratch array are in physical memory.

============  =================================================================  ====================================================
              out: what this kernel will hand over                               in: what it was handed
============  =================================================================  ====================================================
root FDT      debugfs shows its bytes (cut), not its address. It is preserved    its address is in the carrier; without one it is looked
              in its own memory map, whose address is in the bytes: that is      for as on the other side, with the bytes of ``in/fdt``
              searched first, then all memory
scratch       its entries are in debugfs; the array is where the carrier of      in the carrier
              this kernel says (it is used on), else it is looked for
============  =================================================================  ====================================================

(kernel/liveupdate/kexec_handover.c: kho_init, kho_fill_kimage, kho_memory_init)
"""

from __future__ import annotations

import os

from devstate.errors import DecodeError, NotInMemoryError, UsageError
from devstate.fdt.header import HEADER_SIZE
from devstate.fdt.reader import read_partial
from devstate.handover.capture import Origin, machine_of
from devstate.handover.carrier import read_carrier
from devstate.handover.claims import Claims
from devstate.handover.follow import Follow
from devstate.handover.model import Handover
from devstate.handover.preserved import read_memory_map
from devstate.handover.reach import present, preserved_edges
from devstate.handover.root import CANDIDATES_MAX, FDT_MAGIC, PREFIX, blob_at
from devstate.handover.text import c_string
from devstate.layout.model import PAGE_SIZES, Environment, NodeLayout
from devstate.memory.physmem import MAX_REGIONS, PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.carrier import Carrier
    from devstate.handover.host import Host
    from devstate.layout.registry import Registry
    from devstate.memory.debugfs import DebugfsDump

SEARCH_MAX = 1 << 36
"""Bytes of memory that are searched for the scratch array, which a capture can do without: 64 GiB. All of it has to be read."""


def find_live(host: Host, registry: Registry, *, side: str | None = None, fdt: int | None = None, page_size: int | None = None) -> Origin:
    """What to capture from ``host``: side ``out`` unless there is only the other. ``fdt`` is the root's address when the user knows it.

    ImageError, with advice, when the host shows no handover or no memory; UsageError when the root cannot be told.
    """
    import sys

    dumps = {dump.side: dump for dump in host.dumps() if dump.fdt is not None}
    carrier = read_carrier(host.sys, host.proc, registry, sys.byteorder)
    if fdt is not None and side is None:
        side = "in" if carrier is not None and carrier.fdt_pa == fdt else "out"
    side = side or ("in" if "out" not in dumps and (carrier is not None or "in" in dumps) else "out")
    dump = dumps.get(side)
    if fdt is None and dump is None and (side == "out" or carrier is None):
        raise host.nothing_shown()
    source = host.memory()
    memory = source.memory
    if memory is None:
        raise UsageError(f"{host.kcore}: is no physical memory; expected an ELF core")
    page_size = page_size or memory.page_size or (os.sysconf("SC_PAGE_SIZE") if host.proc == "/proc" else PAGE_SIZES[0])
    if page_size not in PAGE_SIZES:
        raise UsageError(f"the page size is one of {', '.join(map(str, PAGE_SIZES))}, not {page_size}")
    search = _Search(memory, registry, Environment(page_size, memory.byteorder))
    if fdt is None:
        fdt = carrier.fdt_pa if side == "in" and carrier is not None else search.root(dump)
    scratch, missing = search.scratch(side, carrier, dump)
    return Origin(
        memory, fdt, registry, page_size=page_size, scratch=scratch, side=side, machine=machine_of(source), dump=dump, missing=missing,
        release=host.release if side == "out" else None, extra=(("SIDE", side),),
    )  # fmt: skip


class _Search:
    """Physical memory in which the root FDT and the scratch array are looked for."""

    def __init__(self, memory: PhysMemory, registry: Registry, environment: Environment) -> None:
        self.memory = memory
        self.registry = registry
        self.environment = environment

    def root(self, dump: DebugfsDump | None) -> int:
        """The address of the root FDT whose first bytes debugfs shows. UsageError when there is none, or several."""
        assert dump is not None and dump.fdt is not None  # find_live() refused
        blob = dump.fdt
        if len(blob) < HEADER_SIZE or blob[:4] != FDT_MAGIC:
            raise UsageError(f"{dump.directory}/fdt: is no devicetree; give the root FDT's address with --fdt PA")
        narrow = self._preserved(blob)
        found = self._matches(narrow, blob) if narrow is not None else []
        if not found:
            found = self._matches(self.memory, blob)
        if len(found) > 1:
            found = [pa for pa in found if self._preserves_itself(pa)] or found
        if len(found) == 1:
            return found[0]
        what = f"{self.memory.source}: the root FDT that {dump.directory}/fdt shows is"
        if not found:
            raise UsageError(f"{what} nowhere in this memory; try again (it may just have changed) or give its address with --fdt PA")
        raise UsageError(f"{what} here {len(found)} times; choose one: {', '.join(f'--fdt {pa:#x}' for pa in found)}")

    def _preserves_itself(self, pa: int) -> bool:
        """Whether the root at ``pa`` is in its own memory map, which no copy of it is."""
        blob = blob_at(self.memory, pa)
        narrow = self._preserved(blob) if blob is not None else None
        return narrow is not None and narrow.contains(pa)

    def _matches(self, memory: PhysMemory, blob: memoryview) -> list[int]:
        """The pages that begin with ``blob``."""
        found = []
        for pa in memory.find_pages(FDT_MAGIC, self.environment.page_size):
            if self._stands(pa, blob):
                found.append(pa)
                if len(found) == CANDIDATES_MAX:
                    break
        return found

    def _stands(self, pa: int, data: memoryview | bytes) -> bool:
        try:
            return self.memory.contains(pa, len(data)) and self.memory.read(pa, len(data)) == data
        except NotInMemoryError:  # a live file need not give what its headers promise
            return False

    def _preserved(self, blob: memoryview) -> PhysMemory | None:
        """The memory that the map preserves whose address stands in the root FDT ``blob``: there the whole of it is. None: cannot be told.

        The blob may be cut so that the names of its properties are gone; their values stand before.
        """
        try:
            tree, _ = read_partial(blob)
        except DecodeError:
            return None
        values = [bytes(value) for value in tree.root.properties.values()]
        compatible = next((c_string(value)[0] for value in values if value.startswith(PREFIX.encode())), "")
        names = self.registry.names(compatible)
        layout = self.registry.layout(names[0], self.environment) if names else None
        if layout is None or not isinstance(layout.root, NodeLayout) or layout.root.properties[0].target is None:
            return None
        for pa in (int.from_bytes(value, self.environment.byte_order) for value in values if len(value) == 8):
            handover = Handover(self.memory.source, self.memory, self.environment, self.registry, Claims())
            handover.preserved = read_memory_map(Follow(handover), layout.root.properties[0].target, pa)
            if handover.preserved is not None and 0 < len(handover.preserved.map) <= MAX_REGIONS // 2:
                return PhysMemory(present(self.memory, preserved_edges(handover))[:MAX_REGIONS], source=self.memory.source)
        return None

    def scratch(self, side: str, carrier: Carrier | None, dump: DebugfsDump | None) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
        """((address, bytes) of the scratch array or None, what to say about that)."""
        given = None
        if carrier is not None and carrier.scratch_pa is not None and carrier.scratch_size:
            given = (carrier.scratch_pa, carrier.scratch_size)
        if side == "in":
            return given, () if given else ("scratch array: no carrier names it",)
        if dump is None or not dump.scratch:
            return None, ("scratch array: debugfs does not show its entries",)
        data = b"".join(number.to_bytes(8, self.environment.byte_order) for entry in dump.scratch for number in entry)
        if given is not None and self._stands(given[0], data):
            return (given[0], len(data)), ()
        if self.memory.size > SEARCH_MAX or not any(data[:8]):
            return None, (f"scratch array: not looked for in {self.memory.size:#x} bytes of memory",)
        for pa in self.memory.find_pages(data[:8], self.environment.page_size):
            if self._stands(pa, data):
                return (pa, len(data)), ()
        return None, ("scratch array: its entries, which debugfs shows, are nowhere in this memory",)
