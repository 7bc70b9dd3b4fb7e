# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""iommufd: the hardware page tables (HWPTs) that one iommufd file holds.

Contract (include/linux/kho/abi/iommufd.h): any change of a struct means a new number in the string; branches and postings kept
``iommufd-v1`` through four layouts, the first of them a struct without members: no bytes, nothing to declare.

::

    iommufd-v1 folio:    | folio_lu: a raw kernel pointer |
    iommufd-v1 hwpts:    | nr_hwpts u32 | { token u32 | domain_data u64 @4 | reclaimed u8 @12 } 13 bytes each, from byte 4
    iommufd-v1:          | nr_hwpts u64 | { domain_data u64 | token u64 | reclaimed u8 | pad[7] } 24 bytes each, from byte 8

``domain_data`` leads to a domain of the IOMMU FLB (see iommu.py), whose own version says how it is laid out.
"""

from devstate.schema import U8, U32, U64, About, Converter, FlexArray, KernelPointer, Opaque, Phys, Reaction, Reserved, Schema, Struct, this

_HEADER = "include/linux/kho/abi/iommufd.h"
_DOMAIN = "domain_data" / Phys(Opaque()) * "iommu_domain_ser, in the form of the IOMMU FLB beside this file"
_RECLAIMED = "reclaimed" / U8 * About("the new kernel's user has taken the HWPT over", phase="incoming")
_COUNT = "HWPTs that are preserved"

_hwpt_lu = Struct("iommufd_hwpt_lu", "token" / U32 * "number given by the user", _DOMAIN, _RECLAIMED, packed=True, doc="one HWPT")

_hwpt_ser = Struct(
    "iommufd_hwpt_ser",
    _DOMAIN,
    "token" / U64 * "number given by the user",
    _RECLAIMED,
    "padding" / Reserved(7),
    packed=True,
    doc="one HWPT",
)

_COMMON = {
    "compatible": "iommufd-v1",
    "status": "posted",
    "found_by": "luo_file_ser.data",
    "carrier": "string",
    "on_mismatch": Reaction.OPEN_FAILS,
    "owner": "iommufd handler",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        variant="folio",
        doc="a raw kernel pointer, of use after the restore only",
        source=f"{_HEADER} at 11ef752d6683",
        root=Struct("iommufd_lu", "folio_lu" / KernelPointer() * About("struct folio of this record", phase="incoming")),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        variant="hwpts",
        doc="HWPTs of 13 bytes behind a u32 counter; the outer struct is not packed",
        source=f"{_HEADER} as posted (new file f7393ac78aa9)",
        root=Struct("iommufd_lu", "nr_hwpts" / U32 * _COUNT, "hwpts" / FlexArray(_hwpt_lu, this.nr_hwpts)),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        doc="HWPTs of 24 bytes behind a u64 counter",
        source=f"{_HEADER} of 2026",
        root=Struct("iommufd_ser", "nr_hwpts" / U64 * _COUNT, "hwpt_array" / FlexArray(_hwpt_ser, this.nr_hwpts), packed=True),
        **_COMMON,  # type: ignore[arg-type]
    ),
]

CONVERTERS = [Converter("iommufd-v1@hwpts", "iommufd-v1", up={"hwpt_array": this.hwpts}, down={"hwpts": this.hwpt_array})]
