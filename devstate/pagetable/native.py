# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The only importer of the C core ``devstate._core``: thin typed wrappers around csrc/devstate_core.h.

Where the core is not built (DEVSTATE_PURE=1), the plain Python beside it gives the same results, slowly: ``radix``, ``bitmaps``,
``folios``. Nothing here needs numpy: big results are memoryviews, which ``numpy.frombuffer`` takes without a copy.
The GIL is free while the core runs.
"""

from __future__ import annotations

import sys

from devstate.errors import DecodeError, DevstateError, EncodeError
from devstate.pagetable.preserved import CODES, PROBLEM_LIMIT, PreservedMap, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal

    from _typeshed import ReadableBuffer

    from devstate.memory import PhysMemory
    from devstate.pagetable.bitmaps import Bitmap
    from devstate.pagetable.folios import FolioFaults, FolioRules, Folios
    from devstate.pagetable.radix import RadixShape, Run

try:
    from devstate._core import ffi as ffi  # both are for the other modules here too
    from devstate._core import lib as lib
except ImportError:
    ffi = lib = None

BUILT: bool = lib is not None
"""Whether the C core is there."""

_FIRST_NODES = 1024
"""Nodes that a first walk has room for; a larger tree (64 GiB in pages at 4K) is walked once more."""

_FIRST_EDGES = 4096
"""Edges that a first scan has room for: most handovers; others are counted, and scanned again."""

_HUGE = 1 << 19
"""Bytes from which a result asks for huge pages: touching fresh memory costs more than decoding into it."""


def features() -> tuple[str, ...]:
    """What the core uses on this machine: any of ``crc32c``, ``avx2``; just ``pure`` when there is no core."""
    if not BUILT:
        return ("pure",)
    bits = lib.ds_features()
    return tuple(name for name, bit in (("crc32c", lib.DS_FEATURE_CRC32C), ("avx2", lib.DS_FEATURE_AVX2)) if bits & bit)


def crc32c(data: ReadableBuffer, crc: int = 0) -> int:
    """CRC-32C of ``data``; ``crc`` is the result over the bytes before it."""
    if not BUILT:
        import crc32c as package

        return package.crc32c(data, crc)
    view = ffi.from_buffer(data)
    result: int = lib.ds_crc32c(crc, view, len(view))
    return result


# ---- preserved pages ----


def radix_decode(memory: PhysMemory, root_pa: int, shape: RadixShape, room: memoryview | None = None) -> PreservedMap:
    """The preserved pages that the radix tree at ``root_pa`` stands for, of KHO v2 to v4; ``radix.radix_shape()`` makes the shape.

    Damage is in the map's problems, never an exception: the rest of the tree is read on. ``room``: u64s (``words()``) that the ranges
    are put into if they fit, to be used again and again; the map is good until then.
    """
    from devstate.pagetable import radix

    if not BUILT:
        return radix.decode(memory, root_pa, shape)
    regions = c_memory(memory, shape.page_size)
    if regions is None:
        walked = radix.walk(memory, root_pa, shape, memory.byteorder)
        return bitmaps_decode(walked.bitmaps, shape.page_size, memory.byteorder, walked.nodes, walked.problems)
    table, _keep, units = regions
    geometry = _geometry(shape, memory.byteorder)
    found = ffi.new("struct ds_radix_found *")
    problems = ffi.new("struct ds_problem[]", PROBLEM_LIMIT)
    found.problems.list, found.problems.capacity = problems, PROBLEM_LIMIT
    status, capacity = lib.DS_ESPACE, _FIRST_NODES
    while status == lib.DS_ESPACE:
        bitmaps, nodes = ffi.new("struct ds_bitmap[]", capacity), words(capacity)
        found.bitmaps, found.bitmaps_capacity = bitmaps, capacity
        found.nodes, found.nodes_capacity = ffi.from_buffer("uint64_t[]", nodes), capacity
        status = lib.ds_radix_walk(table, geometry, root_pa, ffi.new("uint64_t[]", units // 64 + 1), found)
        capacity = max(found.bitmaps_count, found.nodes_count)
    done(status)
    edges, orders, overlaps, overlap_count = _scan(bitmaps, found.bitmaps_count, geometry.swap, room)
    listed = [_problem(row, shape) for row in problems[0 : min(found.problems.count, PROBLEM_LIMIT)]]
    kept = (*listed, *overlaps)[:PROBLEM_LIMIT]
    return PreservedMap(shape.page_size, edges, orders, nodes[: found.nodes_count], kept, found.problems.count + overlap_count)


def bitmaps_decode(
    bitmaps: Sequence[Bitmap],
    page_size: int,
    byteorder: Literal["little", "big"],
    nodes: Iterable[int] = (),
    problems: Sequence[Problem] = (),
) -> PreservedMap:
    """The map that bitmaps stand for, sorted by ``bitmaps.sort_bitmaps()``; ``nodes`` and ``problems`` are those of whoever found them."""
    if not BUILT:
        from devstate.pagetable.bitmaps import decode_bitmaps

        return decode_bitmaps(bitmaps, page_size, byteorder, nodes, problems)
    from array import array

    page_shift = page_size.bit_length() - 1
    table = ffi.new("struct ds_bitmap[]", len(bitmaps))
    keep = []
    for row, bitmap in zip(table, bitmaps, strict=True):
        view = ffi.from_buffer(bitmap.words)
        if (bitmap.first + bitmap.count + 63) // 64 * 8 > len(view):
            raise DecodeError("a bitmap shorter than its blocks", pa=bitmap.pa, expected=f"{bitmap.count} bits", found=f"{len(view)} bytes")
        keep.append(view)
        row.words, row.pa, row.first, row.count, row.order = view, bitmap.pa, bitmap.first, bitmap.count, bitmap.order
        row.shift = page_shift + bitmap.order
    edges, orders, overlaps, overlap_count = _scan(table, len(bitmaps), byteorder != sys.byteorder)
    kept = (*problems, *overlaps)[:PROBLEM_LIMIT]
    return PreservedMap(page_size, edges, orders, memoryview(array("Q", nodes)), kept, len(problems) + overlap_count)


def radix_build(
    runs: Sequence[Run], shape: RadixShape, node_pas: Sequence[int], byteorder: Literal["little", "big"]
) -> tuple[int, bytearray]:
    """The tree that holds these runs, sorted as by ``radix.cut()``: how many nodes it takes, and their pages, to be put at ``node_pas``.

    The root is the first. With too few ``node_pas`` the pages are empty: call again with enough. EncodeError for runs that are not
    sorted, overlap or cannot be keys.
    """
    from devstate.pagetable import radix

    if not BUILT:
        return radix.build(runs, shape, node_pas, byteorder)
    table = ffi.new("struct ds_run[]", len(runs))
    for row, run in zip(table, runs, strict=True):
        radix.check_run(run, shape)
        row.pa, row.blocks, row.order = run.pa, run.blocks, run.order
    pages = bytearray(len(node_pas) * shape.page_size)
    needed = ffi.new("size_t *")
    geometry = _geometry(shape, byteorder)
    buffer = ffi.from_buffer(pages)
    status = lib.ds_radix_build(geometry, table, len(runs), ffi.new("uint64_t[]", node_pas), len(node_pas), buffer, needed)
    ffi.release(buffer)
    if status == lib.DS_EORDER:
        raise EncodeError("blocks that are not sorted, or overlap")
    if status == lib.DS_ESPACE:
        return needed[0], bytearray()
    done(status)
    del pages[needed[0] * shape.page_size :]
    return needed[0], pages


# ---- folios ----


def folios_room(count: int) -> Folios:
    """Columns for ``count`` records, to be filled by ``folios_decode(into=...)`` again and again."""
    from devstate.pagetable.folios import Folios

    return Folios(words(count), words((count + 3) // 4).cast("B").cast("H")[:count], words(count))


def folios_check(records: ReadableBuffer, rules: FolioRules, byteorder: Literal["little", "big"] = "little") -> FolioFaults:
    """Hold whole 16-byte records against the rules, without writing them anywhere. DecodeError when the last one is cut."""
    from devstate.pagetable import folios

    whole = folios.whole_records(records)
    if not BUILT:
        return folios.check(folios.decode(whole, byteorder), rules)
    faults = ffi.new("struct ds_folio_faults *")
    done(lib.ds_folios_check(ffi.from_buffer(whole), whole.nbytes // folios.RECORD_SIZE, _folio_rules(rules, byteorder), faults))
    return _faults(faults)


def folios_decode(
    records: ReadableBuffer, rules: FolioRules, byteorder: Literal["little", "big"] = "little", into: Folios | None = None
) -> tuple[Folios, FolioFaults]:
    """The columns of whole 16-byte records, and the same check.

    ``into``: columns of at least as many items, to be filled in place of new ones. DecodeError when the last record is cut,
    EncodeError when the columns are too short.
    """
    from devstate.pagetable import folios

    whole = folios.whole_records(records)
    count = whole.nbytes // folios.RECORD_SIZE
    room = folios_room(count) if into is None else into
    if min(len(room.pfn), len(room.flags), len(room.index)) < count:
        raise EncodeError("columns that are too short", expected=f"{count} items")
    columns = folios.Folios(room.pfn[:count], room.flags[:count], room.index[:count])
    if not BUILT:
        made = folios.decode(whole, byteorder)
        columns.pfn[:], columns.flags[:], columns.index[:] = made.pfn, made.flags, made.index
        return columns, folios.check(columns, rules)
    faults = ffi.new("struct ds_folio_faults *")
    pfn, index = ffi.from_buffer("uint64_t[]", columns.pfn), ffi.from_buffer("uint64_t[]", columns.index)
    flags = ffi.from_buffer("uint16_t[]", columns.flags)
    done(lib.ds_folios_decode(ffi.from_buffer(whole), count, _folio_rules(rules, byteorder), pfn, flags, index, faults))
    return columns, _faults(faults)


# ---- between Python and C ----


def words(count: int) -> memoryview:
    """``count`` u64, all zero; from _HUGE bytes on in pages of their own."""
    if count * 8 < _HUGE:
        return memoryview(bytearray(count * 8)).cast("Q")
    import mmap

    room = mmap.mmap(-1, count * 8, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    room.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(room).cast("Q")


def done(status: int) -> None:
    if status == lib.DS_ESPACE:
        raise DecodeError("the memory changes while it is read")
    if status != lib.DS_OK:
        raise DevstateError(f"C core: {ffi.string(lib.ds_status_text(status)).decode()}")


def c_memory(memory: PhysMemory, page_size: int) -> tuple[Any, list[Any], int] | None:
    """(struct ds_memory *, what it points into, units), or None for memory that C cannot see: not mapped, or with a page over a seam."""
    regions = memory.regions
    table = ffi.new("struct ds_region[]", len(regions))
    keep = [table]
    end = -1
    for row, region in zip(table, regions, strict=True):
        if not isinstance(region.data, memoryview) or region.data.nbytes < region.size or (region.start == end and end % page_size):
            return None
        row.pa, row.size, row.base = region.start, region.size, ffi.from_buffer(region.data)
        keep.append(row.base)
        end = region.end
    units = ffi.new("uint64_t *")
    done(lib.ds_memory_init(table, len(regions), units))
    return ffi.new("struct ds_memory *", {"regions": table, "count": len(regions)}), keep, units[0]


def _geometry(shape: RadixShape, byteorder: Literal["little", "big"]) -> Any:
    return ffi.new("struct ds_radix *", {"page_shift": shape.page_shift, "depth": shape.depth, "swap": byteorder != sys.byteorder})


def _scan(
    bitmaps: Any, count: int, swap: int, room: memoryview | None = None
) -> tuple[memoryview, dict[int, int], list[Problem], int]:
    """(edges of the joined ranges, blocks by order, overlaps of orders, count of these)."""
    scan = ffi.new("struct ds_scan *")
    edges = words(_FIRST_EDGES) if room is None else room
    status = lib.ds_bitmaps_scan(bitmaps, count, swap, ffi.from_buffer("uint64_t[]", edges), len(edges), scan)
    if status == lib.DS_ESPACE:
        done(lib.ds_bitmaps_count(bitmaps, count, swap, scan))
        edges = words(scan.total)
        status = lib.ds_bitmaps_scan(bitmaps, count, swap, ffi.from_buffer("uint64_t[]", edges), len(edges), scan)
    done(status)
    total = scan.total
    orders = {order: blocks for order, blocks in enumerate(scan.blocks) if blocks}
    if len(orders) < 2:
        return edges[:total], orders, [], 0
    problems = ffi.new("struct ds_problem[]", PROBLEM_LIMIT)
    overlaps = ffi.new("struct ds_problems *", {"list": problems, "capacity": PROBLEM_LIMIT})
    joined, used = words(total), ffi.new("size_t *")
    done(lib.ds_edges_merge(ffi.from_buffer("uint64_t[]", edges), scan, ffi.from_buffer("uint64_t[]", joined), total, overlaps, used))
    listed = [Problem("overlap", row.pa, row.value) for row in problems[0 : min(overlaps.count, PROBLEM_LIMIT)]]
    return joined[: used[0]], orders, listed, overlaps.count


def _problem(row: Any, shape: RadixShape) -> Problem:
    steps = shape.depth - 1 - row.level
    mask = (1 << shape.table_bits) - 1
    path = tuple(row.key >> shape.table_bits * (steps - 1 - step) & mask for step in range(steps))
    return Problem(CODES[row.code - 1], row.pa, row.value, path)


def _folio_rules(rules: FolioRules, byteorder: Literal["little", "big"]) -> Any:
    return ffi.new("struct ds_folio_rules *", (rules.pfn_limit, rules.index_limit, rules.known_flags, byteorder != sys.byteorder))


def _faults(faults: Any) -> FolioFaults:
    from devstate.pagetable.folios import FolioFaults

    counts = tuple(faults.count)
    return FolioFaults(counts, tuple(first if count else None for first, count in zip(faults.first, counts, strict=True)))
