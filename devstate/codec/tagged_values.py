# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tagged maps as the plain values that converters take: dicts by name, with what is not known under UNKNOWN, and back."""

from __future__ import annotations

from devstate.codec.tagged import Tagged, encode_value
from devstate.codec.tagged_read import Reader, Refused
from devstate.errors import EncodeError
from devstate.layout.converting import UNKNOWN, Wire
from devstate.layout.model import ArrayType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout


def tagged_values(record: Tagged) -> dict[str, Any]:
    """The values of a record."""
    values = {name: _plain(each) for name, each in record.values.items()}
    return values | {UNKNOWN: dict(record.unknown)} if record.unknown else values


def _plain(value: Any) -> Any:
    return tagged_values(value) if isinstance(value, Tagged) else [_plain(each) for each in value] if isinstance(value, list) else value


def tagged_record(layout: Layout, struct: StructLayout, values: dict[str, Any]) -> Tagged:
    """The record that has these values. EncodeError for a name that is no field's."""
    kinds = {field.name: field.type for field in struct.fields}
    for name in values:
        if name != UNKNOWN and name not in kinds:
            raise EncodeError("unknown field", path=struct.name, expected=f"fields of {struct.name}", found=name)
    made = {name: _record(layout, kinds[name], each) for name, each in values.items() if name != UNKNOWN}
    return Tagged(struct, made, dict(values.get(UNKNOWN, {})))


def _record(layout: Layout, kind: TypeLayout, value: Any) -> Any:
    if isinstance(kind, StructType) and isinstance(value, dict):
        return tagged_record(layout, layout.struct(kind.struct), value)
    if isinstance(kind, ArrayType) and isinstance(value, list):
        return [_record(layout, kind.element, each) for each in value]
    return value


def _take(layout: Layout, field: FieldLayout, data: bytes) -> Any:
    """The value in bytes that stood in a record as a field that was not known."""
    reader = Reader(layout, data)
    try:
        value = reader.value(layout.struct(), field, field.type, 2)
        reader.end()
    except Refused as refused:
        fault = refused.fault
        message = f"a field that {layout.name} knows has another value there: {fault.rule}"
        raise EncodeError(message, path=field.name, expected=fault.expected, found=fault.found) from None
    return _plain(value)


def _give(layout: Layout, field: FieldLayout, value: Any) -> bytes:
    return encode_value(layout, field, _record(layout, field.type, value))


WIRE = Wire(_take, _give)
"""For ``devstate.layout.converting.convert``."""
