# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An absent property means something else. Before."""

from devstate.schema import U32, U64, About, Node, Reaction, Schema, prop

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="KHO subtree demo", carrier="fdt",
        on_mismatch=Reaction.PANIC, owner="demo", freed="never",
        root=Node(
            "", prop("start", U64), prop("order", U32) * About("size of a chunk", optional=True, default=0), compatible="demo-v1"
        ),
    )
]  # fmt: skip
