# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as an input: opening ends in memory that reads as it says, or in an error of ours; what opens can be saved, and is the same.

The first byte chooses how they are opened (bit 0: as a raw image, bit 1: partial), the rest is the file.
"""

from __future__ import annotations

import io

from devstate.errors import DecodeError
from devstate.memory.open import open_data
from devstate.memory.physmem import PhysMemory
from devstate.memory.save import save_elf

LIMIT = 1 << 20
"""Bytes that zstd may become here: a fuzzer wants small and fast."""

RESAVED = 1 << 18
"""Bytes of memory up to which saving is tried."""


def one_input(data: bytes) -> None:
    """The property. Whatever else than DecodeError is raised is a bug."""
    how = data[0] if data else 0
    try:
        opened = open_data(memoryview(data)[1:], base=0x1000 if how & 1 else None, partial=bool(how & 2), max_decompressed=LIMIT)
    except DecodeError:
        return
    if opened.memory is None:
        return
    _reads_as_it_says(opened.memory)
    if opened.memory.size <= RESAVED:
        _saves_and_opens(opened.memory)


def _reads_as_it_says(memory: PhysMemory) -> None:
    end = 0
    for region in memory.regions:
        assert end <= region.start < region.end <= 1 << 64
        end = region.end
        assert len(memory.read(region.start, region.size)) == region.size
        try:
            beyond = memory.read(region.end - 1, 2)
        except DecodeError:
            assert not memory.contains(region.end)
        else:
            assert bytes(beyond)[:1] == bytes(memory.read(region.end - 1, 1))
    for pa in memory.find_pages(b"\xd0\x0d\xfe\xed"):
        assert memory.read(pa, 4) == b"\xd0\x0d\xfe\xed"


def _saves_and_opens(memory: PhysMemory) -> None:
    file = io.BytesIO()
    save_elf(file, memory.regions)
    again = open_data(memoryview(file.getvalue())).memory
    assert again is not None
    for region in memory.regions:
        assert again.read(region.start, region.size) == region.data[:]


def main() -> None:
    from driver import run

    run(one_input)


if __name__ == "__main__":
    main()
