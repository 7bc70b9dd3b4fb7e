# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A tag gets another arm. Before."""

from devstate.schema import U32, U64, Reaction, Schema, Struct, Union, this

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "type" / U64, "state" / Union(this.type, amd=(1, U64), smmu=(2, U32)), packed=True),
    )
]  # fmt: skip
