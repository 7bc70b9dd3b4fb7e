# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""AMD IOMMU tables: the device table, and what leads from it to a guest's page tables.

Contract (AMD I/O Virtualization Technology specification 48882, 2.2.2 and 2.2.7; drivers/iommu/amd/amd_iommu_types.h): the hardware reads
these, so they are little-endian. Register DEVTAB has the address of the device table in bits 51:12 and its 4K pages less 1 in bits 8:0.

::

    device table: amd_device_entry (32 bytes, by bus, device and function)
      ├─> host page tables (v1), ``mode`` levels
      ├─> GCR3 table: 512 x amd_gcr3_entry (8 bytes, by PASID), ``guest_levels`` levels above it ─> guest page tables (v2)
      └─> interrupt table: 2^interrupt_length entries

An entry with ``valid`` and ``translation_valid`` and mode 0 passes requests through as ``read`` and ``write`` allow: 0x3 alone blocks all.
Without ``valid`` everything passes.
"""

from devstate.schema import U64, About, Bits, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)

amd_device_entry = Struct(
    "amd_device_entry",
    "valid" / Bits(U64, 1) * "the bits up to 127 count; without it requests pass through",
    "translation_valid" / Bits(U64, 1) * "the fields about tables count; without it requests that need them are aborted",
    "reserved2" / Bits(U64, 5) * _ZERO,
    "host_touched" / Bits(U64, 2) * "the unit sets in host tables: 1: accessed, 3: and dirty",
    "mode" / Bits(U64, 3) * About("levels of the host page tables; 0: none", maximum=6),
    "host_table" / Bits(U64, 40) * About("frame of the top table", hint="pfn"),
    "page_requests" / Bits(U64, 1) * "the device may ask for pages (PPR)",
    "page_request_pasid" / Bits(U64, 1) * "answers to it carry the PASID",
    "guest_io" / Bits(U64, 1) * "requests without a PASID use the guest tables of PASID 0 (GIoV)",
    "guest_valid" / Bits(U64, 1) * "there are guest tables (GV)",
    "guest_levels" / Bits(U64, 2) * About("levels of GCR3 tables, less 1 (GLX)", maximum=2),
    "gcr3_low" / Bits(U64, 3) * About("address bits 14:12 of the GCR3 table", hint="hex"),
    "read" / Bits(U64, 1) * "reads are allowed (IR)",
    "write" / Bits(U64, 1) * "writes are allowed (IW)",
    "reserved63" / Bits(U64, 1) * _ZERO,
    "domain_id" / Bits(U64, 16) * "tag in the caches",
    "gcr3_middle" / Bits(U64, 16) * About("address bits 30:15 of the GCR3 table", hint="hex"),
    "device_tlb" / Bits(U64, 1) * "the device may hold translations (ATS)",
    "fault_once" / Bits(U64, 1) * "faults are logged once (SE)",
    "fault_never" / Bits(U64, 1) * "faults are not logged (SA)",
    "port_io" / Bits(U64, 2) * "port I/O: 0: aborted, 1: passed, 2: translated",
    "cache" / Bits(U64, 1) * "hint not to cache translations",
    "snoop_disable" / Bits(U64, 1) * "reads of tables do not snoop",
    "exclusion" / Bits(U64, 1) * "the exclusion range applies",
    "system_management" / Bits(U64, 2) * About("system management messages", hint="dec"),
    "secure_ats" / Bits(U64, 1) * "requests that say they are translated are checked",
    "gcr3_high" / Bits(U64, 21) * About("address bits 51:31 of the GCR3 table", hint="hex"),
    "interrupt_valid" / Bits(U64, 1) * "the fields about interrupts count (IV)",
    "interrupt_length" / Bits(U64, 4) * About("log2 of the entries of the interrupt table", maximum=11),
    "ignore_unmapped" / Bits(U64, 1) * "interrupts without an entry are not logged (IG)",
    "interrupt_table" / Bits(U64, 46) * About("address bits 51:6 of the interrupt table", hint="hex"),
    "reserved180" / Bits(U64, 2) * _ZERO,
    "guest_paging" / Bits(U64, 2) * About("guest page tables: 0: four levels, 1: five levels", maximum=1),
    "init_pass" / Bits(U64, 1) * "INIT passes through",
    "external_pass" / Bits(U64, 1) * "ExtInt passes through",
    "nmi_pass" / Bits(U64, 1) * "NMI passes through",
    "host_table_mode" / Bits(U64, 1) * "host tables are of the v2 form",
    "interrupt_control" / Bits(U64, 2) * About("fixed interrupts: 0: aborted, 1: passed, 2: remapped", maximum=2),
    "lint0_pass" / Bits(U64, 1) * "LINT0 passes through",
    "lint1_pass" / Bits(U64, 1) * "LINT1 passes through",
    "guest" / Bits(U64, 54) * About("ids of a virtual IOMMU; 0 without one", hint="hex"),
    "attributes_valid" / Bits(U64, 1) * "the next two fields count",
    "mode0_coherent" / Bits(U64, 1) * "without tables, accesses snoop",
    "snoop_attributes" / Bits(U64, 8) * About("attributes of translated accesses", hint="hex"),
    packed=True,
    doc="one function",
)

amd_gcr3_entry = Struct(
    "amd_gcr3_entry",
    "valid" / Bits(U64, 1) * "the PASID, or the next table, is in use",
    "reserved1" / Bits(U64, 11) * _ZERO,
    "table" / Bits(U64, 40) * About("frame of the top guest table, or of the next GCR3 table; a guest's address when nested", hint="pfn"),
    "reserved52" / Bits(U64, 12) * _ZERO,
    packed=True,
    doc="one PASID of one function, or 512, or 262144",
)


def _schema(name: str, doc: str, found_by: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source="AMD I/O Virtualization Technology specification 48882, 2.2",
        root=root,
        found_by=found_by,
        on_mismatch=Reaction.SILENT_WRONG,
        owner="the kernel's AMD IOMMU driver",
        freed="never",
    )


SCHEMAS = [
    _schema("amd-device-entry", "device table", "register DEVTAB", amd_device_entry),
    _schema("amd-gcr3-entry", "GCR3 table", "amd_device_entry.gcr3_low, gcr3_middle, gcr3_high", amd_gcr3_entry),
]
