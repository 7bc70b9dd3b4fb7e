# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""GICv3 ITS: its registers, its tables as whole areas, and every LPI that is mapped.

Contract ([project-format.md](project-format.md)): parts of one object below ``its`` in the subtree ``devstate``; any change of a struct
means a new string. A physical ITS reads its tables in a form of its own, so they stay where they are, preserved, and ``lpis`` says what
they mean; of a guest's ITS, KVM saves them in the forms of interrupt_gic.py. No LPI is mapped twice, each goes to a collection that is
mapped, and what was PENDING is pending after the jump.

::

    its { NAME {                        one node an ITS
        state:   ds_its                 registers, and how many there are of the parts below            192 bytes
        areas:   ds_its_area[]          kind u32 | entry_size u32 | pa u64 | size u64 | owner u64 |     32 bytes each
        lpis:    ds_lpi[]               device u32 | event u32 | lpi u32 | collection | priority | flags |  16 bytes each
    }; };
"""

from devstate.schema import U8, U16, U32, U64, About, Array, Chars, Enum, Flags, MustBeZero, Opaque, Phys, Reaction, Schema, Struct

FIRST_LPI = 8192

ds_its = Struct(
    "ds_its",
    "name" / Chars(64) * "the ITS, or the guest whose it is",
    "base" / U64 * About("its registers", hint="pa"),
    "typer" / U64 * About("GITS_TYPER", hint="hex"),
    "baser" / Array(8, U64) * About("GITS_BASER<n>", hint="hex"),
    "cbaser" / U64 * About("GITS_CBASER", hint="hex"),
    "creadr" / U64 * About("GITS_CREADR: equal to where commands are written, so that none is on its way", hint="hex"),
    "propbaser" / U64 * About("GICR_PROPBASER", hint="hex"),
    "ctlr" / U32 * About("GITS_CTLR", hint="hex"),
    "iidr" / U32 * About("GITS_IIDR: implementation, and ABI revision of KVM's", hint="hex"),
    "areas" / U32 * "how many there are in the part areas",
    "lpis" / U32 * "how many there are in the part lpis",
    "flags" / Flags(U32, GUEST=0),
    "padding" / MustBeZero(U32),
    packed=True,
    doc="one ITS",
)

ds_its_area = Struct(
    "ds_its_area",
    "kind" / Enum(U32, DEVICES=1, COLLECTIONS=2, TRANSLATIONS=3, LPI_CONFIG=4, LPI_PENDING=5, COMMANDS=6, VPES=7) * "what it holds",
    "entry_size" / U32 * About("bytes of an entry", unit="bytes"),
    "pa" / Phys(Opaque()) * "the area",
    "size" / U64 * About("bytes", unit="bytes", hint="bytes"),
    "owner" / U64 * "device id of translations, redistributor (GICR_TYPER[63:32]) of pending bits, else 0",
    packed=True,
    doc="memory that the ITS or a redistributor reads and writes",
)

ds_lpi = Struct(
    "ds_lpi",
    "device" / U32 * About("device id", hint="hex"),
    "event" / U32 * "event id: the data of the message",
    "lpi" / U32 * About("interrupt id", minimum=FIRST_LPI),
    "collection" / U16 * "the collection that it goes to",
    "priority" / U8 * About("bits 7:2 count; 0 is the highest", hint="hex"),
    "flags" / Flags(U8, ENABLED=0, PENDING=1),
    packed=True,
    doc="one event of one device, and where it goes",
)

SCHEMAS = [
    Schema(
        compatible="its-v1",
        doc="an ITS: registers, tables in place, every LPI that is mapped",
        source="docs/project-format.md",
        status="project",
        root=ds_its,
        also=(ds_its_area, ds_lpi),
        found_by="devstate its",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="GICv3 driver, KVM",
        freed="finish",
        constants={"first_lpi": FIRST_LPI},
    )
]
