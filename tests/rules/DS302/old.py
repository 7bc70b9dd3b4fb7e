# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A version that was used comes back. Before."""

from devstate.schema import U64, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v3", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish", replaces="demo-v2",
        root=Struct("demo_ser", "start" / U64, packed=True),
    )
]  # fmt: skip
