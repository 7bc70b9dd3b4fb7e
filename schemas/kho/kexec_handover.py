# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""KHO's root: the one devicetree through which the next kernel finds everything.

Contract (include/linux/kho/abi/kexec_handover.h): any change to the tree's structure, its properties or the strings means a new
``kho-vN``; kernels accept exactly their own string and otherwise boot as if nothing was handed over.

::

    / {                                        one page at most
        compatible = "kho-v4";
        preserved-memory-map = <u64>;          native u64: physical address of the memory map
        NAME {                                 one per client: LUO, memblock, kexec-metadata, ...
            preserved-data = <u64>;            native u64: physical address of the client's blob   ("fdt" in v1)
            blob-size = <u64>;                 native u64: its bytes                                 (v3 on)
        };
    };

    memory map of v1: chunks --next--> chunks     each one page: order, num_elms, {phys_start, bitmap}[]
    memory map of v2..v4: a radix tree of pages   key(pa, order) = 1 << (64 - PAGE_SHIFT - order) | pa >> (PAGE_SHIFT + order)
"""

from devstate.schema import (
    PAGE_SIZE,
    U16,
    U32,
    U64,
    About,
    Array,
    Chunks,
    Converter,
    Flags,
    Handle,
    Node,
    Opaque,
    Phys,
    Radix,
    Reaction,
    Schema,
    Struct,
    VmallocArray,
    prop,
)

_HEADER = "include/linux/kho/abi/kexec_handover.h"

kho_vmalloc_chunk = Struct(
    "kho_vmalloc_chunk",
    "next" / Phys(Opaque()) * "next chunk, 0 ends the list",
    "phys" / Array((PAGE_SIZE - 8) // 8, U64) * About("addresses of pages or blocks of pages; 0 ends a chunk that is not full", hint="pa"),
    doc="one page of a vmalloc area's page list",
)

kho_vmalloc = Struct(
    "kho_vmalloc",
    "first" / Phys(kho_vmalloc_chunk) * "first page of the page list",
    "total_pages" / U32 * About("pages in the area", unit="pages"),
    "flags" / Flags(U16, VM_ALLOC=0, HUGE_VMAP=1) * "values defined in kernel/liveupdate/kexec_handover.c, not in the header",
    "order" / U16 * About("order of each block in the list", maximum=63),
    doc="a preserved virtually contiguous area; natural alignment, not packed",
)


def vmalloc_array(element: Struct, count: object) -> VmallocArray:
    """``struct kho_vmalloc`` whose pages hold ``count`` entries of ``element``."""
    return VmallocArray(element, count, kho_vmalloc)


khoser_mem_bitmap_ptr = Struct(
    "khoser_mem_bitmap_ptr",
    "phys_start" / U64 * About("physical address that bit 0 stands for", hint="pa"),
    "bitmap" / Phys(Opaque()) * "bit n set: the block at phys_start + (n << (order + PAGE_SHIFT)) is preserved",
)

khoser_mem_chunk = Struct(
    "khoser_mem_chunk",
    "next" / Phys(Opaque()) * "next chunk, 0 ends the list",
    "order" / U32 * About("page order of all bitmaps in this chunk", maximum=63),
    "num_elms" / U32 * "bitmaps in use",
    "bitmaps" / Array((PAGE_SIZE - 16) // 16, khoser_mem_bitmap_ptr),
    doc="one page of the memory map of kho-v1",
)

kho_radix_node = Struct(
    "kho_radix_node",
    "table" / Array(PAGE_SIZE // 8, U64) * About("physical addresses of nodes one level down, 0 absent", hint="pa"),
)

kho_radix_leaf = Struct(
    "kho_radix_leaf",
    "bitmap" / Array(PAGE_SIZE // 8, U64) * "native unsigned long words; bit n is the key whose low bits are n",
)

# In the arch headers, not under kho/abi: the array that says where the next kernel may allocate before it has read the map.
kho_scratch = Struct(
    "kho_scratch",
    "addr" / U64 * About("start", hint="pa"),
    "size" / U64 * About("bytes; an entry may be empty", unit="bytes", hint="bytes"),
    doc="one scratch area (boot memory since 7.4): low memory, global, then one per node with memory",
)


def kho_root(compatible: str, memory_map: object, *properties: object, map_name: str = "preserved-memory-map") -> Node:
    """KHO's root node: where the memory map is (any 64-bit link), and one child a client with these properties."""
    return Node(
        "",
        prop(map_name, memory_map, "0 in kho-v1 until the old kernel finalizes"),
        compatible=compatible,
        children=(Node("*", *properties, optional=True, doc="a client's subtree, named by the client"),),  # type: ignore[arg-type]  # props
        doc="KHO's root",
    )


FDT_BLOB = prop("fdt", Handle(by="$name"), "the client's blob: a devicetree")
BLOB = prop("preserved-data", Handle(by="$name"), "the client's blob, any format")
BLOB_SIZE = prop("blob-size", U64, About("bytes of the blob", unit="bytes", hint="bytes"))
_COMMON = {
    "status": "mainline",
    "found_by": "kho_data.fdt_addr (x86) or /chosen linux,kho-fdt",
    "carrier": "fdt",
    "on_mismatch": Reaction.IGNORED,
    "owner": "KHO",
    "freed": "never",
}


def _v1(bitmap_size: object) -> Node:
    return kho_root("kho-v1", Phys(Chunks(khoser_mem_chunk, bitmap_size)), FDT_BLOB)


SCHEMAS = [
    Schema(
        compatible="kho-v1",
        variant="6.16",
        doc="KHO root with a chunk list of 512-byte bitmaps",
        source="kernel/kexec_handover.c at fc33e4b44b27",
        since="6.16",
        until="6.17",
        root=_v1(512),
        also=(kho_scratch,),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="kho-v1",
        doc="KHO root with a chunk list of page-size bitmaps (a2fff99f92da changed the bytes, not the string)",
        source="kernel/liveupdate/kexec_handover.c, include/linux/kho/abi/kexec_handover.h at 5e1ea1e27b6f",
        since="6.18",
        until="7.0",
        root=_v1(PAGE_SIZE),
        also=(kho_scratch, kho_vmalloc, kho_vmalloc_chunk),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v2",
        replaces="kho-v1",
        doc="KHO root with a radix tree; subtrees of any format. Only between commits of 7.1",
        source=f"{_HEADER} at 3f2ad90060f6",
        since="7.1-rc1",
        until="7.1-rc1",
        root=kho_root("kho-v2", Phys(Radix(short=True)), BLOB),
        also=(kho_scratch, kho_vmalloc, kho_vmalloc_chunk, kho_radix_node, kho_radix_leaf),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v3",
        variant="7.1-rc1",
        replaces="kho-v2",
        doc="KHO root with blob sizes; on 16K pages the tree is one level shorter than in 7.1",
        source=f"{_HEADER} in 7.1-rc1 ('kho: persist blob size')",
        since="7.1-rc1",
        until="7.1-rc5",
        root=kho_root("kho-v3", Phys(Radix(short=True)), BLOB, BLOB_SIZE),
        also=(kho_scratch, kho_vmalloc, kho_vmalloc_chunk, kho_radix_node, kho_radix_leaf),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v3",
        replaces="kho-v2",
        doc="KHO root with blob sizes (d64b0372760e changed the depth on 16K pages, not the string)",
        source=f"{_HEADER} at d64b0372760e",
        since="7.1",
        until="7.1",
        root=kho_root("kho-v3", Phys(Radix()), BLOB, BLOB_SIZE),
        also=(kho_scratch, kho_vmalloc, kho_vmalloc_chunk, kho_radix_node, kho_radix_leaf),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kho-v4",
        replaces="kho-v3",
        doc="KHO root; covers block.h as well (same bytes as kho-v3)",
        source=f"{_HEADER} at 0349ff288705",
        since="7.2",
        root=kho_root("kho-v4", Phys(Radix()), BLOB, BLOB_SIZE),
        also=(kho_scratch, kho_vmalloc, kho_vmalloc_chunk, kho_radix_node, kho_radix_leaf),
        **_COMMON,  # type: ignore[arg-type]
    ),
]

CONVERTERS = [
    Converter("kho-v1@6.16", "kho-v1"),
    Converter("kho-v1", "kho-v2", loses=("subtrees",)),  # a blob of v1 is a devicetree
    Converter("kho-v2", "kho-v3@7.1-rc1", loses=("subtrees",)),  # a blob that does not say how long it is
    Converter("kho-v3@7.1-rc1", "kho-v3"),
    Converter("kho-v3", "kho-v4"),
]
