# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reader takes less. After."""

from devstate.schema import U64, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish", limits={"FILES_MAX": 1024},
        root=Struct("demo_ser", "count" / U64, packed=True),
    )
]  # fmt: skip
