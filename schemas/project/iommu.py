# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IOMMU units: tables that stay where they are, domains, attachments, windows.

Contract ([project-format.md](project-format.md)): parts of one object below ``iommu`` in the subtree ``devstate``; any change of a struct
means a new string. The unit's own tables and the page tables of a domain that is IN_PLACE stay in memory, preserved, and the unit goes on
using them through the jump; a domain that is PACKED has its tables in the part ``tables-N`` as well, a page-table stream, N its place
among the domains. What the records say equals what stands in the tables: `devstate iommu` reads these, and the new kernel may.

::

    iommu { NAME {                              one node a unit
        state:        ds_iommu_unit             its registers, and how many there are of the parts below        160 bytes
        tables:       ds_iommu_table[]          kind u32 | entry_size u32 | pa u64 | size u64 |                 24 bytes each
        domains:      ds_iommu_domain[]         id, format, geometry, top table, dirty map                      112 bytes each
        attachments:  ds_iommu_attachment[]     who uses which domain, and the words of its entry                56 bytes each
        windows:      ds_iommu_window[]         domain u32 | kind u32 | start u64 | size u64 | access u32 | 0 |  32 bytes each
        tables-N:     page-table-stream         where domain N is PACKED
    }; };
"""

from devstate.schema import U8, U16, U32, U64, About, Array, Chars, Enum, Flags, MustBeZero, Opaque, Phys, Reaction, Schema, Struct

NONE = 0xFFFFFFFF
"""No domain, no PASID."""

ds_iommu_unit = Struct(
    "ds_iommu_unit",
    "name" / Chars(64) * "the unit, as firmware calls it, such as dmar0",
    "kind" / Enum(U32, VTD=1, AMD=2, SMMUV3=3),
    "segment" / U32 * About("PCI segment of its devices", maximum=0xFFFF),
    "base" / U64 * About("its registers", hint="pa"),
    "root" / U64 * About("register RTADDR, DEVTAB or STRTAB_BASE", hint="hex"),
    "form" / U64 * About("register GSTS, CONTROL or STRTAB_BASE_CFG; 0: not known", hint="hex"),
    "interrupts" / U64 * About("register IRTA; 0 where there is none", hint="hex"),
    "features" / Array(4, U64) * About("CAP and ECAP; EFR and EFR2; IDR0, IDR1, IDR3 and IDR5", hint="hex"),
    "tables" / U32 * "how many there are in the part tables",
    "domains" / U32 * "how many there are in the part domains",
    "attachments" / U32 * "how many there are in the part attachments",
    "windows" / U32 * "how many there are in the part windows",
    "flags" / Flags(U32, TRANSLATES=0, REMAPS_INTERRUPTS=1, COHERENT=2),
    "padding" / MustBeZero(U32),
    packed=True,
    doc="one unit",
)

ds_iommu_table = Struct(
    "ds_iommu_table",
    "kind"
    / Enum(
        U32, ROOT=1, CONTEXT=2, PASID_DIRECTORY=3, PASID=4, DEVICE=5, GCR3=6, STREAM_LEVEL1=7, STREAM=8, CONTEXT_LEVEL1=9, DESCRIPTOR=10,
        INTERRUPT=11,
    )
    * "what its entries are",
    "entry_size" / U32 * About("bytes of an entry", unit="bytes"),
    "pa" / Phys(Opaque()) * "the table, in the hardware's format",
    "size" / U64 * About("bytes of the table", unit="bytes", hint="bytes"),
    packed=True,
    doc="a table of the unit that stays in place",
)  # fmt: skip

ds_iommu_domain = Struct(
    "ds_iommu_domain",
    "id" / U32 * "tag in the caches of the unit: domain id, ASID, VMID",
    "levels" / U8 * About("of the page tables, the top one counted", minimum=1, maximum=6),
    "granule_shift" / U8 * About("log2 of the bytes of the smallest page: 12, 14, 16", minimum=12, maximum=16),
    "flags" / Flags(U16, SIGN_EXTENDED=0, UPPER=1, IN_PLACE=2, PACKED=3, DIRTY_TRACKING=4, NESTED=5),
    "format" / Chars(24) * "name of the format of the entries, as in a page-table stream",
    "top_table" / Phys(Opaque()) * "top page table; a guest's address where it is NESTED",
    "top_entries" / U32 * "entries of the top table, a power of two",
    "parent" / U32 * "domain of the second stage where it is NESTED, by place; 0xffffffff: none",
    "first" / U64 * About("first iova of the aperture", hint="hex"),
    "last" / U64 * About("last iova of the aperture", hint="hex"),
    "table_pages" / U64 * About("tables, the top one counted", unit="tables"),
    "bytes_mapped" / U64 * About("of all leaves", unit="bytes", hint="bytes"),
    "dirty_map" / Phys(Opaque()) * "with DIRTY_TRACKING: one bit a page, what was written to before the jump",
    "dirty_size" / U64 * About("bytes of the dirty map", unit="bytes", hint="bytes"),
    "dirty_first" / U64 * About("iova of its first bit", hint="hex"),
    "dirty_shift" / U32 * About("log2 of the bytes that a bit stands for", maximum=63),
    "padding" / MustBeZero(U32),
    packed=True,
    doc="one I/O address space",
)

ds_iommu_attachment = Struct(
    "ds_iommu_attachment",
    "segment" / U16 * "PCI segment",
    "source_id" / U16 * About("bus, device and function", hint="bdf"),
    "pasid" / U32 * About("of its requests; 0xffffffff: those without one", hint="hex"),
    "domain" / U32 * About("by place; 0xffffffff: none", hint="hex"),
    "translation" / Enum(U8, BLOCKED=0, PASS_THROUGH=1, FIRST_STAGE=2, SECOND_STAGE=3, NESTED=4),
    "flags" / Flags(U8, ATS=0, PRI=1, INTERRUPTS=2),
    "padding" / MustBeZero(U16),
    "entry_pa" / U64 * About("its entry in the tables of the unit", hint="pa"),
    "entry" / Array(4, U64) * About("the first four words of it, or as many as it has", hint="hex"),
    packed=True,
    doc="a device, or a PASID of one, and what it is attached to",
)

ds_iommu_window = Struct(
    "ds_iommu_window",
    "domain" / U32 * About("by place; 0xffffffff: all domains", hint="hex"),
    "kind" / Enum(U32, RESERVED=1, MSI=2, SOFTWARE_MSI=3, DIRECT=4, DIRECT_RELAXABLE=5) * "as iommu_get_resv_regions() has it",
    "start" / U64 * About("first iova", hint="hex"),
    "size" / U64 * About("bytes", unit="bytes", hint="bytes"),
    "access" / Flags(U32, READ=0, WRITE=1, NO_EXECUTE=2),
    "padding" / MustBeZero(U32),
    packed=True,
    doc="iovas that no mapping may use, or that are mapped to themselves",
)

SCHEMAS = [
    Schema(
        compatible="iommu-unit-v1",
        doc="an IOMMU unit whose tables stay in place: domains, attachments, windows",
        source="docs/project-format.md",
        status="project",
        root=ds_iommu_unit,
        also=(ds_iommu_table, ds_iommu_domain, ds_iommu_attachment, ds_iommu_window),
        found_by="devstate iommu",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="IOMMU driver",
        freed="finish",
        constants={"none": NONE},
    )
]
