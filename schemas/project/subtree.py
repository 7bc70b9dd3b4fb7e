# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree ``devstate``: state of subsystems that no kernel describes yet, with the layouts that it is written in.

Contract ([project-format.md](project-format.md), which has every byte): the KHO subtree ``devstate`` is a flattened devicetree. Any change
of what is said here means a new ``devstate-vN``; what is in the parts is versioned by their own compatibles and layouts. A reader that
does not know the string leaves the whole subtree alone; one that does not know a part's compatible can still decode it by its layout.
Numbers in properties are native, as KHO writes its own.

::

    / {
        compatible = "devstate-v1";
        layouts { FINGERPRINT { data = <msgpack>; }; };      each layout once; its name is the fingerprint of what it says
        SUBSYSTEM {                                          memory, iommu, interrupts, kvm, devices, ...
            OBJECT {                                         and parts below it, of the same form
                compatible = "guest-memory-v1";
                layout = "FINGERPRINT"; struct = "NAME"; count = <u64>;
                state = <bytes>;  or  section = <ds_section>;  or  memory = <ds_memory>;
            };
        };
    };
    sections: behind the strings block, inside totalsize, each at a multiple of 8
"""

from devstate.schema import U8, U32, U64, About, FlexArray, Node, Opaque, Phys, Reaction, Schema, Struct, prop

_CRC = About("crc32c of the bytes", hint="hex")

ds_section = Struct(
    "ds_section",
    "offset" / U64 * About("from the start of the blob, a multiple of 8", unit="bytes"),
    "size" / U64 * About("bytes", unit="bytes", hint="bytes"),
    "crc" / U32 * _CRC,
    packed=True,
    doc="a part that stands in the blob, behind the tree",
)

ds_memory = Struct(
    "ds_memory",
    "pa" / Phys(Opaque()) * About("where the part stands, in preserved memory", hint="pa"),
    "size" / U64 * About("bytes", unit="bytes", hint="bytes"),
    "crc" / U32 * _CRC,
    packed=True,
    doc="a part that stands in memory of its own",
)

_TEXT = FlexArray(U8)


def _part(*children: Node) -> Node:
    return Node(
        "*",
        prop("compatible", _TEXT, About("the format of the object", optional=True)),
        prop("layout", _TEXT, About("fingerprint of the layout of its bytes", optional=True)),
        prop("struct", _TEXT, About("the struct that it is, or has many of; the layout's root when absent", optional=True)),
        prop("count", U64, About("structs, one behind the other; one when absent", optional=True)),
        prop("state", _TEXT, About("the bytes themselves", optional=True)),
        prop("section", ds_section, About("where they stand in the blob", optional=True)),
        prop("memory", ds_memory, About("where they stand in memory", optional=True)),
        children=children,
        optional=True,
        doc="an object, or a part of one",
    )


_LAYOUT = Node("*", prop("data", _TEXT, "the layout as msgpack"), optional=True, doc="a layout, named by its fingerprint")

SCHEMAS = [
    Schema(
        compatible="devstate-v1",
        doc="state of subsystems, with the layouts that it is written in",
        source="docs/project-format.md",
        status="project",
        root=Node(
            "",
            compatible="devstate-v1",
            children=(
                Node("layouts", children=(_LAYOUT,), doc="every layout that the parts name"),
                Node("*", children=(_part(_part()),), optional=True, doc="a subsystem"),
            ),
        ),
        found_by="KHO subtree devstate",
        carrier="fdt",
        on_mismatch=Reaction.ACCEPTED,
        owner="devstate",
        freed="finish",
        limits={"layouts": 256, "layout_bytes": 256 << 10, "parts": 4096, "depth": 4},
    )
]
