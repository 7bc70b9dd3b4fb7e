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
data`` for all that decode accepts, fields that it does not know included: these are kept as the bytes that they are.
"""

from __future__ import annotations

from devstate.codec.piece import inside, listed, whole
from devstate.codec.tagged_read import DEPTH_MAX, KEY_MAX, TAGGED_MAX, Reader, Refused, check_value
from devstate.codec.validate import Fault
from devstate.errors import DecodeError, EncodeError, LimitError, TruncatedError, UsageError
from devstate.frozen import frozen
from devstate.layout.constraints import span
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

__all__ = ["DEPTH_MAX", "KEY_MAX", "TAGGED_MAX", "Tagged", "decode_tagged", "encode_tagged", "first_fault_tagged", "validate_tagged"]

_WORDS = {
    "truncated": "the bytes end inside of a value",
    "remainder": "bytes behind the record",
    "limit": "nested too deeply",
    "type": "not such a value",
    "form": "not in the one form of its values",
    "key": "not the number of a field",
    "twice": "a key stands twice",
    "missing": "this field is missing",
    "count": "not such an array",
    "size": "not such bytes",
    "text": "not such a text",
    "range": "not such a number",
}
"""What decode says of a rule that is about the bytes."""


@frozen
class Tagged:
    """``values`` by the names of fields that are there, ``unknown`` by number, as their bytes. Structs inside are Tagged again.

    Texts and bytes are of full length, as in a Record; ``tagged["mtu"]`` is a value, or the default of a field that may be absent.
    """

    struct: StructLayout
    values: Mapping[str, Any]
    unknown: Mapping[int, bytes]

    def __getitem__(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        return next(field.default for field in self.struct.fields if field.name == name)


def decode_tagged(layout: Layout, data: bytes, struct: str | None = None, *, source: str | None = None) -> Tagged:
    """The record that fills ``data``, of the root struct or the one that is named. DecodeError, with the path, for what is no such map, in
    another than its one form, or misses a field.

    Values that a reader may not use are kept, as ``decode`` keeps them. LimitError above TAGGED_MAX and DEPTH_MAX; UsageError for a layout
    that is not tagged.
    """
    return _read(layout, data, struct, source, judged=False)


def validate_tagged(layout: Layout, data: bytes, struct: str | None = None, *, source: str | None = None) -> Tagged:
    """The record that fills ``data``, when all of it may be used. Errors as in :func:`decode_tagged`, and for values that may not."""
    return _read(layout, data, struct, source, judged=True)


def first_fault_tagged(layout: Layout, data: bytes, struct: str | None = None) -> Fault | None:
    """What :func:`validate_tagged` would refuse, as data; None when it would not. UsageError for a layout that is not tagged."""
    try:
        Reader(layout, bytes(data), judged=True).whole(_root(layout, struct))
    except Refused as refused:
        return refused.fault
    return None


def _read(layout: Layout, data: bytes, struct: str | None, source: str | None, *, judged: bool) -> Tagged:
    root = _root(layout, struct)
    try:
        return Tagged(root, *Reader(layout, bytes(data), judged=judged).whole(root))
    except Refused as refused:
        raise _error(refused.fault, source) from None


def _error(fault: Fault, source: str | None) -> DecodeError:
    kind = {"limit": LimitError, "truncated": TruncatedError}.get(fault.rule, DecodeError)
    words = _WORDS.get(fault.rule, f"breaks the rule {fault.rule!r}")
    return kind(
        "too long" if fault.rule == "limit" and not fault.offset else words,
        source=source,
        offset=fault.offset,
        path=fault.path,
        expected=fault.expected or None,
        found=repr(fault.found)[:40] if isinstance(fault.found, bytes) else fault.found,
    )


def encode_tagged(layout: Layout, value: Tagged | Mapping[str, Any], struct: str | None = None) -> bytes:
    """The bytes of a record, or of a mapping from names to values. EncodeError, with the path, for what does not fit."""
    root = _root(layout, struct)
    try:
        data = b"".join(_map(layout, root, value))
    except EncodeError as error:
        raise inside(error, root.name) from None
    if len(data) > TAGGED_MAX:
        raise EncodeError("too long", path=root.name, expected=f"at most {TAGGED_MAX} bytes", found=f"{len(data)} bytes")
    try:
        Reader(layout, data).whole(root)
    except Refused as refused:  # too deep: the rest has one form as it is written
        raise EncodeError(f"cannot be read again: {refused.fault.rule}", path=refused.fault.path, expected=refused.fault.expected) from None
    return data


def encode_value(layout: Layout, field: FieldLayout, value: Any) -> bytes:
    """The bytes of the value of one field, without its tag. EncodeError as in :func:`encode_tagged`."""
    return b"".join(_pieces(layout, field, field.type, value))


def _root(layout: Layout, struct: str | None) -> StructLayout:
    if layout.encoding != "tagged":
        raise UsageError(f"{layout.name} is no tagged map: its encoding is {layout.encoding}")
    try:
        return layout.struct(struct)
    except KeyError:
        raise UsageError(f"{layout.name} has no struct {struct}") from None


def _map(layout: Layout, struct: StructLayout, value: Any) -> Iterable[bytes]:
    """The pieces of a record's bytes."""
    values, unknown = (value.values, value.unknown) if isinstance(value, Tagged) else (value, {})
    if not hasattr(values, "keys"):
        raise EncodeError("not a record", expected=f"the fields of {struct.name}", found=type(value).__name__)
    fields = {field.name: field for field in struct.fields if not field.gap}
    for name in values:
        if name not in fields:
            raise EncodeError("unknown field", expected=f"fields of {struct.name}", found=name)
    made = {tag: [_unknown(struct, fields.values(), tag, data)] for tag, data in unknown.items()}
    for name, field in fields.items():
        if name not in values:
            if not field.optional:
                raise EncodeError("this field is missing", path=name)
            continue
        try:
            made[field.tag or 0] = list(_pieces(layout, field, field.type, values[name]))
        except EncodeError as error:
            raise inside(error, name) from None
    yield _head(0x80, 15, 0xDE, len(made))
    for tag, pieces in sorted(made.items()):
        yield _number(tag)
        yield from pieces


def _unknown(struct: StructLayout, fields: Iterable[FieldLayout], tag: int, data: bytes) -> bytes:
    if type(tag) is not int or not 1 <= tag <= KEY_MAX or tag in {field.tag for field in fields}:
        raise EncodeError("not the number of a field that is unknown", expected=f"1..{KEY_MAX}, none of {struct.name}'s", found=repr(tag))
    try:
        check_value(data)
    except DecodeError as error:
        raise EncodeError(f"the unknown field {tag}: {error.message}") from error
    return data


def _pieces(layout: Layout, field: FieldLayout, kind: TypeLayout, value: Any) -> Iterable[bytes]:
    if isinstance(kind, StructType):
        yield from _map(layout, layout.struct(kind.struct), value)
    elif isinstance(kind, ArrayType):
        row = listed(value, kind.count)
        yield _head(0x90, 15, 0xDC, len(row))
        for each in row:
            yield from _pieces(layout, field, kind.element, each)
    elif isinstance(kind, IntType):
        yield _number(whole(value, *span(field)))
    else:
        data = _bytes(kind, value)
        yield _head(0, -1, 0xC5, len(data)) if len(data) > 0xFF else bytes([0xC4, len(data)])
        yield data


def _bytes(kind: TypeLayout, value: Any) -> bytes:
    """The bytes of a value as they are written: a text ends where its padding begins."""
    size = kind.size if isinstance(kind, BytesType) else 0
    if not isinstance(value, bytes) or len(value) != size:
        raise EncodeError("bytes of the wrong length", expected=f"{size} bytes", found=repr(value)[:40])
    if not isinstance(kind, BytesType) or not kind.text:
        return value
    text = value.rstrip(b"\0")
    if len(text) == len(value) or b"\0" in text:
        raise EncodeError("no text that ends with NUL", expected=f"fewer than {size} bytes, then NULs", found=repr(value)[:40])
    return text


def _head(fixed: int, most: int, wide: int, count: int) -> bytes:
    """The head of a map, an array or bytes: in one byte up to ``most``, else ``wide`` and two, or the byte after it and four."""
    if count <= most:
        return bytes([fixed | count])
    return bytes([wide]) + count.to_bytes(2, "big") if count <= 0xFFFF else bytes([wide + 1]) + count.to_bytes(4, "big")


def _number(value: int) -> bytes:
    """A number as short as it goes."""
    if -32 <= value < 0x80:
        return bytes([value & 0xFF])
    low = 0xCC if value > 0 else 0xD0
    for step, size in enumerate((1, 2, 4, 8)):
        if value < 1 << 8 * size if value > 0 else value >= -(1 << 8 * size - 1):
            return bytes([low + step]) + (value & (1 << 8 * size) - 1).to_bytes(size, "big")
    raise EncodeError("no number of eight bytes", found=value)  # no field is wider
