# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tagged maps: records of control-plane state as msgpack maps from the numbers of fields to values. What a reader does not know, it keeps.

::

    {1: "eth0", 2: 1500, 3: [{1: 7}]}      name (tag 1), mtu (tag 2), queues (tag 3), each a map of its own

    integers                int, in the range of the field's type
    Chars                   bin, up to the first NUL of its padding
    Raw, Reserved           bin of their size
    Array, FlexArray        array
    Struct                  map

One value has one form: maps are in the order of their keys, which are unique, and numbers as short as they go. So ``encode(decode(data)) ==
data`` for all that decode accepts, fields that it does not know included.
"""

from __future__ import annotations

from devstate.codec.piece import inside, listed, whole
from devstate.errors import DecodeError, EncodeError, LimitError, TruncatedError, UsageError
from devstate.frozen import frozen
from devstate.layout.constraints import span
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

TAGGED_MAX = 1 << 20
"""Bytes of one record: control-plane state is small, and what is large has a packed form."""

DEPTH_MAX = 32
"""Maps and arrays inside each other, those that the reader does not know included."""

KEY_MAX = (1 << 16) - 1
"""Greatest number of a field."""


@frozen
class Tagged:
    """``values`` by the names of fields that are there, ``unknown`` by number. Structs inside are Tagged again.

    Texts and bytes are of full length, as in a Record; ``tagged["mtu"]`` is a value, or the default of a field that may be absent.
    """

    struct: StructLayout
    values: Mapping[str, Any]
    unknown: Mapping[int, Any]

    def __getitem__(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        return next(field.default for field in self.struct.fields if field.name == name)


def decode_tagged(layout: Layout, data: bytes, *, source: str | None = None) -> Tagged:
    """The record that fills ``data``. DecodeError, with the path, for what is no such map, in another than its one form, or misses a field.

    LimitError above TAGGED_MAX and DEPTH_MAX; UsageError for a layout that is not tagged.
    """
    root = _root(layout)
    try:
        plain = _unpacked(data)
        record = _struct(layout, root, plain)
        if encode_tagged(layout, record) != bytes(data):
            raise DecodeError("not in the one form of its values", expected="keys in order, numbers as short as they go")
    except EncodeError as error:  # a value that msgpack has and that cannot be written again
        raise DecodeError(f"cannot be kept: {error.message}", source=source, path=error.path) from error
    except DecodeError as error:
        raise error.at(source=source, path=root.name) from None
    return record


def encode_tagged(layout: Layout, value: Tagged | Mapping[str, Any]) -> bytes:
    """The bytes of a record, or of a mapping from names to values. EncodeError, with the path, for what does not fit."""
    import msgpack

    root = _root(layout)
    try:
        data: bytes = msgpack.packb(_plain_struct(layout, root, value))
    except EncodeError as error:
        raise inside(error, root.name) from None
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise EncodeError(f"no msgpack: {error}", path=root.name) from error
    if len(data) > TAGGED_MAX:
        raise EncodeError("too long", path=root.name, expected=f"at most {TAGGED_MAX} bytes", found=f"{len(data)} bytes")
    return data


def _root(layout: Layout) -> StructLayout:
    if layout.encoding != "tagged":
        raise UsageError(f"{layout.name} is no tagged map: its encoding is {layout.encoding}")
    return layout.struct()


def _unpacked(data: bytes) -> Any:
    """The msgpack value that fills ``data``. Keys are unique, nesting is bounded."""
    import msgpack

    if len(data) > TAGGED_MAX:
        raise LimitError("too long", expected=f"at most {TAGGED_MAX} bytes", found=f"{len(data)} bytes")
    try:
        plain = msgpack.unpackb(data, object_pairs_hook=_once, strict_map_key=False)
    except msgpack.StackError as error:
        raise LimitError("nested too deeply", expected=f"at most {DEPTH_MAX}") from error
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        short = "incomplete" in str(error)
        raise (TruncatedError if short else DecodeError)(f"not msgpack: {error or type(error).__name__}") from error
    level = [plain]
    for _ in range(DEPTH_MAX):
        level = [inner for each in level if isinstance(each, dict | list) for inner in (each.values() if isinstance(each, dict) else each)]
    if any(isinstance(each, dict | list) for each in level):
        raise LimitError("nested too deeply", expected=f"at most {DEPTH_MAX}")
    return plain


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a map has one key twice")
    return made


def _struct(layout: Layout, struct: StructLayout, plain: Any) -> Tagged:
    if not isinstance(plain, dict):
        raise DecodeError("not a map", expected=f"the fields of {struct.name}", found=type(plain).__name__)
    for key in plain:
        if type(key) is not int or not 1 <= key <= KEY_MAX:
            raise DecodeError("not the number of a field", expected=f"1..{KEY_MAX}", found=repr(key)[:40])
    fields = {field.tag: field for field in struct.fields if not field.gap}
    values = {}
    for tag, field in fields.items():
        if tag in plain:
            try:
                values[field.name] = _value(layout, field, field.type, plain[tag])
            except DecodeError as error:
                raise error.at(path=field.name) from None
        elif not field.optional:
            raise DecodeError("this field is missing", path=field.name, expected=f"tag {tag}")
    return Tagged(struct, values, {key: value for key, value in plain.items() if key not in fields})


def _value(layout: Layout, field: FieldLayout, kind: TypeLayout, plain: Any) -> Any:
    if isinstance(kind, StructType):
        return _struct(layout, layout.struct(kind.struct), plain)
    if isinstance(kind, ArrayType):
        if not isinstance(plain, list) or (kind.count is not None and len(plain) != kind.count):
            expected = "an array" if kind.count is None else f"{kind.count} elements"
            raise DecodeError("not such an array", expected=expected, found=type(plain).__name__)
        return [_value(layout, field, kind.element, each) for each in plain]
    if isinstance(kind, IntType):
        low, high = span(field)
        if type(plain) is not int or not low <= plain <= high:
            raise DecodeError("not such a number", expected=f"{low}..{high}", found=repr(plain)[:40])
        return plain
    text = isinstance(kind, BytesType) and kind.text
    if type(plain) is not bytes or not (len(plain) < kind.size and b"\0" not in plain if text else len(plain) == kind.size):
        expected = f"fewer than {kind.size} bytes without NUL" if text else f"{kind.size} bytes"
        raise DecodeError("not such bytes", expected=expected, found=repr(plain)[:40])
    return plain.ljust(kind.size, b"\0")


def _plain_struct(layout: Layout, struct: StructLayout, value: Any) -> dict[int, Any]:
    values, unknown = (value.values, value.unknown) if isinstance(value, Tagged) else (value, {})
    if not hasattr(values, "keys"):
        raise EncodeError("not a record", expected=f"the fields of {struct.name}", found=type(value).__name__)
    fields = {field.name: field for field in struct.fields if not field.gap}
    for name in values:
        if name not in fields:
            raise EncodeError("unknown field", expected=f"fields of {struct.name}", found=name)
    plain = dict(unknown)
    for name, field in fields.items():
        if name not in values:
            if not field.optional:
                raise EncodeError("this field is missing", path=name)
            continue
        try:
            plain[field.tag or 0] = _plain(layout, field, field.type, values[name])
        except EncodeError as error:
            raise inside(error, name) from None
    return dict(sorted(plain.items()))


def _plain(layout: Layout, field: FieldLayout, kind: TypeLayout, value: Any) -> Any:
    if isinstance(kind, StructType):
        return _plain_struct(layout, layout.struct(kind.struct), value)
    if isinstance(kind, ArrayType):
        return [_plain(layout, field, kind.element, each) for each in listed(value, kind.count)]
    if isinstance(kind, IntType):
        return whole(value, *span(field))
    if not isinstance(value, bytes) or len(value) != kind.size:
        raise EncodeError("bytes of the wrong length", expected=f"{kind.size} bytes", found=repr(value)[:40])
    if not isinstance(kind, BytesType) or not kind.text:
        return value
    text = value.rstrip(b"\0")
    if len(text) == len(value) or b"\0" in text:
        raise EncodeError("no text that ends with NUL", expected=f"fewer than {kind.size} bytes, then NULs", found=repr(value)[:40])
    return text
