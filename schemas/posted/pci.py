# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""pci: what the PCI core keeps of preserved devices and the bridges above them (an FLB of the vfio-pci handler).

Contract (include/linux/kho/abi/pci.h): any change of a struct means a new number, in the string at first, in ``version`` since
the string became ``pci``. A kernel that cannot retrieve the incoming data panics (said of v7; assumed for no earlier posting).
The new kernel works in the handed-over memory: it counts ``refcount`` down to 0 as devices are finished.

::

    pci-v1 first:   | nr_devices u64 |                        | domain u16 | bdf u16 | ...             sorted by domain, bdf
    pci-v1 max:     | max_nr_devices u64 | nr_devices u64 |   | domain u16 | bdf u16 | ...
    pci-v1 u64:     | max_nr_devices u64 | nr_devices u64 |   | domain u32 | bdf u16 | reserved u16 | ...
    pci-v2 u64:     the same bytes, reserved is now refcount
    pci-v1 u32:     | max_nr_devices u32 | nr_devices u32 |   | domain u32 | bdf u16 | padding u16 | ...
    pci-v2, pci-v3: the same bytes, padding is now refcount; v3 changed only what it counts
    pci-v1:         | nr_devices u32 | devices u64 @4 | --> kho_block chain of | domain u32 | bdf u16 | refcount u16 |
    pci 1, 2:       | version u32 | nr_devices u32 | devices u64 @8 | --> the same chain; 2 changed only what refcount counts

Whether the series that starts with a block chain under ``pci-v1`` ends with it under ``pci-v2`` was not seen: left out.
"""

from devstate.schema import U16, U32, U64, About, BlockChain, Const, Converter, FlexArray, Phys, Reaction, Schema, Struct, this

_HEADER = "include/linux/kho/abi/pci.h"
_BDF = "bdf" / U16 * About("bus, device and function", hint="bdf")
_ROOM = "entries that devices[] has room for"
_COUNT = "devices that are preserved"

REFCOUNT_ONE = "1 while the entry is in use, else 0; counted down by the new kernel"
REFCOUNT_BELOW = "preserved devices at or below this one while the entry is in use, else 0; counted down by the new kernel"


def _device(last: str, doc: str) -> Struct:
    return Struct(
        "pci_dev_ser",
        "domain" / U32 * "PCI domain (segment)",
        _BDF,
        last / U16 * doc,
        packed=True,
        doc="one device or bridge",
    )


_narrow = Struct("pci_dev_ser", "domain" / U16 * "PCI domain (segment)", _BDF, packed=True, doc="one device")


def _array(counter: object, device: Struct) -> Struct:
    """Capacity, count and the entries behind them."""
    return Struct(
        "pci_ser",
        "max_nr_devices" / counter * _ROOM,  # type: ignore[operator]  # an integer type
        "nr_devices" / counter * _COUNT,  # type: ignore[operator]
        "devices" / FlexArray(device, this.max_nr_devices),
        packed=True,
    )


def _versioned(version: int, refcount: str) -> Struct:
    return Struct(
        "pci_ser",
        "version" / Const(U32, version) * "may never be moved or resized",
        "nr_devices" / U32 * _COUNT,
        "devices" / Phys(BlockChain(_device("refcount", refcount), this.nr_devices)) * "first block",
        packed=True,
    )


_COMMON = {
    "status": "posted",
    "found_by": "luo_flb_ser.data",
    "owner": "PCI core",
    "freed": "finish",
}
_BY_STRING = _COMMON | {"carrier": "string", "on_mismatch": Reaction.RETRIEVE_FAILS}
_BY_NUMBER = _COMMON | {"carrier": "field:version", "on_mismatch": Reaction.PANIC}

SCHEMAS = [
    Schema(
        compatible="pci-v1",
        variant="first",
        doc="sorted array of narrow device numbers",
        source=f"{_HEADER} as first posted (new file 53744b6f191a)",
        root=Struct("pci_ser", "nr_devices" / U64 * _COUNT, "devices" / FlexArray(_narrow, this.nr_devices), packed=True),
        **_BY_STRING,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="pci-v1",
        variant="max",
        doc="sorted array of narrow device numbers, with its capacity",
        source=f"{_HEADER} as posted (new file 6577767f8da6)",
        root=_array(U64, _narrow),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci-v1",
        variant="u64",
        doc="sorted array of devices behind two u64 counters",
        source=f"{_HEADER} at 16d3d0debbcf",
        root=_array(U64, _device("reserved", "written as 0")),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci-v1",
        variant="u32",
        doc="array of devices behind two u32 counters",
        source=f"{_HEADER} at 8333de2ec515",
        root=_array(U32, _device("padding", "written as 0")),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci-v1",
        doc="devices in a chain of blocks, not versioned by a field yet",
        source=f"{_HEADER} as posted (new file de549016807a)",
        root=Struct(
            "pci_ser",
            "nr_devices" / U32 * _COUNT,
            "devices" / Phys(BlockChain(_device("refcount", REFCOUNT_ONE), this.nr_devices)) * "first block, unaligned",
            packed=True,
        ),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci-v2",
        variant="u64",
        replaces="pci-v1",
        doc="sorted array behind two u64 counters; reserved became refcount",
        source=f"{_HEADER} at 2932bac00653",
        root=_array(U64, _device("refcount", "uses by the PCI core, counted down by the new kernel")),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci-v2",
        replaces="pci-v1",
        doc="array behind two u32 counters, with holes where refcount is 0",
        source=f"{_HEADER} at 3bb8a42d4b99",
        root=_array(U32, _device("refcount", REFCOUNT_ONE)),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci-v3",
        replaces="pci-v2",
        doc="bytes of pci-v2; refcount counts the devices below a bridge",
        source=f"{_HEADER} as posted (c86518be4ce7 of the file)",
        root=_array(U32, _device("refcount", REFCOUNT_BELOW)),
        **_BY_STRING,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci",
        variant="1",
        replaces="pci-v3",
        doc="version field, devices in a chain of blocks",
        source=f"{_HEADER} at acff3a35a494 (linux-next, September 2026)",
        root=_versioned(1, REFCOUNT_ONE),
        version=("version", 1),
        **_BY_NUMBER,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="pci",
        replaces="pci@1",
        doc="bytes of version 1; refcount counts the devices below a bridge",
        source=f"{_HEADER} at 39f8a23bd04b (linux-next, September 2026)",
        root=_versioned(2, REFCOUNT_BELOW),
        version=("version", 2),
        **_BY_NUMBER,  # type: ignore[arg-type]
    ),
]

# Upwards nobody can say: which entries are in use, or are bridges, stands in no field of the older ones.
CONVERTERS = [
    Converter("pci-v1@u64", "pci-v1@u32", up={"pci_dev_ser.padding": this.reserved}, down={"pci_dev_ser.reserved": this.padding}),
    Converter("pci-v2", "pci-v3", one_way="down", down={"pci_dev_ser.refcount": this.refcount != 0}, loses=("pci_dev_ser.refcount",)),
]
