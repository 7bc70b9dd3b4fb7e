# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A raw memory image: the bytes of one run of physical memory, byte 0 of the file being address ``base``. It says nothing about itself."""

from __future__ import annotations

from devstate.errors import ImageError
from devstate.memory.physmem import ADDRESS_END, MemoryRegion, PhysMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from devstate.memory.physmem import Data


def open_raw(data: Data, size: int, base: int, *, source: str, byteorder: Literal["little", "big"] = "little") -> PhysMemory:
    """Memory of one region. ImageError when ``base`` and ``size`` leave the 64-bit address space."""
    if not 0 <= base <= ADDRESS_END - size:
        limit = f"a base of at most {ADDRESS_END - size:#x}"
        raise ImageError("raw image leaves the 64-bit address space", source=source, expected=limit, found=f"{base:#x}")
    return PhysMemory([MemoryRegion(base, size, data)], source=source, byteorder=byteorder)
