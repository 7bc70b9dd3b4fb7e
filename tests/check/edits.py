# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A real capture that can be written to: for tests that change one field and ask what check says."""

from __future__ import annotations

from pathlib import Path

from devstate.handover.model import Handover, PreservedFile, Session
from devstate.handover.open import open_memory
from devstate.layout.model import StructLayout
from devstate.memory.open import open_input
from devstate.memory.physmem import MemoryRegion, PhysMemory


class Edited:
    """A copy of a capture's memory. ``opened`` is the handover before any edit: edits find their places in it."""

    def __init__(self, path: Path) -> None:
        source = open_input(str(path))
        assert source.memory is not None
        self.buffers = [(region.start, bytearray(region.data)) for region in source.memory.regions]
        self.memory = PhysMemory([MemoryRegion(start, len(data), memoryview(data)) for start, data in self.buffers], source="edited")
        self.opened = open_memory(self.memory)

    def write(self, pa: int, data: bytes) -> int:
        """Put bytes at ``pa``; returns it."""
        start, buffer = next((start, data) for start, data in self.buffers if start <= pa < start + len(data))
        buffer[pa - start : pa - start + len(data)] = data
        return pa

    def u64(self, pa: int, value: int) -> int:
        """Put a native 64-bit integer at ``pa``; returns it."""
        return self.write(pa, value.to_bytes(8, "little"))

    def field(self, pa: int, layout: StructLayout, name: str, value: int | bytes) -> int:
        """Put a value into a field of a record at ``pa``; returns the field's address."""
        field = layout.field(name)
        return self.write(pa + field.offset, value if isinstance(value, bytes) else value.to_bytes(field.size, "little"))

    def preserve(self, pa: int, *, order: int = 0, set: bool) -> int:
        """Set or clear the bit of a block in the memory map; returns the address of its byte."""
        assert self.opened.preserved is not None
        place = self.opened.preserved.word(pa, order)
        assert place is not None
        at = place[0] + place[1] // 8
        byte = self.memory.read(at, 1)[0]
        mask = 1 << place[1] % 8
        return self.write(at, bytes([byte | mask if set else byte & ~mask]))

    def reopened(self) -> Handover:
        """The handover as it is now."""
        return open_memory(self.memory, fdt=self.opened.fdt_pa)

    def session(self, index: int) -> Session:
        """A session of the unedited handover."""
        assert self.opened.luo is not None
        return self.opened.luo.sessions[index]

    def file(self, token: int) -> PreservedFile:
        """A file of the unedited handover, by its token."""
        return next(file for file in self.opened.files if file.token == token)

    def folio(self, token: int, index: int) -> int:
        """The address of one record of a file's folio array."""
        pages = self.file(token).pages
        assert pages is not None
        where = pages.where(index * 16)
        assert where is not None
        return where
