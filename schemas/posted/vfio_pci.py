# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""vfio-pci: which PCI device a preserved VFIO file stands for.

Contract (include/linux/kho/abi/vfio_pci.h): any change of the struct means a new number in the string; postings kept ``vfio-pci-v1``
through four layouts. The device's own state (BARs, interrupts, configuration) is not handed over.

::

    vfio-pci-v1 first:           | bdf u16 | domain u16 |
    vfio-pci-v1 reset:           | bdf u16 | domain u16 | reset_works u8 |
    vfio-pci-v1 reset-iommufd:   | bdf u16 | domain u16 | reset_works u8 | iommufd_ser.token u32 @5 |
    vfio-pci-v1:                 | domain u32 | bdf u16 |
    vfio-pci-v2:                 | domain u32 | bdf u16 | reset_works u8 |
    vfio-pci-v2 iommufd:         | domain u32 | bdf u16 | reset_works u8 | iommufd_ser.token u32 @7 |

A branch has the string ``vfio-pci-v1`` and no struct at all: nothing to declare.
"""

from devstate.schema import U8, U16, U32, About, Converter, Reaction, Schema, Struct

_HEADER = "include/linux/kho/abi/vfio_pci.h"
_BDF = "bdf" / U16 * About("bus, device and function", hint="bdf")
_NARROW = (_BDF, "domain" / U16 * "PCI domain (segment)")
_WIDE = ("domain" / U32 * "PCI domain (segment)", _BDF)
_RESET = "reset_works" / U8 * "not 0: the device can be reset; probing after the jump would reset it"

# A u32 while LUO's tokens have 64 bits, so it is no Token: how it is derived is not stated in the header.
_iommufd = Struct("vfio_iommufd_ser", "token" / U32 * "token of the iommufd that the device is bound to", packed=True)
_IOMMUFD = "iommufd_ser" / _iommufd


def _device(*fields: object) -> Struct:
    return Struct("vfio_pci_core_device_ser", *fields, packed=True)  # type: ignore[arg-type]  # fields


_COMMON = {
    "status": "posted",
    "found_by": "luo_file_ser.data",
    "carrier": "string",
    "on_mismatch": Reaction.OPEN_FAILS,
    "owner": "vfio-pci handler",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        compatible="vfio-pci-v1",
        variant="first",
        doc="device number, domain of 16 bits",
        source=f"{_HEADER} as posted (9bf58a2f3820 of the file)",
        root=_device(*_NARROW),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="vfio-pci-v1",
        variant="reset",
        doc="device number, domain of 16 bits, whether reset works",
        source=f"{_HEADER} at 5a849cd73edf",
        root=_device(*_NARROW, _RESET),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="vfio-pci-v1",
        variant="reset-iommufd",
        doc="the same with the iommufd that the device is bound to",
        source=f"{_HEADER} as posted with the IOMMU series (d01bd58711c2 of the file)",
        root=_device(*_NARROW, _RESET, _IOMMUFD),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="vfio-pci-v1",
        doc="device number, domain of 32 bits",
        source=f"{_HEADER} as posted (229a13ac1e52 of the file)",
        root=_device(*_WIDE),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="vfio-pci-v2",
        replaces="vfio-pci-v1",
        doc="device number, domain of 32 bits, whether reset works",
        source=f"{_HEADER} as posted (c057794a044f of the file)",
        root=_device(*_WIDE, _RESET),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="vfio-pci-v2",
        variant="iommufd",
        replaces="vfio-pci-v1",
        doc="the same with the iommufd that the device is bound to (copy of a distribution)",
        source=f"{_HEADER} at 5a52741aba94",
        root=_device(*_WIDE, _RESET, _IOMMUFD),
        **_COMMON,  # type: ignore[arg-type]
    ),
]

# 0: not known to reset, with which no reader starts a reset. The token of an iommufd cannot be made up: 0 is one.
CONVERTERS = [
    Converter("vfio-pci-v1@first", "vfio-pci-v1@reset", up={"reset_works": 0}, loses=("reset_works",)),
    Converter("vfio-pci-v1@reset", "vfio-pci-v1@reset-iommufd", one_way="down", loses=("iommufd_ser",)),
    Converter("vfio-pci-v1@first", "vfio-pci-v1"),
    Converter("vfio-pci-v1@reset", "vfio-pci-v2"),
    Converter("vfio-pci-v1@reset-iommufd", "vfio-pci-v2@iommufd"),
    Converter("vfio-pci-v1", "vfio-pci-v2", up={"reset_works": 0}, loses=("reset_works",)),
    Converter("vfio-pci-v2", "vfio-pci-v2@iommufd", one_way="down", loses=("iommufd_ser",)),
]
