# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""iommu: domains, devices and IOMMU units whose page tables stay where they are (an FLB of the iommufd handler).

Contract (include/linux/kho/abi/iommu.h): any change of a struct means a new number, in the string at first, in ``version`` of the
top struct since the string became ``iommu-liveupdate``. Objects of one array point at objects of the others by physical address.
The page tables themselves are preserved in place and described by their hardware format, not here.

::

    iommu_flb_ser | [version] | iommu_array_phys | iommu_domain_array_phys | device_array_phys |
                                    |                      |                       |
             page: | next | nr_objects | iommu_hw_ser[]    |        page: | next | nr_objects | iommu_device_ser[] |
                      |                                    |
                      +--> next page, 0 ends        page: | next | nr_objects | iommu_domain_ser[] |

    iommu_domain_ser | hdr | top_table_phys @8 | top_level @16 | vasz @24 | sign_extend: 1 bit @28 | restored_domain @29 |    37 bytes
    iommu_domain_ser | hdr | top_table_phys @8 | top_level @16 | vasz @24 | sign_extend u8 @28 | pad | restored_domain @32 |        40 bytes

``restored_domain`` is a raw kernel pointer, written by the new kernel. The RFC (``iommu-v1``) keeps three counts in its top struct; its
first posting mixes packed and unpacked structs. A distribution copied an early patch of ``iommu-liveupdate-v1`` whose header has two
bit-fields and whose records lack the hardware part: a patch inside a series, left out.
"""

from devstate.schema import (
    U8,
    U32,
    U64,
    About,
    Array,
    Bits,
    Const,
    Contiguous,
    Enum,
    Flags,
    KernelPointer,
    MustBeZero,
    Opaque,
    PageChain,
    Phys,
    Reaction,
    Reserved,
    Schema,
    Struct,
    Union,
    this,
)

_HEADER = "include/linux/kho/abi/iommu.h"

_RESTORED = "restored_domain" / KernelPointer() * About("struct iommu_domain of the new kernel, once it is restored", phase="incoming")
_TOP_LEVEL = "top_level" / U64 * "level of the top table"
_INTEL_TABLES = (
    "phys_addr" / U64 * About("base of the unit's registers", hint="pa"),
    "root_table" / Phys(Opaque()) * "root table, in the hardware's format",
)


# iommu-v1

# C: u32 deleted:1, u32 incoming:1 in a packed struct: gcc ends the struct after the one byte that the bits need.
_obj = Struct(
    "iommu_obj_ser",
    "idx" / U32 * "place in its array",
    "ref_count" / U32 * "users of the object",
    "deleted" / Bits(U8, 1) * "not in use any more",
    "incoming" / Bits(U8, 1) * "came from the previous kernel",
    "unused" / Bits(U8, 6) * "bits that the struct does not declare",
    packed=True,
    doc="what each object starts with",
)


def _rfc(*, packed: bool, attach_count: bool) -> tuple[Struct, Struct]:
    """The top struct and the page header of the RFC: the first posting counts attachments and packs only some of its structs."""
    domain = Struct(
        "iommu_domain_ser",
        "obj" / _obj,
        "top_table" / Phys(Opaque()) * "top page table",
        _TOP_LEVEL,
        *(("attach_count" / U64 * "devices that use the domain",) if attach_count else ()),
        _RESTORED,
        packed=True,
        doc="one domain: an I/O address space",
    )
    intel = Struct("iommu_intel_ser", *_INTEL_TABLES, packed=True)
    hardware = Struct(
        "iommu_ser",
        "obj" / _obj,
        "token" / U64 * "number that finds the unit again",
        "type" / Enum(U32, INVALID=0, INTEL=1) * "says which arm of u is meant",
        "u" / Union(this.type, intel=(1, intel)),
        packed=packed,
        doc="one IOMMU unit",
    )
    attachment = Struct(
        "device_domain_iommu_ser",
        "did" / U32 * "domain id in the unit's tables",
        "domain_phys" / Phys(domain),
        "iommu_phys" / Phys(hardware),
        packed=packed,
    )
    device = Struct(
        "device_ser",
        "obj" / _obj,
        "token" / U64 * "number that finds the device again",
        "devid" / U32 * "device id at the unit",
        "pci_domain" / U32 * "PCI domain (segment)",
        "domain_iommu_ser" / attachment,
        "type" / Enum(U32, INVALID=0, INTEL=1),
        packed=True,
        doc="one device behind an IOMMU",
    )
    top = Struct(
        "iommu_lu_flb_ser",
        "iommus_phys" / Phys(PageChain(hardware)),
        "nr_iommus" / U64 * "units in all pages",
        "iommu_domains_phys" / Phys(PageChain(domain)),
        "nr_domains" / U64 * "domains in all pages",
        "devices_phys" / Phys(PageChain(device)),
        "nr_devices" / U64 * "devices in all pages",
        packed=True,
    )
    page = Struct(
        "iommu_objs_ser",
        "next_objs" / Phys(Opaque()) * "next page, 0 ends",
        "nr_objs" / U64 * "objects in this page",
        packed=packed,
    )
    return top, page


_rfc_first = _rfc(packed=False, attach_count=True)
_rfc_packed = _rfc(packed=True, attach_count=False)


# iommu-liveupdate-v1 and iommu-liveupdate

_hdr = Struct(
    "iommu_hdr_ser",
    "ref_count" / U32 * "users of the object",
    "flags" / Flags(U32, DELETED=0, INCOMING=1),
    packed=True,
    doc="what each object starts with",
)

_array_hdr = Struct(
    "iommu_array_hdr_ser",
    "next_array_phys" / Phys(Opaque()) * "next page, 0 ends",
    "nr_objects" / U64 * "objects in this page",
    packed=True,
    doc="header of one page of objects",
)

_intel = Struct(
    "iommu_intel_ser",
    "restored" / U8 * About("the new kernel has taken the unit over", phase="incoming"),
    "padding" / Reserved(7),
    *_INTEL_TABLES,
    "context_tables_bitmap" / Array(8, U64) * "which of the 512 context tables (two for each bus) are preserved",
    doc="an Intel unit",
)

_smmuv3 = Struct(
    "iommu_smmuv3_hw_ser",
    "phys_addr" / U64 * About("base of the unit's registers", hint="pa"),
    "strtab_base_cfg" / U64 * About("register STRTAB_BASE_CFG", hint="hex"),
    "l1_strtab_lu_state" / U64 * "handle of the preserved DMA allocation: the linear or the first-level stream table",
    "l2_strtab_lu_states_phys" / Phys(Opaque()) * "u64 handles, one for each first-level entry, 0: none; their number is not handed over",
    packed=True,
    doc="an Arm SMMUv3",
)

_device_smmuv3 = Struct(
    "iommu_master_smmuv3_ser",
    "l1_cdtab_lu_state" / U64 * "handle of the preserved DMA allocation: the linear or the first-level context descriptor table",
    "num_l2_cdtables" / U32 * "second-level tables that are preserved",
    "padding" / MustBeZero(U32),
    "l2_cdtab_lu_states_phys" / Phys(Contiguous(U64, this.num_l2_cdtables)) * "their handles",
    packed=True,
)

_TYPES = {"INVALID": 0, "INTEL": 1}
_INTEL_RESTORED = ("restored" / U8 * About("the new kernel has taken the device over", phase="incoming"), "padding" / Reserved(7))
_INTEL_DEVICE = (
    "pasid_table" / Phys(Opaque()) * "PASID table, in the hardware's format",
    "max_pasid" / U64 * "largest PASID of the device",
)


def _top(
    sign_extend: tuple[object, ...], intel_device: tuple[object, ...], extra: tuple[object, ...], *first: object, smmu: bool
) -> Struct:
    """The top struct; ``first`` are the fields before the three arrays, ``smmu`` adds the arms of SMMUv3."""
    domain = Struct(
        "iommu_domain_ser",
        "hdr" / _hdr,
        "top_table_phys" / Phys(Opaque()) * "top page table",
        _TOP_LEVEL,
        "vasz" / U32 * About("bits of an I/O virtual address", unit="bits"),
        *sign_extend,  # type: ignore[arg-type]  # fields
        _RESTORED,
        packed=True,
        doc="one domain: an I/O address space",
    )
    hardware = Struct(
        "iommu_hw_ser",
        "hdr" / _hdr,
        "token" / U64 * "number that finds the unit again",
        "type" / Enum(U64, **_TYPES, **({"ARM_SMMUV3": 2} if smmu else {})) * "says which arm of u is meant",
        "u" / Union(this.type, intel=(1, _intel), **({"smmuv3": (2, _smmuv3)} if smmu else {})),
        packed=True,
        doc="one IOMMU unit",
    )
    attachment = Struct(
        "iommu_dev_map_ser",
        "attachment_id" / U64 * "id of the attachment, such as the domain id in the unit's tables",
        "domain_phys" / Phys(domain),
        "iommu_phys" / Phys(hardware),
        packed=True,
    )
    device_intel = Struct("iommu_device_intel_ser", *intel_device, packed=True)  # type: ignore[arg-type]
    device = Struct(
        "iommu_device_ser",
        "hdr" / _hdr,
        "devid" / U32 * "device id at the unit",
        "pci_domain_nr" / U32 * "PCI domain (segment)",
        *extra,  # type: ignore[arg-type]
        "domain_iommu_ser" / attachment,
        # which arm is alive is said by the type of the unit that iommu_phys leads to
        "u" / Union(None, intel=(None, device_intel), **({"smmuv3": (None, _device_smmuv3)} if smmu else {})),
        packed=True,
        doc="one device behind an IOMMU",
    )
    return Struct(
        "iommu_flb_ser",
        *first,  # type: ignore[arg-type]
        "iommu_array_phys" / Phys(PageChain(hardware)),
        "iommu_domain_array_phys" / Phys(PageChain(domain)),
        "device_array_phys" / Phys(PageChain(device)),
        packed=True,
    )


# C: u32 sign_extend:1 in a packed struct: the next field follows at the next byte, 29.
_SIGN_BIT = ("sign_extend" / Bits(U8, 1) * "the top half of the address space mirrors the sign", "unused" / Bits(U8, 7))
_SIGN_BYTE = ("sign_extend" / U8 * "not 0: the top half of the address space mirrors the sign", "padding" / Reserved(3))

_COMMON = {
    "status": "posted",
    "found_by": "luo_flb_ser.data",
    "on_mismatch": Reaction.RETRIEVE_FAILS,
    "owner": "IOMMU core",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        compatible="iommu-v1",
        variant="first",
        doc="RFC: counted arrays, packed and unpacked structs mixed",
        source=f"{_HEADER} of the first RFC (2025)",
        root=_rfc_first[0],
        carrier="string",
        also=(_rfc_first[1],),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="iommu-v1",
        doc="RFC: counted arrays, all structs packed, attach_count gone",
        source=f"{_HEADER} as posted (new file 8e1c05cfe7bb)",
        root=_rfc_packed[0],
        carrier="string",
        also=(_rfc_packed[1],),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="iommu-liveupdate-v1",
        replaces="iommu-v1",
        doc="arrays of pages, Intel only",
        source=f"{_HEADER} at ef754267767f",
        root=_top(_SIGN_BIT, _INTEL_DEVICE, (), smmu=False),
        carrier="string",
        also=(_array_hdr,),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="iommu-liveupdate",
        replaces="iommu-liveupdate-v1",
        doc="version field, Intel and SMMUv3",
        source=f"{_HEADER} at 22fa8f307e07",
        root=_top(
            _SIGN_BYTE,
            (*_INTEL_RESTORED, *_INTEL_DEVICE),
            ("dma_owner_token" / U64 * "who owns the device's DMA",),
            "version" / Const(U64, 1),
            smmu=True,
        ),
        carrier="field:version",
        version=("version", 1),
        also=(_array_hdr,),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
