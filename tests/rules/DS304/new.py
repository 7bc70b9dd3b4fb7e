# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A format goes, and nothing follows it. After."""

from devstate.schema import U64, Reaction, Schema, Struct

SCHEMAS = [
    Schema(
        compatible="other-v1", doc="a demo", source="demo.h", status="project", found_by="KHO subtree other", carrier="string",
        on_mismatch=Reaction.OPEN_FAILS, owner="demo", freed="finish",
        root=Struct("other_ser", "start" / U64, packed=True),
    )
]  # fmt: skip
