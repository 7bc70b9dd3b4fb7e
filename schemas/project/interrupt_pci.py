# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Registers of interrupts: MSI-X tables of PCI functions, redirection entries of IO-APICs.

Contract (PCI Local Bus specification 3.0, 6.8.2; 82093AA IO-APIC datasheet, 3.2.4; Intel VT-d specification 4.1, 5.1.5.1): what stands in a
function's memory, and in an IO-APIC; all little-endian. In the remappable form of a redirection entry (bit 48) an index takes the place of
the destination.

::

    MSI-X table (BAR and offset in the capability)   pci_msix_entry[n], 16 bytes: address u64 | data u32 | control u32 (bit 0: masked)
    MSI-X pending bits                               one bit a vector
    IO-APIC registers 0x10 + 2n, 0x11 + 2n           ioapic_pin, or ioapic_remapped_pin: 8 bytes
"""

from devstate.schema import U32, U64, About, Bits, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)

pci_msix_entry = Struct(
    "pci_msix_entry",
    "address" / U64 * About("message address", hint="hex"),
    "data" / U32 * About("message data", hint="hex"),
    "masked" / Bits(U32, 1) * "no message is sent; what comes meanwhile is pending",
    "reserved97" / Bits(U32, 31) * "kept as it is: 0, or steering tags",
    packed=True,
    doc="one vector",
)

_LINE = (
    "pending" / Bits(U64, 1) * "delivery status: sent, and not yet accepted",
    "active_low" / Bits(U64, 1) * "polarity",
    "remote_irr" / Bits(U64, 1) * "level-triggered: accepted, and not yet ended",
    "level" / Bits(U64, 1) * "level-triggered",
    "masked" / Bits(U64, 1) * "no interrupt is sent",
)

ioapic_pin = Struct(
    "ioapic_pin",
    "vector" / Bits(U64, 8) * About("interrupt vector", hint="hex"),
    "delivery" / Bits(U64, 3) * "0: fixed, 1: lowest priority, 2: SMI, 4: NMI, 5: INIT, 7: ExtINT",
    "logical" / Bits(U64, 1) * "destination is logical",
    *_LINE,
    "reserved17" / Bits(U64, 31) * _ZERO,
    "remapped" / Bits(U64, 1) * About("0 in this form", maximum=0),
    "extended" / Bits(U64, 7) * "destination bits 14:8 where there is no remapping and the hypervisor has more than 8",
    "destination" / Bits(U64, 8) * About("APIC id", hint="hex"),
    packed=True,
    doc="a pin whose interrupt goes to a processor",
)

ioapic_remapped_pin = Struct(
    "ioapic_remapped_pin",
    "vector" / Bits(U64, 8) * About("as in the entry, for the end of interrupt of a level", hint="hex"),
    "zero" / Bits(U64, 3) * _ZERO,
    "index_high" / Bits(U64, 1) * "bit 15 of the index",
    *_LINE,
    "reserved17" / Bits(U64, 31) * _ZERO,
    "remapped" / Bits(U64, 1) * About("1 in this form", minimum=1),
    "index_low" / Bits(U64, 15) * "bits 14:0 of the index in the interrupt remapping table",
    packed=True,
    doc="a pin whose interrupt goes through an entry of a VT-d unit",
)


def _schema(name: str, doc: str, source: str, found_by: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source=source,
        root=root,
        found_by=found_by,
        on_mismatch=Reaction.SILENT_WRONG,
        owner="interrupt core",
        freed="never",
    )


SCHEMAS = [
    _schema("pci-msix-entry", "MSI-X table", "PCI Local Bus specification 3.0, 6.8.2", "the MSI-X capability", pci_msix_entry),
    _schema("ioapic-pin", "IO-APIC redirection entry", "82093AA datasheet, 3.2.4", "registers of the IO-APIC", ioapic_pin),
    _schema(
        "ioapic-remapped-pin", "IO-APIC redirection entry of the remappable form", "Intel VT-d specification 4.1, 5.1.5.1",
        "registers of the IO-APIC", ioapic_remapped_pin,
    ),
]  # fmt: skip
