# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A devicetree becomes a struct. After."""

from devstate.schema import U64, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="KHO subtree demo", carrier="string",
        on_mismatch=Reaction.PANIC, owner="demo", freed="never",
        root=Struct("demo_ser", "start" / U64, packed=True),
    )
]  # fmt: skip
