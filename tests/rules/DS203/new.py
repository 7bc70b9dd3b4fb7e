# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two bits change places. After."""

from devstate.schema import U64, Flags, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "flags" / Flags(U64, DIRTY=1, UPTODATE=0), packed=True),
    )
]  # fmt: skip
