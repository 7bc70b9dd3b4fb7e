# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""It breaks on 16K pages only. After."""

from devstate.schema import Phys, Radix, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "tree" / Phys(Radix()), packed=True),
    )
]  # fmt: skip
