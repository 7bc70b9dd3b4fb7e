# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A property has another name, and no version says so. Before."""

from devstate.schema import U64, Node, Reaction, Schema, prop

SCHEMAS = [
    Schema(
        name="demo", doc="a demo", source="demo.h", status="project", found_by="/chosen", owner="demo", freed="never",
        on_mismatch=Reaction.IGNORED,
        root=Node("chosen", prop("linux,demo-scratch", U64)),
    )
]  # fmt: skip
