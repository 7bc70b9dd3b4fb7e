# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tagged maps as JSON values and back, without losing a bit: values as in ``codec.text``, what is unknown as msgpack in hex.

::

    {"name": "eth0", "mtu": 9000, "vlans": [{"vlan": 7, "name": "v7", "unknown": {"99": {"msgpack": "a16b"}}}]}
"""

from __future__ import annotations

from devstate.codec.piece import inside, listed
from devstate.codec.tagged import KEY_MAX, Tagged
from devstate.codec.tagged_read import check_value
from devstate.codec.text import shown_value, value_shown
from devstate.errors import DecodeError, EncodeError
from devstate.layout.model import ArrayType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

UNKNOWN = "unknown"
"""The name under which fields stand that the reader does not know. A field of the format that has this name wins."""


def tagged_to_json(layout: Layout, record: Tagged) -> dict[str, Any]:
    """The record as dicts, lists, strings and ints. Fields that are absent are absent."""
    fields = {field.name: field for field in record.struct.fields}
    shown = {name: _shown(layout, fields[name], fields[name].type, value) for name, value in record.values.items()}
    if record.unknown:
        shown[UNKNOWN] = {str(tag): {"msgpack": value.hex()} for tag, value in sorted(record.unknown.items())}
    return shown


def tagged_from_json(layout: Layout, shown: Any) -> Tagged:
    """The record that :func:`tagged_to_json` shows. EncodeError, with the path, for anything that is misspelt or of another type."""
    root = layout.struct()
    try:
        return _record(layout, root, shown)
    except EncodeError as error:
        raise inside(error, root.name) from None


def _shown(layout: Layout, field: FieldLayout, kind: TypeLayout, value: Any) -> Any:
    if isinstance(kind, StructType):
        return tagged_to_json(layout, value)
    if isinstance(kind, ArrayType):
        return [_shown(layout, field, kind.element, each) for each in value]
    return shown_value(layout, field, kind, value)


def _record(layout: Layout, struct: StructLayout, shown: Any) -> Tagged:
    if not isinstance(shown, dict):
        raise EncodeError("not a record", expected=f"an object with the fields of {struct.name}", found=type(shown).__name__)
    fields = {field.name: field for field in struct.fields if not field.gap}
    values, unknown = {}, {}
    for name, each in shown.items():
        try:
            if name in fields:
                values[name] = _value(layout, fields[name], fields[name].type, each)
            elif name == UNKNOWN and isinstance(each, dict):
                unknown = {_tag(tag): _kept(value) for tag, value in each.items()}
            else:
                raise EncodeError("unknown field", expected=f"fields of {struct.name}", found=name)
        except EncodeError as error:
            raise inside(error, name) from None
    return Tagged(struct, values, unknown)


def _value(layout: Layout, field: FieldLayout, kind: TypeLayout, shown: Any) -> Any:
    if isinstance(kind, StructType):
        return _record(layout, layout.struct(kind.struct), shown)
    if isinstance(kind, ArrayType):
        return [_value(layout, field, kind.element, each) for each in listed(shown, kind.count)]
    return value_shown(layout, field, kind, shown)


def _tag(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= KEY_MAX:
        raise EncodeError("not the number of a field", expected=f"1..{KEY_MAX}", found=text[:40])
    return int(text)


def _kept(shown: Any) -> bytes:
    try:
        data = bytes.fromhex(shown["msgpack"])
        check_value(data)
    except (KeyError, TypeError, ValueError, DecodeError) as error:
        raise EncodeError("no value in msgpack", expected='{"msgpack": "hex digits"}', found=repr(shown)[:60]) from error
    return data
