# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""SMMUv3 tables: what leads an Arm SMMUv3 from its stream table to the page tables of a stream.

Contract (Arm SMMU architecture specification IHI 0070, 5.1 to 5.5; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h): the hardware reads these
as little-endian. Register STRTAB_BASE has the address of the stream table in bits 51:6; STRTAB_BASE_CFG has log2 of its streams in bits
5:0, the split in bits 10:6 and its form in bits 17:16 (0 linear, 1 two levels).

::

    linear    smmu_stream_entry (64 bytes, by stream id)
    2 levels  smmu_stream_level1 (8 bytes, by the high bits of the stream id) ─> 2^(span - 1) x smmu_stream_entry, by the low bits

    smmu_stream_entry ─> one, 2^context_max linear, or two levels of contexts, by substream id (PASID):
                           smmu_context_level1 (8 bytes) ─> 64 or 1024 x smmu_context_descriptor (64 bytes) ─> stage 1 tables
                      ─> stage 2 tables

The entry 0x1 (valid, configuration 0) aborts, 0x9 (configuration 4) bypasses.
"""

from devstate.schema import U64, About, Array, Bits, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)
_GRANULE = "granule: 0: 4K, 1: 64K, 2: 16K"

smmu_stream_level1 = Struct(
    "smmu_stream_level1",
    "span" / Bits(U64, 5) * "log2 of the entries of the second level, plus 1; 0: there is none",
    "reserved5" / Bits(U64, 1) * _ZERO,
    "table" / Bits(U64, 46) * About("address bits 51:6 of the second level", hint="hex"),
    "reserved52" / Bits(U64, 12) * _ZERO,
    packed=True,
    doc="first level of a stream table",
)

smmu_stream_entry = Struct(
    "smmu_stream_entry",
    "valid" / Bits(U64, 1) * "without it, all requests are aborted",
    "config" / Bits(U64, 3) * "0: abort, 4: bypass, 5: stage 1, 6: stage 2, 7: both",
    "context_format" / Bits(U64, 2) * About("contexts: 0: linear, 1: two levels of 4K, 2: two levels, 64K at the second", maximum=2),
    "context" / Bits(U64, 46) * About("address bits 51:6 of the contexts; a guest's address with both stages", hint="hex"),
    "reserved52" / Bits(U64, 7) * _ZERO,
    "context_max" / Bits(U64, 5) * About("log2 of the contexts; 0: one, for requests without a substream", maximum=20),
    "default_substream" / Bits(U64, 2) * About("requests without a substream: 0: aborted, 1: bypass, 2: context 0", maximum=2),
    "context_cache_inner" / Bits(U64, 2) * "of reads of contexts",
    "context_cache_outer" / Bits(U64, 2) * "of reads of contexts",
    "context_shareability" / Bits(U64, 2) * "of reads of contexts",
    "stage2_hardware" / Bits(U64, 4) * About("bits 62:59 of leaves are the implementation's", hint="hex"),
    "destructive" / Bits(U64, 1) * "destructive reads are allowed",
    "contiguous" / Bits(U64, 4) * "log2 of the streams that have this entry too",
    "direct_cache" / Bits(U64, 1) * "direct cache prefetch is allowed",
    "ppar" / Bits(U64, 1) * "answers to page requests carry the PASID",
    "merge_events" / Bits(U64, 1) * "events may be merged",
    "software20" / Bits(U64, 4) * About("for software", hint="hex"),
    "reserved88" / Bits(U64, 1) * _ZERO,
    "stage2_force_write_back" / Bits(U64, 1) * "memory attributes of stage 2 win",
    "stage1_partition" / Bits(U64, 1) * "contexts choose the memory partition",
    "stage1_no_stall" / Bits(U64, 1) * "contexts cannot make requests stall",
    "ats" / Bits(U64, 2) * "translations for the device: 0: refused, 1: full, 2: of stage 2 only",
    "world" / Bits(U64, 2) * "exception level of stage 1: 0: EL1, 2: EL2",
    "memory_attribute" / Bits(U64, 4) * About("override", hint="hex"),
    "memory_override" / Bits(U64, 1) * "memory_attribute counts",
    "allocation" / Bits(U64, 4) * About("allocation hints", hint="hex"),
    "reserved105" / Bits(U64, 3) * _ZERO,
    "shareability" / Bits(U64, 2) * "1: as the request says",
    "security" / Bits(U64, 2) * "override",
    "privilege" / Bits(U64, 2) * "override",
    "instruction" / Bits(U64, 2) * "override",
    "implementation116" / Bits(U64, 12) * About("the implementation's", hint="hex"),
    "vmid" / Bits(U64, 16) * "tag in the caches",
    "implementation144" / Bits(U64, 16) * About("the implementation's", hint="hex"),
    "stage2_t0sz" / Bits(U64, 6) * "64 less the bits of a stage 2 input address",
    "stage2_sl0" / Bits(U64, 2) * "first level of the walk: of 4K, 0: level 2, 1: 1, 2: 0, 3: 3; else 0: 3, 1: 2, 2: 1",
    "stage2_ir0" / Bits(U64, 2) * "inner cacheability of walks",
    "stage2_or0" / Bits(U64, 2) * "outer cacheability of walks",
    "stage2_sh0" / Bits(U64, 2) * "shareability of walks",
    "stage2_tg" / Bits(U64, 2) * About(_GRANULE, maximum=2),
    "stage2_ps" / Bits(U64, 3) * "bits of an output address: 32, 36, 40, 42, 44, 48, 52",
    "stage2_aa64" / Bits(U64, 1) * "tables of the 64-bit form",
    "stage2_endian" / Bits(U64, 1) * "tables are big-endian",
    "stage2_no_access_fault" / Bits(U64, 1) * "the accessed bit does not count",
    "stage2_protect_walk" / Bits(U64, 1) * "stage 1 tables may not be device memory",
    "stage2_dirty" / Bits(U64, 1) * "the unit sets dirty",
    "stage2_accessed" / Bits(U64, 1) * "the unit sets accessed",
    "stage2_stall" / Bits(U64, 1) * "faults stall",
    "stage2_record" / Bits(U64, 1) * "faults are recorded",
    "stage2_extensions" / Bits(U64, 5) * About("device permission tables, accessed bits of tables", hint="hex"),
    "stage2_nonsecure" / Bits(U64, 2) * About("of secure streams: non-secure access", hint="hex"),
    "stage2_sl0_high" / Bits(U64, 1) * "bit 2 of sl0, with stage2_wide and granules of 4K: 4 is level -1",
    "stage2_wide" / Bits(U64, 1) * "addresses of 52 bits with granules of 4K and 16K: the LPA2 form of entries",
    "stage2_ttb" / Bits(U64, 48) * About("address bits 51:4 of the top table", hint="hex"),
    "reserved244" / Bits(U64, 12) * _ZERO,
    "extensions" / Array(4, U64) * About("partitions, secure stage 2, virtual machine structure", hint="hex"),
    packed=True,
    doc="one stream",
)

smmu_context_level1 = Struct(
    "smmu_context_level1",
    "valid" / Bits(U64, 1) * "there is a second level",
    "reserved1" / Bits(U64, 11) * _ZERO,
    "table" / Bits(U64, 40) * About("frame of the second level", hint="pfn"),
    "reserved52" / Bits(U64, 12) * _ZERO,
    packed=True,
    doc="first level of a context table",
)


def _half(number: int, granule: str, bits: int, name: str) -> tuple[object, ...]:
    return (
        f"t{number}sz" / Bits(U64, 6) * "64 less the bits of an input address",
        f"tg{number}" / Bits(U64, 2) * granule,
        f"ir{number}" / Bits(U64, 2) * "inner cacheability of walks",
        f"or{number}" / Bits(U64, 2) * "outer cacheability of walks",
        f"sh{number}" / Bits(U64, 2) * "shareability of walks",
        f"epd{number}" / Bits(U64, 1) * "there is no such table",
        name / Bits(U64, bits) * ("tables are big-endian" if number == 0 else "without it, all requests are aborted"),
    )


smmu_context_descriptor = Struct(
    "smmu_context_descriptor",
    *_half(0, _GRANULE, 1, "endian"),  # type: ignore[arg-type]  # fields
    *_half(1, "granule: 1: 16K, 2: 4K, 3: 64K", 1, "valid"),  # type: ignore[arg-type]
    "ips" / Bits(U64, 3) * "bits of an output address: 32, 36, 40, 42, 44, 48, 52",
    "no_access_fault" / Bits(U64, 1) * "the accessed bit does not count",
    "write_no_execute" / Bits(U64, 1) * "what is writable is not executable",
    "unprivileged_write_no_execute" / Bits(U64, 1) * "what users may write is not executable",
    "top_byte0" / Bits(U64, 1) * "the top byte of an address of the lower half is ignored",
    "top_byte1" / Bits(U64, 1) * "the top byte of an address of the upper half is ignored",
    "privileged_never" / Bits(U64, 1) * "privileged requests do not reach users' pages",
    "aa64" / Bits(U64, 1) * "tables of the 64-bit form",
    "dirty" / Bits(U64, 1) * "the unit sets dirty",
    "accessed" / Bits(U64, 1) * "the unit sets accessed",
    "stall" / Bits(U64, 1) * "faults stall",
    "record" / Bits(U64, 1) * "faults are recorded",
    "abort" / Bits(U64, 1) * "faults abort the request",
    "own_asid" / Bits(U64, 1) * "the ASID is not shared with processors",
    "asid" / Bits(U64, 16) * "tag in the caches",
    "flags0" / Bits(U64, 4) * About("non-secure, no hierarchical attributes, no access for users", hint="hex"),
    "ttb0" / Bits(U64, 48) * About("address bits 51:4 of the top table of the lower half; a guest's address with both stages", hint="hex"),
    "reserved116" / Bits(U64, 6) * _ZERO,
    "permissions0" / Bits(U64, 2) * About("extensions: protected tables, more of privileged_never", hint="hex"),
    "hardware0" / Bits(U64, 4) * About("bits 62:59 of leaves are the implementation's", hint="hex"),
    "flags1" / Bits(U64, 4) * About("the same of the upper half", hint="hex"),
    "ttb1" / Bits(U64, 48) * About("address bits 51:4 of the top table of the upper half", hint="hex"),
    "reserved180" / Bits(U64, 6) * _ZERO,
    "wide" / Bits(U64, 1) * "addresses of 52 bits with granules of 4K and 16K: the LPA2 form of entries",
    "indirect" / Bits(U64, 1) * "permissions of entries are indirect",
    "hardware1" / Bits(U64, 4) * About("bits 62:59 of leaves are the implementation's", hint="hex"),
    "mair" / U64 * About("memory attributes that leaves choose from", hint="hex"),
    "amair" / U64 * About("auxiliary memory attributes", hint="hex"),
    "extensions" / Array(3, U64) * About("partitions and the implementation's", hint="hex"),
    packed=True,
    doc="one address space of one stream",
)


def _schema(name: str, doc: str, found_by: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source="Arm SMMU architecture specification IHI 0070, chapter 5",
        root=root,
        found_by=found_by,
        on_mismatch=Reaction.SILENT_WRONG,
        owner="the kernel's SMMUv3 driver",
        freed="never",
    )


SCHEMAS = [
    _schema("smmu-stream-level1", "first level of a stream table", "register STRTAB_BASE", smmu_stream_level1),
    _schema("smmu-stream-entry", "stream table", "register STRTAB_BASE, or smmu_stream_level1.table", smmu_stream_entry),
    _schema("smmu-context-level1", "first level of a context table", "smmu_stream_entry.context", smmu_context_level1),
    _schema("smmu-context-descriptor", "context table", "smmu_stream_entry.context, or smmu_context_level1.table", smmu_context_descriptor),
]
