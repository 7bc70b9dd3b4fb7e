# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Devices that stay alive across a jump (``dev_liveupdate``): the device tree, and who left what.

Contract ([rehearse.md](rehearse.md)): parts of one object below ``devices`` in the subtree ``devstate``; any change of a struct means a new
string. Parents stand before their children. What the driver of device N left is the part ``driver-N``, whose compatible is the driver's
own: a new driver that does not know it does not touch the device.

::

    devices { NAME {                         one node a machine
        state:     ds_device_tree            devices u32 | flags u32                                             8 bytes
        devices:   ds_device[devices]        path[128] | parent u32 | depth u32 | bus[32] | driver[48] | ...     224 bytes each
        driver-N:  by its own compatible     what the driver of device N left
    }; };
"""

from devstate.schema import U32, U64, About, Chars, Converter, Enum, Flags, MustBeZero, Reaction, Schema, Struct

NO_PARENT = 0xFFFFFFFF

ds_device_tree = Struct(
    "ds_device_tree",
    "devices" / U32 * "how many there are in the part devices",
    "flags" / MustBeZero(U32),
    packed=True,
    doc="the devices of one machine that came along",
)

ds_device = Struct(
    "ds_device",
    "path" / Chars(128) * "names from the root down, with / between them",
    "parent" / U32 * About("by place among the devices; 0xffffffff: the root", hint="hex"),
    "depth" / U32 * About("devices above it", maximum=(1 << 28) - 1),
    "bus" / Chars(32) * "name of the bus type",
    "driver" / Chars(48) * "compatible of what its driver left; empty when it left nothing",
    "flags" / Flags(U32, REQUESTED=0, PRESERVED=1, RECLAIMED=2) * "asked for by user space; carried; taken back by the new kernel",
    "phase" / Enum(U32, NORMAL=0, PREPARED=1, FROZEN=2, UPDATED=3) * "how far it had come",
    packed=True,
    doc="one device",
)

ds_ring_v1 = Struct(
    "ds_ring_v1",
    "device" / U32 * "number of the device in its machine",
    "stamps" / U32 * "writes so far, the low half",
    packed=True,
    doc="a rehearsed device",
)

ds_ring_v2 = Struct(
    "ds_ring_v2",
    "device" / U32 * "number of the device in its machine",
    "padding" / MustBeZero(U32),
    "stamps" / U64 * "writes so far",
    "faults" / U64 * "writes that the IOMMU stopped",
    packed=True,
    doc="a rehearsed device",
)


def _driver(version: int, root: Struct, replaces: str | None) -> Schema:
    return Schema(
        compatible=f"rehearsed-ring-v{version}",
        replaces=replaces,
        doc=f"what version {version} of a rehearsed driver leaves of a device",
        source="docs/rehearse.md",
        status="project",
        root=root,
        found_by="devstate devices",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="driver",
    )


SCHEMAS = [
    Schema(
        compatible="devices-v1",
        doc="devices that stay alive across a jump, and whose drivers left what",
        source="docs/rehearse.md",
        status="project",
        root=ds_device_tree,
        also=(ds_device,),
        found_by="devstate devices",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="driver core",
        constants={"no_parent": NO_PARENT},
    ),
    _driver(1, ds_ring_v1, None),
    _driver(2, ds_ring_v2, "rehearsed-ring-v1"),
]

CONVERTERS = [Converter("rehearsed-ring-v1", "rehearsed-ring-v2", up={"faults": 0}, loses=("faults",))]
