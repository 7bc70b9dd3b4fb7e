# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The version takes more room. After."""

from devstate.schema import U64, Chars, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="field:compatible",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "compatible" / Chars(16), "start" / U64, packed=True),
    )
]  # fmt: skip
