# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""VT-d interrupts: the remapping table of an Intel IOMMU and the descriptors that posted entries lead to.

Contract (Intel VT-d specification 4.1, 5.1, 5.2, 9.10 to 9.12; struct irte in include/linux/dmar.h): the hardware reads these, so they
are little-endian. Register IRTA has the address of the table in bits 63:12, log2 of its entries less 1 in bits 3:0, and in bit 11
whether APIC ids have 32 bits (EIME); without it an APIC id is bits 15:8 of ``destination``.

::

    bit 127                96|95     84|83 82|81 80|79     64|63         32|31 24|23 16|15|14 12|11  8|7 5|4|3|2|1|0
    remapped  reserved, 0 ─────────────| SVT | SQ  |source id| destination |  0  |vector| 0|  0  |avail|DLM|T|R|L|F|P
    posted    descriptor 63:32 |    0  | SVT | SQ  |source id| descriptor 31:6, 0 |vector| 1|U| 0 |avail|    0    |F|P

``posted`` (bit 15) says which of the two an entry is. A posted entry sets bit ``vector`` of ``requests`` in its descriptor and, unless
one is outstanding or suppressed, sends ``notification_vector`` to ``destination``.
"""

from devstate.schema import U64, About, Array, Bits, MustBeZero, Reaction, Schema, Struct

_ZERO = About("reserved: 0", maximum=0)
_SOURCE = (
    "source_id" / Bits(U64, 16) * About("the requester that may use the entry", hint="bdf"),
    "source_qualifier" / Bits(U64, 2) * "0: all 16 bits count; 1, 2, 3: without function bit 2; bits 2:1; bits 2:0",
    "source_validation" / Bits(U64, 2) * About("0: any requester, 1: by source_id, 2: its bus is in the range source_id says", maximum=2),
)
_HEAD = (
    "present" / Bits(U64, 1) * "the unit reads the rest of the entry",
    "fault_disable" / Bits(U64, 1) * "faults of the entry are not recorded",
)
_VECTOR = "vector" / Bits(U64, 8) * About("interrupt vector", hint="hex")

vtd_remapped_irte = Struct(
    "vtd_remapped_irte",
    *_HEAD,
    "logical" / Bits(U64, 1) * "destination is logical",
    "redirection_hint" / Bits(U64, 1) * "one of the destinations may be chosen",
    "level" / Bits(U64, 1) * "level-triggered",
    "delivery" / Bits(U64, 3) * About("0: fixed, 1: lowest priority, 2: SMI, 4: NMI, 5: INIT, 7: ExtINT", hint="dec"),
    "available" / Bits(U64, 4) * "for software",
    "reserved12" / Bits(U64, 3) * _ZERO,
    "posted" / Bits(U64, 1) * About("0 in this form", maximum=0),
    _VECTOR,
    "reserved24" / Bits(U64, 8) * _ZERO,
    "destination" / Bits(U64, 32) * About("APIC id; in bits 15:8 without EIME", hint="hex"),
    *_SOURCE,
    "reserved84" / Bits(U64, 44) * _ZERO,
    packed=True,
    doc="an interrupt that goes to a processor",
)

vtd_posted_irte = Struct(
    "vtd_posted_irte",
    *_HEAD,
    "reserved2" / Bits(U64, 6) * _ZERO,
    "available" / Bits(U64, 4) * "for software",
    "reserved12" / Bits(U64, 2) * _ZERO,
    "urgent" / Bits(U64, 1) * "notify although it is suppressed",
    "posted" / Bits(U64, 1) * About("1 in this form", minimum=1),
    _VECTOR,
    "reserved24" / Bits(U64, 14) * _ZERO,
    "descriptor_low" / Bits(U64, 26) * About("bits 31:6 of the address of the descriptor", hint="hex"),
    *_SOURCE,
    "reserved84" / Bits(U64, 12) * _ZERO,
    "descriptor_high" / Bits(U64, 32) * About("bits 63:32 of it", hint="hex"),
    packed=True,
    doc="an interrupt that goes to a guest",
)

vtd_posted_descriptor = Struct(
    "vtd_posted_descriptor",
    "requests" / Array(4, U64) * About("one bit a vector: it is pending", hint="hex"),
    "outstanding" / Bits(U64, 1) * "a notification was sent and not yet taken",
    "suppress" / Bits(U64, 1) * "no notification of what is not urgent: the vCPU does not run",
    "reserved258" / Bits(U64, 14) * _ZERO,
    "notification_vector" / Bits(U64, 8) * About("of the host", hint="hex"),
    "reserved280" / Bits(U64, 8) * _ZERO,
    "destination" / Bits(U64, 32) * About("APIC id; in bits 15:8 without EIME", hint="hex"),
    "reserved320" / MustBeZero(U64),
    "reserved384" / MustBeZero(U64),
    "reserved448" / MustBeZero(U64),
    packed=True,
    doc="what is pending for one vCPU; 64 bytes at a multiple of 64",
)


def _schema(name: str, doc: str, found_by: str, root: Struct) -> Schema:
    return Schema(
        name=name,
        status="project",
        doc=doc,
        source="Intel VT-d specification 4.1, chapters 5 and 9",
        root=root,
        found_by=found_by,
        on_mismatch=Reaction.SILENT_WRONG,
        owner="the kernel's VT-d driver",
        freed="never",
    )


SCHEMAS = [
    _schema("vtd-remapped-irte", "interrupt remapping table: a remapped entry", "register IRTA", vtd_remapped_irte),
    _schema("vtd-posted-irte", "interrupt remapping table: a posted entry", "register IRTA", vtd_posted_irte),
    _schema("vtd-posted-descriptor", "pending interrupts of a vCPU", "vtd_posted_irte.descriptor_low", vtd_posted_descriptor),
]
