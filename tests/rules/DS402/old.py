# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A link leads to another thing. Before."""

from devstate.schema import U64, Contiguous, Phys, Reaction, Schema, Struct, this

_entry = Struct("demo_entry_ser", "token" / U64, packed=True)

SCHEMAS = [
    Schema(
        compatible="demo-v1", doc="a demo", source="demo.h", status="project", found_by="luo_file_ser.data", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("demo_ser", "count" / U64, "files" / Phys(Contiguous(_entry, this.count, 4096)), packed=True),
    )
]  # fmt: skip
