# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Version 1 is no longer read. Before."""

from devstate.schema import U32, U64, Const, Reaction, Schema, Struct, Versions

SCHEMAS = [
    Schema(
        compatible="demo", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="field:version",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        version=("version", 2), versions=Versions("ordered", min_accepted=1),
        root=Struct("demo_ser", "version" / Const(U32, 2), "start" / U64, packed=True),
    )
]  # fmt: skip
