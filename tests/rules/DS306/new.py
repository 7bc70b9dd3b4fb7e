# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Older readers are turned away. After."""

from devstate.schema import U32, U64, Const, Reaction, Schema, Struct, Versions

SCHEMAS = [
    Schema(
        compatible="demo", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="field:version",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        version=("version", 4), versions=Versions("ordered", min_accepted=1, min_reader=4),
        root=Struct("demo_ser", "version" / Const(U32, 4), "start" / U64, packed=True),
    )
]  # fmt: skip
