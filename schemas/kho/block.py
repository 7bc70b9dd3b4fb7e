# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kho_block: a set of equal records in a chain of pages.

Contract (include/linux/kho/abi/block.h, 7.2): versioned by KHO's own string. A reader refuses a cycle, more than 10000 blocks,
and a count outside 1..capacity.

::

    page: | next u64 @0 | count u64 @8 | entry 0 @16 | entry 1 | ... |     capacity = (PAGE_SIZE - 16) / entry size
              |
              +--> next page, 0 ends
"""

from devstate.schema import U64, About, Opaque, Phys, Reaction, Schema, Struct

BLOCKS_MAX = 10000
"""KHO_MAX_BLOCKS."""

kho_block_header_ser = Struct(
    "kho_block_header_ser",
    "next" / Phys(Opaque()) * "next block, 0 ends the chain",
    "count" / U64 * About("entries in this block", minimum=1),
    packed=True,
)

SCHEMAS = [
    Schema(
        name="kho-block",
        doc="header of one page of a chained record set",
        source="include/linux/kho/abi/block.h at 0349ff288705",
        status="mainline",
        since="7.2",
        root=kho_block_header_ser,
        carrier="umbrella",
        on_mismatch=Reaction.PANIC,
        owner="the client of the set",
        freed="restore",
        limits={"blocks": BLOCKS_MAX},
    )
]
