# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A devicetree becomes a struct. Before."""

from devstate.schema import U64, Node, Reaction, Schema, prop

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="KHO subtree demo", carrier="fdt",
        on_mismatch=Reaction.PANIC, owner="demo", freed="never",
        root=Node("", prop("start", U64), compatible="demo-v1"),
    )
]  # fmt: skip
