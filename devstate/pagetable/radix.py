# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Maps of preserved pages in plain Python: slow, obvious, and held equal to the C core by the tests.

KHO v2 to v4 hand over one radix tree for blocks of all orders (kernel/liveupdate/kexec_handover.c, ``kho_radix_*``)::

    root   page of u64: addresses of nodes of the next level, 0 is none     page_shift - 3 bits of the key a level
    ...
    leaf   page of bits, in native u64 words, lowest bit first              page_shift + 3 bits of the key

    key = 1 << (64 - page_shift - order)  |  pa >> (page_shift + order)     the highest bit tells the order

The tree has as many levels as it takes for a key; before commit d64b0372760e there was one too few at 16K, where keys of order 0
did not fit. Node pages are not keys of the tree. Bitmaps, which KHO v1 hands over without a tree, are in ``bitmaps.py``.
"""

from __future__ import annotations

from devstate.errors import EncodeError, NotInMemoryError, UsageError
from devstate.frozen import frozen
from devstate.pagetable.bitmaps import Bitmap, decode_bitmaps
from devstate.pagetable.preserved import PA_BITS, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Literal

    from devstate.memory import PhysMemory
    from devstate.pagetable.preserved import PreservedMap

_PA_LIMIT = 1 << PA_BITS


@frozen
class RadixShape:
    """The geometry of a tree, from ``radix_shape()``: ``depth`` counts the levels with the leaf."""

    page_size: int
    depth: int

    @property
    def page_shift(self) -> int:
        """log2 of the page size."""
        return self.page_size.bit_length() - 1

    @property
    def table_bits(self) -> int:
        """Bits of the key that one table uses."""
        return self.page_shift - 3

    @property
    def leaf_bits(self) -> int:
        """Bits of the key that the leaf uses."""
        return self.page_shift + 3

    @property
    def key_bits(self) -> int:
        """Bits that a key may have."""
        return 64 - self.page_shift + 1

    def order_of(self, key: int) -> int:
        """The order that a key is of."""
        return self.key_bits - key.bit_length()


def radix_shape(page_size: int, depth: int | None = None) -> RadixShape:
    """The geometry for a page size; ``depth`` defaults to what kernels since d64b0372760e use. UsageError when no tree is like that."""
    if page_size not in (4096, 16384, 65536):
        raise UsageError(f"a radix tree of pages of {page_size} bytes; there are 4096, 16384 and 65536")
    shape = RadixShape(page_size, 0)
    deepest = 1 - (shape.leaf_bits - shape.key_bits) // shape.table_bits
    depth = deepest if depth is None else depth
    if not 2 <= depth <= deepest:
        raise UsageError(f"a radix tree of {depth} levels; pages of {page_size} bytes give 2 to {deepest}")
    return RadixShape(page_size, depth)


@frozen
class Walked:
    """What a walk found: the leaves as bitmaps, highest order first, the addresses of all nodes, and what was wrong."""

    bitmaps: tuple[Bitmap, ...]
    nodes: tuple[int, ...]
    problems: tuple[Problem, ...]


def walk(memory: PhysMemory, root_pa: int, shape: RadixShape, byteorder: Literal["little", "big"]) -> Walked:
    """Every leaf of the tree at ``root_pa``. A node is entered once, so time is linear in the memory that is there."""
    bitmaps: list[Bitmap] = []
    problems: list[Problem] = []
    nodes: dict[int, None] = {}
    pending: list[tuple[int, int, tuple[int, ...]]] = [(0, root_pa, ())]
    while pending:
        slot_pa, pa, path = pending.pop()
        level = shape.depth - 1 - len(path)
        prefix = 0
        for index in path:
            prefix = prefix << shape.table_bits | index
        page = None
        if prefix << shape.leaf_bits + level * shape.table_bits >> shape.key_bits:
            code = "key-too-wide"
        elif pa % shape.page_size:
            code = "misaligned"
        elif (page := _page(memory, pa, shape.page_size)) is None:
            code = "not-in-memory"
        elif pa in nodes:
            code = "visited-twice"
        else:
            code = ""
        if code or page is None:
            problems.append(Problem(code, slot_pa, pa, path))
            continue
        nodes[pa] = None
        if level:
            pending.extend(reversed(list(_children(page, pa, path, byteorder))))
        else:
            problems.extend(Problem(fault, slot_pa, pa, path) for fault in _read_leaf(page, prefix, shape, byteorder, bitmaps))
    return Walked(tuple(bitmaps), tuple(nodes), tuple(problems))


def _page(memory: PhysMemory, pa: int, size: int) -> memoryview | None:
    try:
        return memory.read(pa, size)
    except NotInMemoryError:
        return None


def _children(
    page: memoryview, pa: int, path: tuple[int, ...], byteorder: Literal["little", "big"]
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    for offset in range(0, len(page), 8):
        child = int.from_bytes(page[offset : offset + 8], byteorder)
        if child:
            yield pa + offset, child, (*path, offset // 8)


def _read_leaf(
    page: memoryview, prefix: int, shape: RadixShape, byteorder: Literal["little", "big"], bitmaps: list[Bitmap]
) -> Iterator[str]:
    """Append the leaf's blocks to ``bitmaps``, one bitmap for each order in it; yield what is wrong."""
    first_key = prefix << shape.leaf_bits
    keys = [(first_key, 0, 1 << shape.leaf_bits)]
    if not prefix:
        # The first leaf of all: keys 1, 2 to 3, 4 to 7... are orders of their own, from the highest down.
        keys = [(1 << bit, 1 << bit, 1 << bit) for bit in range(shape.leaf_bits)]
        if int.from_bytes(page[:8], byteorder) & 1:
            yield "key-zero"
    for key, first, count in keys:
        order = shape.order_of(key)
        shift = shape.page_shift + order
        pa = (key ^ 1 << key.bit_length() - 1) << shift
        fitting = min(count, max(0, _PA_LIMIT - pa) >> shift)
        if any(Bitmap(page, 0, first + fitting, count - fitting, order).runs(byteorder)):
            yield "address-too-wide"
        if fitting:
            bitmaps.append(Bitmap(page, pa, first, fitting, order))


def decode(memory: PhysMemory, root_pa: int, shape: RadixShape) -> PreservedMap:
    """The preserved pages that the tree at ``root_pa`` stands for. Damage is in the map's problems, never an exception."""
    walked = walk(memory, root_pa, shape, memory.byteorder)
    return decode_bitmaps(walked.bitmaps, shape.page_size, memory.byteorder, walked.nodes, walked.problems)


@frozen
class Run:
    """``blocks`` blocks of one order that follow each other from ``pa`` on."""

    pa: int
    blocks: int
    order: int


def cut(ranges: Iterable[tuple[int, int]], page_size: int) -> list[Run]:
    """The blocks that a kernel preserves (address, bytes) ranges as, sorted as a tree holds them.

    A range is cut from its start: each block is as large as its address is aligned and the rest allows (kho_preserve_pages()).
    EncodeError for a range that is not whole pages.
    """
    runs = []
    for pa, size in ranges:
        if pa % page_size or size % page_size or size < 0:
            raise EncodeError("a range that is not whole pages", pa=pa, found=f"{size:#x} bytes", expected=f"pages of {page_size:#x}")
        pfn, end = pa // page_size, (pa + size) // page_size
        while pfn < end:
            order = (end - pfn).bit_length() - 1
            if pfn:
                order = min(order, (pfn & -pfn).bit_length() - 1)
            runs.append(Run(pfn * page_size, 1, order))
            pfn += 1 << order
    return sorted(runs, key=lambda run: (-run.order, run.pa))


def build(runs: Sequence[Run], shape: RadixShape, node_pas: Sequence[int], byteorder: Literal["little", "big"]) -> tuple[int, bytearray]:
    """The tree that holds these runs, sorted as by ``cut()``: how many nodes it takes, and their pages, to be put at ``node_pas``.

    The root is the first. With too few ``node_pas`` the pages are empty: call again with enough. EncodeError for runs that are not
    sorted, overlap or cannot be keys.
    """
    nodes: dict[tuple[int, ...], int] = {(): 0}
    leaves: dict[int, int] = {}
    links = []
    above = 0
    for run in runs:
        check_run(run, shape)
        key = 1 << shape.key_bits - 1 - run.order | run.pa >> shape.page_shift + run.order
        if key < above:
            raise EncodeError("blocks that are not sorted, or overlap", pa=run.pa)
        above = key + run.blocks
        for k in range(key, above):
            path: tuple[int, ...] = ()
            for level in range(shape.depth - 2, -1, -1):
                index = k >> shape.leaf_bits + level * shape.table_bits & (1 << shape.table_bits) - 1
                parent, path = nodes[path], (*path, index)
                if path not in nodes:
                    nodes[path] = len(nodes)
                    links.append((parent, index, nodes[path]))
            leaf = nodes[path]
            leaves[leaf] = leaves.get(leaf, 0) | 1 << (k & (1 << shape.leaf_bits) - 1)
    if len(nodes) > len(node_pas):
        return len(nodes), bytearray()
    pages = bytearray(len(nodes) * shape.page_size)
    for parent, index, child in links:
        place = parent * shape.page_size + 8 * index
        pages[place : place + 8] = node_pas[child].to_bytes(8, byteorder)
    for leaf, bits in leaves.items():
        for word in range(shape.page_size // 8):
            place = leaf * shape.page_size + 8 * word
            pages[place : place + 8] = (bits >> 64 * word & (1 << 64) - 1).to_bytes(8, byteorder)
    return len(nodes), pages


def check_run(run: Run, shape: RadixShape) -> None:
    """EncodeError when a tree of this shape cannot hold the run."""
    shift = shape.page_shift + run.order
    top = shape.key_bits - 1 - run.order
    if run.order < 0 or not 0 <= top < shape.leaf_bits + (shape.depth - 1) * shape.table_bits:
        raise EncodeError("an order that no key can hold", pa=run.pa, found=run.order)
    if run.blocks < 1 or run.pa < 0 or run.pa % (1 << shift) or run.pa + (run.blocks << shift) > _PA_LIMIT:
        found = f"{run.blocks} of order {run.order}"
        raise EncodeError("blocks that are none, not aligned to their size, or too high", pa=run.pa, found=found)
