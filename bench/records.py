# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""50,000 ``luo_file_ser`` as columns and as Python objects, against construct (plain and compiled) and dissect.cstruct.

The peers are written as their users would write them, each in the faster of its usual forms: construct parses one Array, dissect.cstruct
one array type. All of them give an object a record with the same three values.
"""

from __future__ import annotations

import os

import construct
from dissect.cstruct import cstruct

from bench.row import Row, at_least, at_most
from bench.timing import interleave
from devstate.codec.columns import columns
from devstate.codec.decode import decode, decode_array
from devstate.codec.encode import encode_array
from devstate.layout.model import Environment
from devstate.layout.registry import Registry

COUNT = 50_000
STRUCT = "luo_file_ser"


def run() -> list[Row]:
    """Times to the peers, and nanoseconds a record of our own."""
    layout = Registry.shipped().layout("luo-v5", Environment())
    data = b"".join(b"memfd-v2".ljust(48, b"\0") + os.urandom(16) for _ in range(COUNT))
    plain = construct.Struct("compatible" / construct.Bytes(48), "data" / construct.Int64ul, "token" / construct.Int64ul)
    many, compiled = construct.Array(COUNT, plain), construct.Array(COUNT, plain).compile()
    dissected = cstruct().load(f"struct {STRUCT} {{ char compatible[48]; uint64 data; uint64 token; }};").luo_file_ser[COUNT]
    records = decode_array(layout, STRUCT, data, COUNT)

    def as_columns() -> object:
        found = columns(layout, STRUCT, data)
        return found["compatible"], found["data"], found["token"]

    assert many.parse(data)[-1].token == compiled.parse(data)[-1].token == dissected(data)[-1].token == records[-1].token
    seconds = interleave(
        {
            "columns": as_columns,
            "objects": lambda: decode_array(layout, STRUCT, data, COUNT),
            "singly": lambda: [decode(layout, data, STRUCT, offset=at) for at in range(0, len(data), 64)],
            "encode": lambda: encode_array(layout, STRUCT, records),
            "construct": lambda: many.parse(data),
            "compiled": lambda: compiled.parse(data),
            "dissect": lambda: dissected(data),
        },
        rounds=9,
    )
    ours, each = seconds["objects"], 1e9 / COUNT
    return [
        at_least("records as columns, to construct", seconds["construct"] / seconds["columns"], "x", must=1000),
        at_least("records as objects, to construct", seconds["construct"] / ours, "x"),
        at_least("records as objects, to construct compiled", seconds["compiled"] / ours, "x", must=6),
        at_least("records as objects, to dissect.cstruct", seconds["dissect"] / ours, "x", must=10),
        at_most("records as objects", ours * each, "ns a record"),
        at_most("records decoded one by one", seconds["singly"] * each, "ns a record"),
        at_most("records encoded", seconds["encode"] * each, "ns a record"),
        at_most("records as columns, all of them", seconds["columns"] * 1e6, "us"),
    ]
