# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A converter cannot carry every value. After."""

from devstate.schema import U32, U64, Converter, Reaction, Schema, Struct

_COMMON = {
    "doc": "a demo", "source": "demo.h", "status": "project", "found_by": "luo_file_ser.data", "carrier": "string",
    "on_mismatch": Reaction.OPEN_FAILS, "owner": "demo", "freed": "finish",
}  # fmt: skip

SCHEMAS = [
    Schema(compatible="demo-v1", root=Struct("demo_ser", "start" / U64, "count" / U64, packed=True), until="7.0", **_COMMON),
    Schema(compatible="demo-v2", replaces="demo-v1", root=Struct("demo_ser", "start" / U64, "count" / U32, packed=True), **_COMMON),
]

CONVERTERS = [Converter("demo-v1", "demo-v2")]
