# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""KHO's memory map in forms that were posted or sketched, most of them under the string ``kho-v1``.

Contract: as for the merged KHO root: a reader that does not find its string or its property boots as if nothing was handed over.

::

    linux-kho,v1 (sketch in a mail): / { compatible; preserved-folio-map = <u64>; }
                                     --> | order u32 | num_elms u32 | next u64 @8 | bitmaps[] @16 |
    kho-ranges (sketch in a mail):   / { preserved-memory { metadata = <u64>; }; }
                                     --> | next u64 | num_ranges u64 | { start u64 | size u64 | data u64 }[] |
    kho-v1 array (RFC, Sep 2025):    preserved-memory-map --> kho_array | magic u32 | version u16 @4 | reserved u16 | first u64 @8 |
                                     --> page | next u64 | startpos u64 | entries u64[] |, each entry leads to
                                     | phys_start u64 | order u32 | reserved u32 | bitmap u64 @16 |
    kho-v1 order-table (Sep 2025):   preserved-order-table --> one u64 for each page order, each the top of a tree of tables
    kho-v1 radix (v1, 30 Sep 2025):  preserved-page-radix-tree --> one tree for all orders, the key of kho-v2
    kho-v2 radix (v2, Oct 2025):     the same under kho-v2, children still with the property fdt

The tables of an order have levels for 64 bits of address less what one bitmap covers: 6 for order 0 on 4K pages, fewer above. KHO up to v4
(2023 to early 2025) has no map at all but arrays of {addr, len} in a property ``mem`` of any node at any depth: not expressible, left out.
"""

from devstate.schema import (
    PAGE_SIZE,
    U16,
    U32,
    U64,
    About,
    Array,
    Chunks,
    Const,
    FlexArray,
    MustBeZero,
    Node,
    Opaque,
    Phys,
    Radix,
    Reaction,
    Schema,
    Struct,
    prop,
    this,
)
from devstate_schemas.kho.kexec_handover import FDT_BLOB, kho_root, kho_scratch, khoser_mem_bitmap_ptr

ARRAY_MAGIC = 0x4B415252
"""KHO_ARRAY_MAGIC, "KARR" as a number."""

_ORDER = "order" / U32 * About("page order of the bitmaps", maximum=63)
_NEXT = "next" / Phys(Opaque()) * "next chunk, 0 ends the list"

_chunk_order_first = Struct(
    "khoser_mem_chunk",
    _ORDER,
    "num_elms" / U32 * "bitmaps in use",
    _NEXT,
    "bitmaps" / Array((PAGE_SIZE - 16) // 16, khoser_mem_bitmap_ptr),
    doc="one page of the map",
)

_range = Struct(
    "khoser_mem_range",
    "start" / U64 * About("first byte", hint="pa"),
    "size" / U64 * About("bytes", unit="bytes", hint="bytes"),
    "data" / U64 * "what is known of the range, such as a folio's order",
)

# The sketch's macro sizes the array by PAGE_SIZE - (16 / 24) entries, far beyond a page; what counts is num_ranges.
_chunk_of_ranges = Struct(
    "khoser_mem_chunk",
    _NEXT,
    "num_ranges" / U64 * "ranges in use",
    "ranges" / FlexArray(_range, this.num_ranges),
    doc="one chunk of the list",
)

_array_page = Struct(
    "kho_array_page",
    "next" / Phys(Opaque()) * "next page, 0 ends",
    "startpos" / U64 * "position that the first entry of the page has",
    "entries" / FlexArray(U64) * About("entries up to the end of the page", hint="pa"),
    packed=True,
)

_array = Struct(
    "kho_array",
    "magic" / Const(U32, ARRAY_MAGIC),
    "version" / Const(U16, 0),
    "__reserved" / MustBeZero(U16),
    "first" / Phys(_array_page) * "first page, 0: the array is empty",
    packed=True,
    doc="a sparse array of u64 in pages",
)

_bitmap_of_array = Struct(
    "khoser_mem_bitmap_ptr",
    "phys_start" / U64 * About("physical address that bit 0 stands for", hint="pa"),
    _ORDER,
    "__reserved" / U32,
    "bitmap" / Phys(Opaque()) * "512 bytes; bit n set: the block at phys_start + (n << (order + PAGE_SHIFT)) is preserved",
)

# C: orders[HUGETLB_PAGE_ORDER + 1], a number of the kernel's configuration (10 entries on x86-64); it stands alone in its page.
_order_table = Struct(
    "kho_order_table",
    "orders" / FlexArray(U64) * About("top table of each page order, 0: none", hint="pa"),
)
_page_table = Struct("kho_page_table", "tables" / Array(PAGE_SIZE // 8, U64) * About("tables one level down, 0 absent", hint="pa"))
_bitmap_table = Struct("kho_bitmap_table", "bitmaps" / Array(PAGE_SIZE // 8, U64) * "bit n is the nth block of this order")
_radix_tree = Struct("kho_radix_tree", "table" / Array(PAGE_SIZE // 8, U64) * About("nodes one level down, 0 absent", hint="pa"))

_COMMON = {
    "status": "posted",
    "found_by": "kho_data.fdt_addr (x86) or /chosen linux,kho-fdt",
    "carrier": "fdt",
    "on_mismatch": Reaction.IGNORED,
    "owner": "KHO",
    "freed": "never",
}


def _radix(compatible: str) -> Node:
    return kho_root(compatible, Phys(Radix()), FDT_BLOB, map_name="preserved-page-radix-tree")


SCHEMAS = [
    Schema(
        compatible="linux-kho,v1",
        doc="sketch: chunks whose header starts with the order. Properties for the widths of addresses and pointers are left out",
        source="mail to linux-kernel on KHO v4 (February 2025)",
        root=Node("", prop("preserved-folio-map", Phys(Chunks(_chunk_order_first, 512))), compatible="linux-kho,v1"),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        name="kho-ranges",
        doc="sketch: a list of ranges in place of bitmaps",
        source="mail to linux-kernel on KHO v5 (spring 2025)",
        root=Node(
            "",
            children=(Node("preserved-memory", prop("metadata", Phys(_chunk_of_ranges))),),
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v1",
        variant="array",
        doc="KHO root with a kho_array of bitmaps",
        source="kernel/kexec_handover.c of the kho_array RFC (9 September 2025)",
        root=kho_root("kho-v1", Phys(_array), FDT_BLOB),
        also=(_bitmap_of_array, kho_scratch),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v1",
        variant="order-table",
        doc="KHO root with a tree of tables for each page order",
        source="kernel/kexec_handover.c of the stateless KHO RFC (September 2025)",
        root=kho_root("kho-v1", Phys(_order_table), FDT_BLOB, map_name="preserved-order-table"),
        also=(_page_table, _bitmap_table, kho_scratch),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v1",
        variant="radix",
        doc="KHO root with the radix tree of kho-v2 under another property",
        source="kernel/kexec_handover.c of the stateless KHO series, v1 (30 September 2025)",
        root=_radix("kho-v1"),
        also=(_radix_tree, _bitmap_table, kho_scratch),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v2",
        variant="radix",
        replaces="kho-v1",
        doc="the same under kho-v2; the merged kho-v2 names the property preserved-memory-map and the blobs preserved-data",
        source="include/linux/live_update/abi/kexec_handover.h of the stateless KHO series, v2 (October 2025)",
        root=_radix("kho-v2"),
        also=(_radix_tree, _bitmap_table, kho_scratch),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
