# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The flat form of a record: its values one behind the other, without offsets, padding, bit-fields or byte orders.

::

    number   8 bytes, little-endian, two's complement     luo_file_ser("memfd-v2", 7, 1): char[48] | 7 u64 | 1 u64
    bytes    as they are

It is what two codecs of one layout exchange to prove that they mean the same by the same bytes: the generated C makes it from its
structs member by member (``devstate gen c-proof``), this module from a Record.
"""

from __future__ import annotations

from devstate.codec.record import Record
from devstate.errors import DecodeError
from devstate.layout.model import ArrayType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import Layout, StructLayout, TypeLayout

_MASK = (1 << 64) - 1


def flatten(record: Record) -> bytes:
    """The flat form of a record, gaps left out."""
    return b"".join(_flat(value) for field, value in zip(record._layout.fields, record, strict=True) if not field.gap)


def _flat(value: Any) -> bytes:
    if isinstance(value, int):
        return (value & _MASK).to_bytes(8, "little")
    if isinstance(value, Record):
        return flatten(value)
    return value if isinstance(value, bytes) else b"".join(map(_flat, value))


def unflatten(layout: Layout, struct: str, data: bytes, count: int = 0) -> dict[str, Any]:
    """The values behind a flat form, for ``encode``; ``count`` entries in the flexible array. DecodeError for another size of ``data``."""
    values, end = _fields(layout, layout.struct(struct), data, 0, count)
    if end != len(data):
        raise DecodeError("not a flat form of this struct", path=struct, expected=f"{end} bytes", found=f"{len(data)} bytes")
    return values


def _fields(layout: Layout, struct: StructLayout, data: bytes, at: int, count: int) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    for field in struct.fields:
        if not field.gap:
            values[field.name], at = _value(layout, field.type, data, at, count)
    return values, at


def _value(layout: Layout, kind: TypeLayout, data: bytes, at: int, count: int) -> tuple[Any, int]:
    if isinstance(kind, IntType):
        number = int.from_bytes(data[at : at + 8], "little", signed=kind.signed)
        return number, at + 8
    if isinstance(kind, StructType):
        return _fields(layout, layout.struct(kind.struct), data, at, count)
    if isinstance(kind, ArrayType):
        values = []
        for _ in range(count if kind.count is None else kind.count):
            value, at = _value(layout, kind.element, data, at, count)
            values.append(value)
        return values, at
    return data[at : at + kind.size], at + kind.size
