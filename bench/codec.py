# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Arrays of records to objects and back, and judged: devstate against struct, numpy, construct, msgspec and dissect.cstruct.

50,000 ``luo_file_ser`` (char[48], u64, u64). Each peer is written as its users would write it, in the fastest of its usual forms. msgspec
has an encoding of its own (msgpack), so its bytes are others, with the same values. Then: building the handover of the capture
many-7.3, where that is there, to reading it; and the generated C over 32 MiB of records, to memcpy of them.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from collections import deque
from pathlib import Path

import construct
import msgspec
import numpy as np
from dissect.cstruct import cstruct

from bench.row import Row, at_least, at_most
from bench.timing import interleave
from devstate.codec.decode import decode_array
from devstate.codec.encode import encode_array
from devstate.codec.validate import validate_array
from devstate.gen.files import folder, generate_all
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
CAPTURE = ROOT.parent / "shared" / "captures" / "many-7.3.core.zst"
COUNT = 50_000
STRUCT = "luo_file_ser"


class FileRecord(msgspec.Struct, array_like=True):
    """The record as msgspec knows it."""

    compatible: bytes
    data: int
    token: int


def run() -> list[Row]:
    """Ratios, all from interleaved runs."""
    return [*_records(), *_handover(), *_native()]


def _records() -> list[Row]:
    layout = Registry.shipped().layout("luo-v5", Environment())
    data = b"".join(b"memfd-v2".ljust(48, b"\0") + os.urandom(16) for _ in range(COUNT))
    one = struct.Struct("<48sQQ")
    dtype = np.dtype([("compatible", "V48"), ("data", "<u8"), ("token", "<u8")])
    plain = construct.Struct("compatible" / construct.Bytes(48), "data" / construct.Int64ul, "token" / construct.Int64ul)
    many, compiled = construct.Array(COUNT, plain), construct.Array(COUNT, plain).compile()
    dissected = cstruct().load(f"struct {STRUCT} {{ char compatible[48]; uint64 data; uint64 token; }};").luo_file_ser[COUNT]
    records = decode_array(layout, STRUCT, data, COUNT)
    dicts = [{"compatible": c, "data": d, "token": t} for c, d, t in one.iter_unpack(data)]
    typed = [FileRecord(*record) for record in records]
    packed = msgspec.msgpack.encode(typed)
    reader = msgspec.msgpack.Decoder(list[FileRecord])
    shaped, parsed = many.parse(data), dissected(data)
    assert encode_array(layout, STRUCT, records) == encode_array(layout, STRUCT, dicts) == many.build(shaped) == parsed.dumps() == data
    seconds = interleave(
        {
            "iter_unpack": lambda: deque(one.iter_unpack(data), maxlen=0),
            "to dicts": lambda: [{"compatible": c, "data": d, "token": t} for c, d, t in one.iter_unpack(data)],
            "numpy tolist": lambda: np.frombuffer(data, dtype).tolist(),
            "construct": lambda: many.parse(data),
            "construct compiled": lambda: compiled.parse(data),
            "dissect.cstruct": lambda: dissected(data),
            "msgspec": lambda: reader.decode(packed),
            "validate": lambda: validate_array(layout, STRUCT, data),
            "objects": lambda: decode_array(layout, STRUCT, data, COUNT),
            "pack": lambda: b"".join([one.pack(r["compatible"], r["data"], r["token"]) for r in dicts]),
            "construct build": lambda: many.build(shaped),
            "construct compiled build": lambda: compiled.build(shaped),
            "dissect.cstruct dumps": lambda: parsed.dumps(),
            "msgspec encode": lambda: msgspec.msgpack.encode(typed),
            "encode records": lambda: encode_array(layout, STRUCT, records),
            "encode dicts": lambda: encode_array(layout, STRUCT, dicts),
        },
        rounds=7,
    )
    each = {name: 1e9 / COUNT * value for name, value in seconds.items()}
    rows = [
        at_most("array validated, to struct.iter_unpack", each["validate"] / each["iter_unpack"], "x", must=0.3),
        at_most("array to objects, to a struct-to-dict loop", each["objects"] / each["to dicts"], "x", must=1.2),
        at_least("array to objects, construct compiled to it", each["construct compiled"] / each["objects"], "x", must=6),
        at_most("records to bytes, to a dict-to-struct loop", each["encode records"] / each["pack"], "x"),
        at_least("records to bytes, construct compiled to it", each["construct compiled build"] / each["encode records"], "x", must=6),
    ]
    return rows + [at_most(f"{name}, a record", value, "ns") for name, value in each.items()]


def _handover() -> list[Row]:
    if not CAPTURE.exists():
        return []
    from devstate.handover.build import build
    from devstate.handover.open import open_handover
    from devstate.handover.rebuild import SPARE, spec_of
    from devstate.memory.arena import Arena
    from devstate.memory.open import open_input
    from devstate.memory.physmem import ADDRESS_END

    source = open_input(str(CAPTURE))
    handover = open_handover(source)
    spec = spec_of(handover)
    seconds = interleave(
        {"read": lambda: open_handover(source), "build": lambda: build(spec, Arena(ADDRESS_END - 2 * SPARE, SPARE), handover.registry)},
        rounds=5,
    )
    name = f"building {len(handover.luo.sessions if handover.luo else ())} sessions, {len(handover.files)} files, to reading them"
    return [at_most(name, seconds["build"] / seconds["read"], "x", must=10), at_most("reading them", seconds["read"] * 1e3, "ms")]


def _native() -> list[Row]:
    """The generated C, compiled as a distribution compiles (-O2), and with the vectors that a kernel build does not use (-O3)."""
    rows = []
    for level, must in (("-O2", 0.5), ("-O3", None)):
        for line in native(level).splitlines():
            name, copied, checked = line.split()
            rows.append(at_least(f"generated C at {level} judges {name}, to memcpy", float(copied) / float(checked), "x", must=must))
    return rows


def native(level: str) -> str:
    """What codec_native.c prints."""
    with tempfile.TemporaryDirectory() as where:
        sources = []
        for name in ("luo-v5", "memfd-v2"):
            for file, text in generate_all([Registry.shipped().layout(name, Environment(size)) for size in PAGE_SIZES]).items():
                Path(where, file).write_text(text)
                sources += [file] if file.endswith(("_codec.c", "_proof.c")) else []
        command = ["gcc", "-std=c11", level, f"-I{folder()}", *sources, str(ROOT / "bench" / "codec_native.c"), "-o", "native"]
        subprocess.run(command, cwd=where, check=True)
        return subprocess.run([Path(where, "native")], check=True, capture_output=True, text=True).stdout
