# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""GICv3 tables: devices, collections and translations of an ITS, and the configuration and pending bits of LPIs.

Contract (Documentation/virt/kvm/devices/arm-vgic-its.rst, "ITS Table Memory Layout", ABI revision 0; Arm GIC architecture specification
IHI 0069, 5.1): the first three forms are those in which KVM saves a guest's ITS to the guest's memory. A physical ITS keeps its tables in
a form of its own: they move as whole pages (see devstate-interrupts-v1). LPI tables are the architecture's. All are little-endian.

::

    GITS_BASER of devices     ─> gic_its_device[device id] (8 bytes; ``next``: entries up to the next valid one)
                              or, INDIRECT, gic_its_level1[device id / 8192] ─> 64K of these each
                                   └─> gic_its_translation[event id] (8 bytes), 2^(size + 1) of them, at a multiple of 256
    GITS_BASER of collections ─> gic_its_collection[] (8 bytes), ends with one that is not valid
    GICR_PROPBASER            ─> gic_lpi_config[LPI - 8192] (1 byte)
    GICR_PENDBASER            ─> gic_lpi_pending[] (8 bytes): one bit an LPI, bit 8192 first in use; at a multiple of 64K
"""

from devstate.schema import U8, U64, About, Bits, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)

gic_its_device = Struct(
    "gic_its_device",
    "size" / Bits(U64, 5) * "bits of an event id, less 1",
    "translations" / Bits(U64, 44) * About("address bits 51:8 of the translations", hint="hex"),
    "next" / Bits(U64, 14) * "device ids up to the next valid entry; 0: it is the last",
    "valid" / Bits(U64, 1) * "the device is mapped",
    packed=True,
    doc="one device",
)

gic_its_level1 = Struct(
    "gic_its_level1",
    "reserved0" / Bits(U64, 16) * _ZERO,
    "table" / Bits(U64, 36) * About("address bits 51:16 of the second level", hint="hex"),
    "reserved52" / Bits(U64, 11) * _ZERO,
    "valid" / Bits(U64, 1) * "there is a second level",
    packed=True,
    doc="8192 devices",
)

gic_its_collection = Struct(
    "gic_its_collection",
    "collection" / Bits(U64, 16) * "its id",
    "redistributor" / Bits(U64, 36) * "the vCPU that its interrupts go to",
    "reserved52" / Bits(U64, 11) * _ZERO,
    "valid" / Bits(U64, 1) * "0 ends the table",
    packed=True,
    doc="one collection: what LPIs go to",
)

gic_its_translation = Struct(
    "gic_its_translation",
    "collection" / Bits(U64, 16) * "the collection that it goes to",
    "lpi" / Bits(U64, 32) * "the LPI, 8192 or more; 0: the event is not mapped",
    "next" / Bits(U64, 16) * "event ids up to the next mapped one; 0: it is the last",
    packed=True,
    doc="one event of one device",
)

gic_lpi_config = Struct(
    "gic_lpi_config",
    "enabled" / Bits(U8, 1) * "it is sent",
    "ones" / Bits(U8, 1) * "written as 1",
    "priority" / Bits(U8, 6) * "bits 7:2 of the priority; 0 is the highest",
    packed=True,
    doc="one LPI",
)

gic_lpi_pending = Struct(
    "gic_lpi_pending",
    "bits" / U64 * About("bit m of word n: LPI 64n + m is pending; the first 128 words are the implementation's", hint="hex"),
    packed=True,
    doc="64 of the LPIs that wait for one redistributor",
)


def _schema(name: str, doc: str, found_by: str, source: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source=source,
        root=root,
        found_by=found_by,
        on_mismatch=Reaction.SILENT_WRONG,
        owner="KVM",
        freed="never",
    )


_SAVED, _LPIS = "Documentation/virt/kvm/devices/arm-vgic-its.rst, ABI revision 0", "Arm GIC architecture specification IHI 0069, 5.1"

SCHEMAS = [
    _schema("gic-its-device", "saved device table of an ITS", "register GITS_BASER", _SAVED, gic_its_device),
    _schema("gic-its-level1", "first level of a device table of an ITS", "register GITS_BASER, INDIRECT", _SAVED, gic_its_level1),
    _schema("gic-its-collection", "saved collection table of an ITS", "register GITS_BASER", _SAVED, gic_its_collection),
    _schema("gic-its-translation", "saved translation table of a device", "gic_its_device.translations", _SAVED, gic_its_translation),
    _schema("gic-lpi-config", "LPI configuration table", "register GICR_PROPBASER", _LPIS, gic_lpi_config),
    _schema("gic-lpi-pending", "LPI pending table", "register GICR_PENDBASER", _LPIS, gic_lpi_pending),
]
