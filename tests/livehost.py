# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A host that runs a KHO kernel, as directories in place of /sys and /proc, made of a real capture.

``proc/kcore`` is an ELF core like the kernel's: the capture's memory, decoys around it, a segment that is no RAM, a VMCOREINFO note.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from struct import pack

from devstate.handover.host import Host
from devstate.handover.model import Handover
from devstate.handover.open import open_memory
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.notes import Note

VMCOREINFO = b"OSRELEASE=7.3.4\nPAGESIZE=4096\n"
NO_RAM = (1 << 64) - 1


def kcore(regions: list[tuple[int, bytes]], *, sign: str = "<", info: bytes = VMCOREINFO, machine: int = 62) -> bytes:
    """An ELF core of (address, bytes), with a note and a mapping of device memory, whose bytes nobody may read."""
    note = Note(b"VMCOREINFO", 0, info).pack("little" if sign == "<" else "big") if info else b""
    count = len(regions) + 2
    at = 64 + 56 * count
    phdrs = [pack(f"{sign}IIQQQQQQ", 4, 4, at, 0, 0, len(note), len(note), 4)]
    body = note
    for pa, data in [(NO_RAM, b"device"), *regions]:
        phdrs.append(pack(f"{sign}IIQQQQQQ", 1, 4, at + len(body), 0, pa, len(data), len(data), 4096))
        body += data
    head = b"\x7fELF\x02" + bytes([1 if sign == "<" else 2, 1]) + bytes(9)
    head += pack(f"{sign}HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + b"".join(phdrs) + body


class LiveHost:
    """The host. ``memory`` is what its kernel has, ``writes`` {address: bytes} are done to it. ``debugfs()``, ``setup_data()`` and
    ``chosen()`` add what shows it."""

    def __init__(self, directory: Path, memory: PhysMemory, writes: Mapping[int, bytes] | None = None) -> None:
        self.sys = directory / "sys"
        self.proc = directory / "proc"
        self.handover = open_memory(memory)
        self.regions = [(region.start, bytearray(region.data[: region.size])) for region in memory.regions]
        for pa, data in (writes or {}).items():
            self.write(pa, data)
        (self.sys / "kernel/debug").mkdir(parents=True)
        self.file("proc/sys/kernel/osrelease", b"7.3.4\n")
        self.file("proc/cmdline", b"root=/dev/vda kho=on liveupdate=on\n")

    def host(self) -> Host:
        """With the memory as it is now."""
        self.file("proc/kcore", kcore([(pa, bytes(data)) for pa, data in self.regions]))
        return Host(str(self.sys), str(self.proc))

    def file(self, path: str, data: bytes) -> None:
        """A file of the tree."""
        place = self.sys.parent / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def configured(self, *options: str) -> None:
        """A kernel configuration with these."""
        self.file("proc/config.gz", gzip.compress("".join(f"{option}=y\n" for option in options).encode() + b"# CONFIG_X is not set\n"))

    def page(self, pa: int, data: bytes) -> None:
        """More RAM: pages that begin with ``data``."""
        self.regions.append((pa, bytearray(data + bytes(-len(data) % 4096))))

    def write(self, pa: int, data: bytes) -> None:
        """Change memory."""
        for start, bytes_ in self.regions:
            if start <= pa < start + len(bytes_):
                assert pa + len(data) <= start + len(bytes_)
                bytes_[pa - start : pa - start + len(data)] = data
                return
        raise AssertionError(f"no memory at {pa:#x}")

    def debugfs(self, side: str = "out", *, cut: int | None = None, scratch: str | None = "scratch") -> None:
        """The files of debugfs: the root FDT up to ``cut``, every blob; the scratch entries under the kernel's name for them."""
        fdt = self.handover.fdt
        assert fdt is not None and fdt.blob is not None
        self.file(f"sys/kernel/debug/kho/{side}/fdt", bytes(fdt.blob)[:cut])
        for subtree in self.handover.subtrees:
            assert subtree.blob is not None
            self.file(f"sys/kernel/debug/kho/{side}/sub_fdts/{subtree.name}", bytes(subtree.blob))
        if scratch is not None:
            for number, what in enumerate(("phys", "len")):
                lines = "".join(f"{entry[number]:#x}\n" for entry in self.handover.scratch or ())
                self.file(f"sys/kernel/debug/kho/{side}/{scratch}_{what}", lines.encode())

    def setup_data(self, *words: int, kind: int = 10) -> None:
        """x86's carrier, behind a node of another type."""
        words = words or self._carried()
        self.file("sys/kernel/boot_params/setup_data/0/type", b"0x9\n")
        self.file("sys/kernel/boot_params/setup_data/0/data", bytes(48))
        self.file("sys/kernel/boot_params/setup_data/1/type", f"{kind:#x}\n".encode())
        self.file("sys/kernel/boot_params/setup_data/1/data", b"".join(word.to_bytes(8, "little") for word in words))

    def chosen(self, scratch: str = "linux,kho-scratch", *, cells: tuple[int, int] = (2, 2), under: str = "proc/device-tree") -> None:
        """The carrier of devicetree machines."""
        fdt_pa, fdt_size, scratch_pa, scratch_size = self._carried()
        for what, count in zip(("address", "size"), cells, strict=True):
            self.file(f"{under}/#{what}-cells", count.to_bytes(4, "big"))
        for name, pa, size in (("linux,kho-fdt", fdt_pa, fdt_size), (scratch, scratch_pa, scratch_size)):
            self.file(f"{under}/chosen/{name}", pa.to_bytes(cells[0] * 4, "big") + size.to_bytes(cells[1] * 4, "big"))

    def _carried(self) -> tuple[int, int, int, int]:
        handover = self.handover
        assert handover.fdt_pa is not None and handover.scratch_pa is not None and handover.scratch is not None
        return handover.fdt_pa, 4096, handover.scratch_pa, len(handover.scratch) * 16


def pages(memory: PhysMemory) -> dict[int, bytes]:
    """Every page that is there."""
    return {
        pa: bytes(memory.read(pa, 4096)) for region in memory.regions for pa in range(region.start, region.end - region.start % 4096, 4096)
    }


def reopened(path: Path) -> Handover:
    """The handover in a capture that was made, by the note in it."""
    from devstate.handover.open import open_handover
    from devstate.memory.open import open_input

    return open_handover(open_input(str(path)))


def memory_of(regions: list[tuple[int, bytes]]) -> PhysMemory:
    """Memory of (address, bytes)."""
    return PhysMemory([MemoryRegion(pa, len(data), memoryview(data)) for pa, data in regions])
