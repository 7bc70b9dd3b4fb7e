# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""VT-d tables: what leads an Intel IOMMU from its root table to the page tables of a device.

Contract (Intel VT-d specification 4.1, 9.1 to 9.6; drivers/iommu/intel/{iommu,pasid}.h): the hardware reads these, so they are
little-endian on every machine. A present entry has zeros in all of its reserved bits, or the unit faults. Bits 11:10 of register RTADDR
say which tables there are: 0 legacy, 1 scalable, 3 all blocked. A frame is the physical address without its low 12 bits.

::

    legacy    root table: 256 x vtd_root_entry (16 bytes, by bus)
                └─> context table: 256 x vtd_context_entry (16 bytes, by device and function) ─> second-stage tables

    scalable  root table: 256 x vtd_scalable_root_entry (16 bytes, by bus)
                ├─> lower: 128 x vtd_scalable_context_entry (32 bytes, devices 0 to 15)
                └─> upper: the same of devices 16 to 31
                      └─> PASID directory: 2^(7 + size) x vtd_pasid_directory_entry (8 bytes)
                            └─> PASID table: 64 x vtd_pasid_entry (64 bytes) ─> first-stage and second-stage tables
"""

from devstate.schema import U64, About, Bits, MustBeZero, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)


def _frame(doc: str) -> About:
    return About(f"frame of {doc}", hint="pfn")


_PRESENT = "present" / Bits(U64, 1) * "the unit reads the rest of the entry"
_FAULTS = "fault_disable" / Bits(U64, 1) * "faults of what it stands for are not recorded"
_WIDTH = "address_width" / Bits(U64, 3) * About("levels of the second stage, less 2", minimum=1, maximum=3)

vtd_root_entry = Struct(
    "vtd_root_entry",
    _PRESENT,
    "reserved1" / Bits(U64, 11) * _ZERO,
    "context_table" / Bits(U64, 52) * _frame("the context table of the bus"),
    "reserved64" / MustBeZero(U64),
    packed=True,
    doc="legacy mode: one bus",
)

vtd_scalable_root_entry = Struct(
    "vtd_scalable_root_entry",
    "lower_present" / Bits(U64, 1) * "there is a context table of devices 0 to 15",
    "reserved1" / Bits(U64, 11) * _ZERO,
    "lower_table" / Bits(U64, 52) * _frame("the context table of devices 0 to 15"),
    "upper_present" / Bits(U64, 1) * "there is a context table of devices 16 to 31",
    "reserved65" / Bits(U64, 11) * _ZERO,
    "upper_table" / Bits(U64, 52) * _frame("the context table of devices 16 to 31"),
    packed=True,
    doc="scalable mode: one bus",
)

vtd_context_entry = Struct(
    "vtd_context_entry",
    _PRESENT,
    _FAULTS,
    "translation" / Bits(U64, 2) * About("0: second stage; 1: and the device may hold translations; 2: pass-through", maximum=2),
    "reserved4" / Bits(U64, 8) * _ZERO,
    "second_stage" / Bits(U64, 52) * _frame("the top table; not read for pass-through"),
    _WIDTH,
    "available" / Bits(U64, 4) * "for software",
    "reserved71" / Bits(U64, 1) * _ZERO,
    "domain_id" / Bits(U64, 16) * "tag in the caches",
    "reserved88" / Bits(U64, 40) * _ZERO,
    packed=True,
    doc="legacy mode: one function",
)

vtd_scalable_context_entry = Struct(
    "vtd_scalable_context_entry",
    _PRESENT,
    _FAULTS,
    "device_tlb" / Bits(U64, 1) * "the device may hold translations (ATS)",
    "pasid_enable" / Bits(U64, 1) * "requests with a PASID are translated",
    "page_requests" / Bits(U64, 1) * "the device may ask for pages (PRI)",
    "reserved5" / Bits(U64, 4) * _ZERO,
    "directory_size" / Bits(U64, 3) * "log2 of the entries of the PASID directory, less 7",
    "directory" / Bits(U64, 52) * _frame("the PASID directory"),
    "rid_pasid" / Bits(U64, 20) * "the PASID that stands for requests without one",
    "rid_privileged" / Bits(U64, 1) * "requests without a PASID are privileged",
    "reserved85" / Bits(U64, 43) * _ZERO,
    "reserved128" / MustBeZero(U64),
    "reserved192" / MustBeZero(U64),
    packed=True,
    doc="scalable mode: one function",
)

vtd_pasid_directory_entry = Struct(
    "vtd_pasid_directory_entry",
    _PRESENT,
    _FAULTS,
    "reserved2" / Bits(U64, 10) * _ZERO,
    "pasid_table" / Bits(U64, 52) * _frame("the PASID table"),
    packed=True,
    doc="64 PASIDs of one function",
)

vtd_pasid_entry = Struct(
    "vtd_pasid_entry",
    _PRESENT,
    _FAULTS,
    "address_width" / Bits(U64, 3) * "levels of the second stage, less 2",
    "reserved5" / Bits(U64, 1) * _ZERO,
    "translation" / Bits(U64, 3) * About("1: first stage, 2: second stage, 3: nested, 4: pass-through", minimum=1, maximum=4),
    "second_stage_touched" / Bits(U64, 1) * "the unit sets accessed and dirty in the second stage",
    "reserved10" / Bits(U64, 2) * _ZERO,
    "second_stage" / Bits(U64, 52) * _frame("the top table of the second stage"),
    "domain_id" / Bits(U64, 16) * "tag in the caches",
    "reserved80" / Bits(U64, 7) * _ZERO,
    "walk_snoop" / Bits(U64, 1) * "walks of the tables snoop the processors' caches",
    "page_snoop" / Bits(U64, 1) * "so do all accesses",
    "cache_disable" / Bits(U64, 1) * "accesses are uncached",
    "memory_type_enable" / Bits(U64, 1) * "the second stage's memory types count",
    "memory_type" / Bits(U64, 3) * "memory type where the tables have none",
    "write_through" / Bits(U64, 1) * "for walks of the first stage",
    "walk_cache_disable" / Bits(U64, 1) * "for walks of the first stage",
    "page_attributes" / Bits(U64, 32) * About("memory types that first-stage entries choose from", hint="hex"),
    "supervisor" / Bits(U64, 1) * "privileged requests are allowed",
    "execute" / Bits(U64, 1) * "requests to execute are allowed",
    "first_stage_mode" / Bits(U64, 2) * About("0: four levels, 1: five levels", maximum=1),
    "write_protect" / Bits(U64, 1) * "privileged requests obey read-only",
    "no_execute" / Bits(U64, 1) * "bit 63 of first-stage entries counts",
    "supervisor_no_execute" / Bits(U64, 1) * "privileged requests do not execute users' pages",
    "extended_accessed" / Bits(U64, 1) * "the unit sets the extended accessed bit",
    "reserved136" / Bits(U64, 4) * _ZERO,
    "first_stage" / Bits(U64, 52) * _frame("the top table of the first stage: a guest's address when nested"),
    "reserved192" / MustBeZero(U64),
    "reserved256" / MustBeZero(U64),
    "reserved320" / MustBeZero(U64),
    "reserved384" / MustBeZero(U64),
    "reserved448" / MustBeZero(U64),
    packed=True,
    doc="one address space of one function",
)


def _schema(name: str, doc: str, found_by: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source="Intel VT-d specification 4.1, chapter 9",
        root=root,
        found_by=found_by,
        on_mismatch=Reaction.SILENT_WRONG,
        owner="the kernel's VT-d driver",
        freed="never",
    )


SCHEMAS = [
    _schema("vtd-root-entry", "root table of legacy mode", "register RTADDR", vtd_root_entry),
    _schema("vtd-context-entry", "context table of legacy mode", "vtd_root_entry.context_table", vtd_context_entry),
    _schema("vtd-scalable-root-entry", "root table of scalable mode", "register RTADDR", vtd_scalable_root_entry),
    _schema(
        "vtd-scalable-context-entry", "context table of scalable mode", "vtd_scalable_root_entry.lower_table", vtd_scalable_context_entry
    ),
    _schema("vtd-pasid-directory-entry", "PASID directory", "vtd_scalable_context_entry.directory", vtd_pasid_directory_entry),
    _schema("vtd-pasid-entry", "PASID table", "vtd_pasid_directory_entry.pasid_table", vtd_pasid_entry),
]
