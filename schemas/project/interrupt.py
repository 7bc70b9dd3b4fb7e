# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Interrupts: vectors of devices and pins, the entries that they lead to, affinity, routes into guests, and what is pending.

Contract ([project-format.md](project-format.md)): parts of one object below ``interrupts`` in the subtree ``devstate``; any change of a
struct means a new string. An entry of a remapping table is named by the unit, the device whose table it is in (AMD), and its index. Every
vector and every pin with an entry leads to one that is live; no entry is claimed twice; what was PENDING is pending after the jump.

::

    interrupts { NAME {                          one node a guest, or one for the host's own devices
        state:       ds_interrupts               name, and how many there are of the parts below                 104 bytes
        vectors:     ds_msi_vector[]             segment, device, index | address u64 | data u32 | unit | entry | 32 bytes each
        pins:        ds_ioapic_pin[]             ioapic, pin, gsi | redirection u64 | unit | entry              32 bytes each
        affinities:  ds_irq_affinity[]           entry | apic_id, cpu | slice of masks                          32 bytes each
        masks:       ds_cpu_mask[]               bits u64                                                        8 bytes each
        routes:      ds_gsi_route[]              gsi | kind | address, data | chip, pin                         40 bytes each
        irqfds:      ds_irqfd[]                  gsi | eventfd, resamplefd, counter | vector of the device      40 bytes each
        posted:      ds_posted_interrupt[]       entry | vCPU, descriptor, vector | pending u64[4] | control    72 bytes each
    }; };
"""

from devstate.schema import U8, U16, U32, U64, About, Array, Chars, Enum, Flags, MustBeZero, Opaque, Phys, Reaction, Schema, Struct

NONE = 0xFFFFFFFF
"""No unit, no entry."""

INTX = 0xFFFF
"""Index of a device's pin in place of a message vector."""

_SEGMENT = "segment" / U16 * "PCI segment"
_SOURCE = "source_id" / U16 * About("bus, device and function of the requester", hint="bdf")
_UNIT = "unit" / U32 * About("IOMMU unit by place among the objects of iommu; 0xffffffff: none", hint="hex")
_ENTRY = "entry" / U32 * About("index in the interrupt table; 0xffffffff: none", hint="hex")

ds_interrupts = Struct(
    "ds_interrupts",
    "name" / Chars(64) * "the guest, as its VMM calls it; empty for the host's own",
    "vectors" / U32 * "how many there are in the part vectors",
    "pins" / U32 * "how many there are in the part pins",
    "affinities" / U32 * "how many there are in the part affinities",
    "masks" / U32 * "how many there are in the part masks",
    "routes" / U32 * "how many there are in the part routes",
    "irqfds" / U32 * "how many there are in the part irqfds",
    "posted" / U32 * "how many there are in the part posted",
    "flags" / Flags(U32, EXTENDED_APIC_IDS=0),
    "vm" / U64 * "token of the VM's file in its session; 0 for the host's own",
    packed=True,
    doc="the interrupts of one guest, or of the host",
)

ds_msi_vector = Struct(
    "ds_msi_vector",
    _SEGMENT,
    _SOURCE,
    "index" / U16 * "number of the vector in the function",
    "kind" / Enum(U8, MSI=1, MSIX=2, IMS=3),
    "flags" / Flags(U8, ENABLED=0, MASKED=1, PENDING=2, FUNCTION_MASKED=3),
    "address" / U64 * About("message address", hint="hex"),
    "data" / U32 * About("message data", hint="hex"),
    _UNIT,
    _ENTRY,
    "irq" / U32 * "number that the old kernel used; for people",
    packed=True,
    doc="one message vector of one function",
)

ds_ioapic_pin = Struct(
    "ds_ioapic_pin",
    "ioapic" / U8 * "id of the IO-APIC",
    "pin" / U8 * "its pin",
    "flags" / Flags(U16, PENDING=0, REMOTE_IRR=1, MASKED=2),
    "gsi" / U32 * "global number of the pin",
    "redirection" / U64 * About("redirection entry, as the IO-APIC has it", hint="hex"),
    _UNIT,
    _ENTRY,
    _SEGMENT,
    "source_id" / U16 * About("bus, device and function that the IO-APIC requests as", hint="bdf"),
    "padding" / MustBeZero(U32),
    packed=True,
    doc="one pin of an IO-APIC",
)

ds_irq_affinity = Struct(
    "ds_irq_affinity",
    _UNIT,
    _ENTRY,
    _SEGMENT,
    "source_id" / U16 * About("device whose table the entry is in", hint="bdf"),
    "flags" / Flags(U32, MANAGED=0),
    "apic_id" / U32 * About("where it goes now", hint="hex"),
    "cpu" / U32 * "the processor that this is",
    "mask_first" / U32 * "first word of the allowed processors in the part masks",
    "mask_words" / U32 * "words of them",
    packed=True,
    doc="where an interrupt goes, and where it may go",
)

ds_cpu_mask = Struct(
    "ds_cpu_mask",
    "bits" / U64 * About("processors 64n to 64n + 63 of word n of a mask", hint="hex"),
    packed=True,
)

ds_gsi_route = Struct(
    "ds_gsi_route",
    "gsi" / U32 * "number that the guest's devices raise",
    "kind" / Enum(U32, IRQCHIP=1, MSI=2, S390_ADAPTER=3, HV_SINT=4, XEN_EVTCHN=5) * "KVM_IRQ_ROUTING_*",
    "flags" / Flags(U32, VALID_DEVID=0) * "KVM_MSI_VALID_DEVID",
    "device_id" / U32 * About("of the message, with VALID_DEVID", hint="hex"),
    "address" / U64 * About("of the message", hint="hex"),
    "data" / U32 * About("of the message", hint="hex"),
    "chip" / U32 * "irqchip",
    "pin" / U32 * "pin of the irqchip",
    "padding" / MustBeZero(U32),
    packed=True,
    doc="what a GSI of a guest becomes: struct kvm_irq_routing_entry",
)

ds_irqfd = Struct(
    "ds_irqfd",
    "gsi" / U32 * "that it raises",
    "flags" / Flags(U32, RESAMPLE=0, ASSERTED=1),
    "eventfd" / U64 * "token of the eventfd; 0: made anew by the VMM",
    "resamplefd" / U64 * "token of the eventfd that says: the guest has ended the interrupt; with RESAMPLE",
    "counter" / U64 * "count of the eventfd that was not yet taken",
    _SEGMENT,
    "source_id" / U16 * About("function whose interrupt it is", hint="bdf"),
    "index" / U16 * About("its vector; 0xffff: its pin", hint="hex"),
    "padding" / MustBeZero(U16),
    packed=True,
    doc="a link from a device's interrupt to a GSI of KVM",
)

ds_posted_interrupt = Struct(
    "ds_posted_interrupt",
    _UNIT,
    _ENTRY,
    _SEGMENT,
    _SOURCE,
    "vcpu" / U32 * "id of the vCPU",
    "descriptor" / Phys(Opaque()) * "posted descriptor (VT-d), or the APIC backing page (AMD)",
    "vector" / U32 * About("vector in the guest", hint="hex"),
    "flags" / Flags(U32, URGENT=0),
    "pending" / Array(4, U64) * About("what was pending in the descriptor, one bit a vector", hint="hex"),
    "control" / U64 * About("word 4 of the descriptor: outstanding, suppress, notification", hint="hex"),
    packed=True,
    doc="an interrupt that goes to a vCPU without the host",
)

SCHEMAS = [
    Schema(
        compatible="interrupts-v1",
        doc="vectors, pins, affinity, routes into a guest, and what is pending",
        source="docs/project-format.md",
        status="project",
        root=ds_interrupts,
        also=(ds_msi_vector, ds_ioapic_pin, ds_irq_affinity, ds_cpu_mask, ds_gsi_route, ds_irqfd, ds_posted_interrupt),
        found_by="devstate interrupts",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="interrupt core",
        freed="finish",
        constants={"none": NONE, "intx": INTX},
    )
]
