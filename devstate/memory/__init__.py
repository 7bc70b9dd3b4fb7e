# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Physical memory: to read what a kernel handed over, and to build memory that one could have.

``physmem`` is the model (PhysMemory, MemoryRegion, PhysAddr); ``open`` tells what an input is and opens it; ``arena`` builds;
``save`` writes a core. Only the model is imported here: a run that opens a core pays for no other form of input.
"""

from __future__ import annotations

from devstate.memory.physmem import MemoryRegion, PhysAddr, PhysMemory

__all__ = ["MemoryRegion", "PhysAddr", "PhysMemory"]
