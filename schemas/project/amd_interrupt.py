# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""AMD interrupts: the entries of the interrupt tables that an AMD IOMMU's device entries lead to.

Contract (AMD I/O Virtualization Technology specification 48882, 2.2.5; union irte, irte_ga_lo and irte_ga_hi in
drivers/iommu/amd/amd_iommu_types.h): the hardware reads these, so they are little-endian. Register CONTROL says which entries there are:
128-bit ones with GAEn (bit 17), 32-bit ones without; APIC ids have 32 bits with XTEn (bit 50), 8 without.

::

    32 bits             |31  24|23 16|15       8|7|6|5|4 2|1|0|       an index is the low 11 bits of the message's data
                        |  0   |vector|destination|0|D|E|typ|S|V|
    128 bits, remapped  |127  120|119   76|75 72|71 64|63      32|31       8|7|6|5|4 2|1|0|
                        | dest 31:24 |  0  |  0 |vector|    0     |dest 23:0 |0|D|E|typ|S|V|
    128 bits, a guest's | dest 31:24 | APIC page |0|vector| tag  |dest 23:0 |1|R|  0  |L|S|V|

Linux marks an entry that is taken and not yet valid with 0xfffffffe (32 bits), or with the vector 0xff (128 bits).
"""

from devstate.schema import U32, U64, About, Bits, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)
_TYPE = About("0: fixed, 1: arbitrated, 2: SMI, 3: NMI, 4: INIT, 6: external", hint="dec")
_VALID, _FAULTS = "interrupts are sent", "faults of the entry are not logged"

amd_irte = Struct(
    "amd_irte",
    "valid" / Bits(U32, 1) * _VALID,
    "fault_suppress" / Bits(U32, 1) * _FAULTS,
    "delivery" / Bits(U32, 3) * _TYPE,
    "request_eoi" / Bits(U32, 1) * "the unit waits for an end of interrupt",
    "logical" / Bits(U32, 1) * "destination is logical",
    "reserved7" / Bits(U32, 1) * _ZERO,
    "destination" / Bits(U32, 8) * About("APIC id", hint="hex"),
    "vector" / Bits(U32, 8) * About("interrupt vector", hint="hex"),
    "reserved24" / Bits(U32, 8) * _ZERO,
    packed=True,
    doc="32 bits",
)

amd_remapped_irte = Struct(
    "amd_remapped_irte",
    "valid" / Bits(U64, 1) * _VALID,
    "fault_suppress" / Bits(U64, 1) * _FAULTS,
    "delivery" / Bits(U64, 3) * _TYPE,
    "request_eoi" / Bits(U64, 1) * "the unit waits for an end of interrupt",
    "logical" / Bits(U64, 1) * "destination is logical",
    "guest_mode" / Bits(U64, 1) * About("0 in this form", maximum=0),
    "destination_low" / Bits(U64, 24) * About("APIC id, bits 23:0", hint="hex"),
    "tag" / Bits(U64, 32) * About("not read by the unit in this form; Linux keeps a guest's tag here", hint="hex"),
    "vector" / Bits(U64, 8) * About("interrupt vector", hint="hex"),
    "reserved72" / Bits(U64, 4) * _ZERO,
    "page" / Bits(U64, 40) * About("not read by the unit in this form", hint="pfn"),
    "reserved116" / Bits(U64, 4) * _ZERO,
    "destination_high" / Bits(U64, 8) * About("APIC id, bits 31:24", hint="hex"),
    packed=True,
    doc="128 bits: an interrupt that goes to a processor",
)

amd_guest_irte = Struct(
    "amd_guest_irte",
    "valid" / Bits(U64, 1) * _VALID,
    "fault_suppress" / Bits(U64, 1) * _FAULTS,
    "log" / Bits(U64, 1) * "what a vCPU that does not run gets is logged",
    "reserved3" / Bits(U64, 3) * _ZERO,
    "running" / Bits(U64, 1) * "the vCPU runs, at destination",
    "guest_mode" / Bits(U64, 1) * About("1 in this form", minimum=1),
    "destination_low" / Bits(U64, 24) * About("APIC id, bits 23:0, of the processor that the vCPU runs on", hint="hex"),
    "tag" / Bits(U64, 32) * About("names the VM and the vCPU in the log", hint="hex"),
    "vector" / Bits(U64, 8) * About("the guest's vector", hint="hex"),
    "reserved72" / Bits(U64, 4) * _ZERO,
    "page" / Bits(U64, 40) * About("frame of the vCPU's APIC backing page", hint="pfn"),
    "reserved116" / Bits(U64, 4) * _ZERO,
    "destination_high" / Bits(U64, 8) * About("APIC id, bits 31:24", hint="hex"),
    packed=True,
    doc="128 bits: an interrupt that goes to a guest",
)


def _schema(name: str, doc: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source="AMD I/O Virtualization Technology specification 48882, 2.2.5",
        root=root,
        found_by="amd_device_entry.interrupt_table",
        on_mismatch=Reaction.SILENT_WRONG,
        owner="the kernel's AMD IOMMU driver",
        freed="never",
    )


SCHEMAS = [
    _schema("amd-irte", "interrupt table: an entry of 32 bits", amd_irte),
    _schema("amd-remapped-irte", "interrupt table: an entry of 128 bits, remapped", amd_remapped_irte),
    _schema("amd-guest-irte", "interrupt table: an entry of 128 bits, a guest's", amd_guest_irte),
]
