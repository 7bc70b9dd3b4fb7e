# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Guest memory: where the pages of a guest are, who keeps them, which must not move.

Contract ([project-format.md](project-format.md)): parts of one object below ``memory`` in the subtree ``devstate``; any change of a struct
means a new string. Extents ascend by guest address and do not overlap there. All of their memory is preserved, so that it is where it
was; an extent that is PINNED is used by a device through the jump, so nobody may copy or migrate it before its device is taken over.
An extent is SHARED (host and guest use it), PRIVATE (the guest alone: encrypted, or a guest_memfd), or neither where nobody knows.

::

    memory { NAME {                          one node a guest
        state:    ds_guest_memory            | name[64] | bytes u64 | extents u64 | owners u32 | flags u32 |          88 bytes
        owners:   ds_memory_owner[owners]    | kind u32 | padding u32 | name[64] | token u64 |                        80 bytes each
        extents:  ds_guest_extent[extents]   | gpa u64 | pa u64 | size u64 | node u32 | owner u16 | page_shift u8 | flags u8 |
    }; };                                                                                                            32 bytes each
"""

from devstate.schema import U8, U16, U32, U64, About, Chars, Enum, Flags, MustBeZero, Reaction, Schema, Struct

NO_OWNER = 0xFFFF
"""Owner of memory that nobody keeps but the preserved map."""

_BYTES = About("bytes", unit="bytes", hint="bytes")

ds_guest_memory = Struct(
    "ds_guest_memory",
    "name" / Chars(64) * "the guest, as its VMM calls it",
    "bytes" / U64 * About("of all extents", unit="bytes", hint="bytes"),
    "extents" / U64 * "how many there are in the part extents",
    "owners" / U32 * About("how many there are in the part owners", maximum=NO_OWNER),
    "flags" / MustBeZero(U32),
    packed=True,
    doc="the memory of one guest",
)

ds_memory_owner = Struct(
    "ds_memory_owner",
    "kind" / Enum(U32, FILE=1, REGION=2, DEVICE=3) * "a preserved file of a session, a reserve_mem region, a device",
    "padding" / MustBeZero(U32),
    "name" / Chars(64) * "of the session, the region or the device",
    "token" / U64 * "of the file in its session, else 0",
    packed=True,
    doc="who keeps memory of a guest and gives it back",
)

ds_guest_extent = Struct(
    "ds_guest_extent",
    "gpa" / U64 * About("guest physical address", hint="hex"),
    "pa" / U64 * About("physical address", hint="pa"),
    "size" / U64 * _BYTES,
    "node" / U32 * "NUMA node, 0xffffffff when not known",
    "owner" / U16 * "which of the owners; 0xffff: none",
    "page_shift" / U8 * About("log2 of the bytes of its pages, which address and size are multiples of", minimum=12, maximum=34),
    "flags" / Flags(U8, SHARED=0, PRIVATE=1, PINNED=2, READ_ONLY=3),
    packed=True,
    doc="guest memory that is one piece in both address spaces",
)

SCHEMAS = [
    Schema(
        compatible="guest-memory-v1",
        doc="where the pages of a guest are, who keeps them, which must not move",
        source="docs/project-format.md",
        status="project",
        root=ds_guest_memory,
        also=(ds_memory_owner, ds_guest_extent),
        found_by="devstate memory",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="VMM",
        freed="finish",
        constants={"no_owner": NO_OWNER},
    )
]
