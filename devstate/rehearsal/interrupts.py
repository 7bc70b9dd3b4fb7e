# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The interrupt remapping table of the machine: one page of VT-d entries, written and read by their schema."""

from __future__ import annotations

import functools

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.layout.model import Environment
from devstate.layout.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Layout
    from devstate.memory.physmem import PhysMemory

ENTRY_SIZE = 16
ENTRIES = 256


@functools.cache
def entry_layout() -> Layout:
    """A remapped entry."""
    return Registry.shipped().layout("vtd-remapped-irte", Environment())


def entry(vector: int, destination: int, source: int) -> bytes:
    """The bytes of a present entry for an edge-triggered interrupt."""
    layout = entry_layout()
    values = {field.name: 0 for field in layout.struct().fields if not field.gap}
    values |= {"present": 1, "vector": vector, "destination": destination, "source_id": source, "source_validation": 1}
    return encode(layout, values)


def message(index: int) -> int:
    """The address that a device writes to raise the interrupt of an entry: the remappable form, VT-d specification 5.1.2.2."""
    return 0xFEE0_0010 | (index & 0x7FFF) << 5 | index >> 15 << 2


def raised_at(memory: PhysMemory, table: int, index: int) -> tuple[int, int] | None:
    """(destination, vector) of an entry; None when it is not present, or is none at all."""
    if not 0 <= index < ENTRIES:
        return None
    record = decode(entry_layout(), memory.read(table + ENTRY_SIZE * index, ENTRY_SIZE))
    return (record.destination, record.vector) if record.present else None
