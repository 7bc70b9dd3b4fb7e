# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""memblock: named regions of physical memory (``reserve_mem=``) that keep their place across kernels.

Contract (include/linux/kho/abi/memblock.h): both strings must match, ``start`` and ``size`` are 8 bytes each, the size and the
alignment must be what the new command line asks for; otherwise the region is allocated afresh, and its content is lost.

::

    / { compatible = "memblock-v1";
        NAME { compatible = "reserve-mem-v1"; start = <u64>; size = <u64>; };     native u64s
    };
"""

from devstate.schema import U64, About, Node, Reaction, Schema, prop

SCHEMAS = [
    Schema(
        compatible="memblock-v1",
        doc="reserve_mem regions, one node each",
        source="include/linux/kho/abi/memblock.h, mm/memblock.c",
        status="mainline",
        since="6.16",
        root=Node(
            "",
            compatible="memblock-v1",
            children=(
                Node(
                    "*",
                    prop("start", U64, About("first byte of the region", hint="pa")),
                    prop("size", U64, About("bytes of the region", unit="bytes", hint="bytes")),
                    compatible="reserve-mem-v1",
                    optional=True,
                    doc="a region, named on the command line",
                ),
            ),
        ),
        found_by="KHO subtree memblock",
        carrier="fdt",
        on_mismatch=Reaction.REGION_WRONG,
        owner="memblock",
        freed="never",
    )
]
