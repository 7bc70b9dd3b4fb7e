# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A length gets another unit. Before."""

from devstate.schema import U64, About, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "start" / U64, "len" / U64 * About("length of the area", unit="bytes"), packed=True),
    )
]  # fmt: skip
