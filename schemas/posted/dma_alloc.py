# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""dma_alloc: one DMA allocation of a driver that keeps its place and its I/O address.

Contract (include/linux/kho/abi/dma_alloc.h): none; no string and no version stand in it. Whoever preserves the allocation (SMMUv3 with
its tables, see iommu.py) keeps a u64 handle; that the handle is the record's physical address was not read.

::

    | iova u64 | nr_pages u64 | is_folio u8 | is_contiguous u8 | page_phys u64[] @18 |      unaligned, no padding
    direct: | page_phys u64 | size u64 | attrs u64 | force_decrypted u8 | pad[7] |          32 bytes

Both come from one developer's branches; which of them is the later one is not known. How many addresses a contiguous allocation
stores is not stated, so the array is counted by its area.
"""

from devstate.schema import U8, U64, About, FlexArray, Opaque, Phys, Reaction, Reserved, Schema, Struct

_COMMON = {
    "status": "posted",
    "carrier": "umbrella",
    "on_mismatch": Reaction.SILENT_WRONG,
    "owner": "DMA API",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        name="dma-alloc",
        doc="a DMA allocation of any kind, by its pages",
        source="include/linux/kho/abi/dma_alloc.h at 53143628e889",
        root=Struct(
            "dma_alloc_ser",
            "iova" / U64 * About("I/O virtual address", hint="hex"),
            "nr_pages" / U64 * About("pages of the allocation", unit="pages"),
            "is_folio" / U8 * About("bool: the pages are folios", maximum=1),
            "is_contiguous" / U8 * About("bool: the memory is contiguous", maximum=1),
            "page_phys" / FlexArray(U64) * About("preserved pages", hint="pa"),
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        name="dma-alloc",
        variant="direct",
        doc="a contiguous DMA allocation that is not mapped by an IOMMU",
        source="include/linux/kho/abi/dma_alloc.h in a branch (2026)",
        root=Struct(
            "dma_alloc_ser",
            "page_phys" / Phys(Opaque()) * "the memory",
            "size" / U64 * About("bytes", unit="bytes", hint="bytes"),
            "attrs" / U64 * About("DMA_ATTR_* bits", hint="hex"),
            "force_decrypted" / U8 * About("the old kernel had it decrypted", maximum=1),
            "padding" / Reserved(7),
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
