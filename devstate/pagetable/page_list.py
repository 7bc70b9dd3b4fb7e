# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The radix tree of preserved pages from a list of pages, as somebody has them who preserves page by page: one store a page.

What comes as ranges is for ``native.radix_build()``, which takes a range at a time.
"""

from __future__ import annotations

import sys

from devstate.errors import EncodeError
from devstate.pagetable import native
from devstate.pagetable.preserved import PA_BITS
from devstate.pagetable.radix import Run, check_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from devstate.pagetable.radix import RadixShape


def build_from_pages(
    pages: memoryview,
    shape: RadixShape,
    node_pas: Sequence[int],
    byteorder: Literal["little", "big"],
    *,
    order: int = 0,
    into: bytearray | None = None,
) -> tuple[int, bytearray]:
    """The tree that holds these blocks of one order: how many nodes it takes, and their pages, to be put at ``node_pas``.

    ``pages``: u64s, each an address >> (page shift + order), in any order; one that is there twice counts once. The root is the first
    node. With too few ``node_pas`` the pages are empty: call again with enough. ``into``: a bytearray of at least as many pages as there
    are ``node_pas``, to be used again and again in place of a new one; what is behind the nodes is not touched. EncodeError for blocks
    that no key can hold.
    """
    shift = shape.page_shift + order
    highest = max(pages, default=0) if not native.BUILT else 0
    check_run(Run(highest << shift, 1, order), shape)
    if not native.BUILT:
        return _with_runs(sorted(set(pages)), shape, node_pas, byteorder, order)
    ffi, lib = native.ffi, native.lib
    room = bytearray(len(node_pas) * shape.page_size) if into is None else into
    if len(room) < len(node_pas) * shape.page_size:
        raise EncodeError("room for too few nodes", expected=f"{len(node_pas) * shape.page_size} bytes", found=len(room))
    geometry = ffi.new("struct ds_radix *", {"page_shift": shape.page_shift, "depth": shape.depth, "swap": byteorder != sys.byteorder})
    given, places = ffi.from_buffer("uint64_t[]", pages), ffi.new("uint64_t[]", list(node_pas))
    buffer, needed = ffi.from_buffer(room), ffi.new("size_t *")
    status = lib.ds_radix_build_pages(geometry, order, given, len(given), places, len(places), buffer, needed)
    ffi.release(buffer)
    if status == lib.DS_ESPACE:
        return _count_nodes(pages, shape, order), bytearray()
    if status == lib.DS_EINVAL:
        raise EncodeError("a block beyond what an address can be", expected=f"below {1 << PA_BITS - shift:#x}", found=f"{max(pages):#x}")
    native.done(status)
    if into is None:
        del room[needed[0] * shape.page_size :]
    return needed[0], room


def _with_runs(
    blocks: Iterable[int], shape: RadixShape, node_pas: Sequence[int], byteorder: Literal["little", "big"], order: int
) -> tuple[int, bytearray]:
    runs = [Run(block << shape.page_shift + order, 1, order) for block in blocks]
    return native.radix_build(runs, shape, node_pas, byteorder)


def _count_nodes(pages: memoryview, shape: RadixShape, order: int) -> int:
    """How many nodes the tree has."""
    import numpy as np

    key = np.uint64(1 << shape.key_bits - 1 - order)
    prefixes = np.unique((np.frombuffer(pages, dtype=np.uint64) | key) >> np.uint64(shape.leaf_bits))
    count = 1
    for _ in range(shape.depth - 1):
        count += len(prefixes)
        prefixes = np.unique(prefixes >> np.uint64(shape.table_bits))
    return count
