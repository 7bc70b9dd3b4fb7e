# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The new kernel has no decoder for the old version. Before."""

from devstate.schema import U64, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "start" / U64, packed=True),
    )
]  # fmt: skip
