# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Records as JSON values and back, without losing a bit: ``from_json(layout, to_json(layout, record)) == record`` for any record.

The form is documented in docs/json.md: addresses are "0x..." strings, flags are lists of names, text is text where it is well formed
and ``{"hex": "..."}`` where it is not, gaps and reserved bytes stand there only when they are not zero.
"""

from __future__ import annotations

from devstate.codec.decode import arm, decode
from devstate.codec.encode import encode
from devstate.codec.piece import inside, listed
from devstate.codec.plan import format_of, piece_of, plan_of
from devstate.errors import EncodeError
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from devstate.codec.record import Record
    from devstate.layout.model import FieldLayout, Layout, TypeLayout


def to_json(layout: Layout, record: Record) -> dict[str, Any]:
    """The record as dicts, lists, strings and ints."""
    shown: dict[str, Any] = {}
    for field, value in zip(record._layout.fields, record, strict=True):
        kind = field.type
        if isinstance(kind, BytesType) and (field.gap or kind.reserved) and not any(value):
            continue
        shown[field.name] = _arm_shown(layout, record, field) if isinstance(kind, UnionType) else _shown(layout, field, kind, value)
    return shown


def from_json(layout: Layout, shown: Mapping[str, Any], struct: str | None = None) -> Record:
    """The record that :func:`to_json` shows: the root struct of ``layout``, or the one called ``struct``.

    EncodeError, with the field path, for anything that is missing, unknown, misspelt or out of range.
    """
    plan = plan_of(layout, struct)
    try:
        values = _values(layout, plan.struct.name, shown)
    except EncodeError as error:
        raise inside(error, plan.struct.name) from None
    return decode(layout, encode(layout, values, struct), struct)


def shown_value(layout: Layout, field: FieldLayout, kind: TypeLayout, value: Any) -> Any:
    """The JSON form of one value of a field."""
    return _shown(layout, field, kind, value)


def value_shown(layout: Layout, field: FieldLayout, kind: TypeLayout, shown: Any) -> Any:
    """The value behind a JSON form, for encode. EncodeError for what is none."""
    return _value(layout, field, kind, shown)


def _shown(layout: Layout, field: FieldLayout | None, kind: TypeLayout, value: Any) -> Any:
    if isinstance(kind, IntType):
        return value if field is None else _number_shown(field, value)
    if isinstance(kind, StructType):
        return to_json(layout, value)
    if isinstance(kind, ArrayType):
        return [_shown(layout, field, kind.element, each) for each in value]
    text = _text(value) if isinstance(kind, BytesType) and kind.text else None
    return {"hex": value.hex()} if text is None else text


def _number_shown(field: FieldLayout, value: int) -> Any:
    if field.kind == "flags" and value >= 0:
        names = [name for name, bit in field.names if value >> bit & 1]
        unknown = value & ~field.known_bits
        return [*names, hex(unknown)] if unknown else names
    if field.kind == "enum":
        return next((name for name, number in field.names if number == value), value)
    if field.hint in ("pa", "hex"):
        return hex(value)
    if field.hint == "bdf" and 0 <= value <= 0xFFFF:
        return f"{value >> 8:02x}:{value >> 3 & 31:02x}.{value & 7}"
    return value


def _text(data: bytes) -> str | None:
    """The printable text in a NUL-terminated, NUL-padded array; None when it is anything else."""
    text = data.rstrip(b"\0")
    if len(text) == len(data):
        return None
    try:
        shown = text.decode()
    except UnicodeDecodeError:
        return None
    return shown if shown.isprintable() else None  # a NUL before the end is not printable either


def _arm_shown(layout: Layout, record: Record, field: FieldLayout) -> dict[str, Any]:
    """The live arm where it is known and holds all that the union's bytes say; the bytes otherwise."""
    raw: bytes = getattr(record, field.name)
    live = arm(layout, record, field.name)
    if live is not None and isinstance(field.type, UnionType):
        kind = next(each.type for each in field.type.arms if each.name == live[0])
        if _bytes(layout, kind, live[1]).ljust(len(raw), b"\0") == raw:
            return {"arm": live[0], "value": _shown(layout, None, kind, live[1])}
    return {"hex": raw.hex()}


def _bytes(layout: Layout, kind: TypeLayout, value: Any) -> bytes:
    piece = piece_of(layout, kind)
    slots: list[Any] = []
    piece.put(value, slots)
    return format_of(layout, piece).pack(*slots)


def _values(layout: Layout, struct: str, shown: Any) -> dict[str, Any]:
    """What encode takes for a struct. Missing and unknown fields are left to encode."""
    if not isinstance(shown, dict):
        raise EncodeError("not a record", expected=f"an object with the fields of {struct}", found=type(shown).__name__)
    fields = {field.name: field for field in layout.struct(struct).fields}
    values: dict[str, Any] = {}
    for name, each in shown.items():
        field = fields.get(name)
        try:
            values[name] = each if field is None else _value(layout, field, field.type, each)
        except EncodeError as error:
            raise inside(error, name) from None
    return values


def _value(layout: Layout, field: FieldLayout | None, kind: TypeLayout, shown: Any) -> Any:
    if isinstance(kind, IntType):
        return _number(field, shown)
    if isinstance(kind, StructType):
        return _values(layout, kind.struct, shown)
    if isinstance(kind, ArrayType):
        return _each(layout, field, kind, shown)
    if isinstance(shown, dict) and shown.keys() == {"hex"}:
        return _from_hex(shown["hex"])
    if isinstance(kind, UnionType) and isinstance(shown, dict) and shown.keys() == {"arm", "value"}:
        return _arm_bytes(layout, kind, shown)
    if isinstance(kind, BytesType) and kind.text and isinstance(shown, str):
        return _from_text(shown, kind.size)
    expected = "an object with arm and value, or with hex" if isinstance(kind, UnionType) else "text, or an object with hex"
    raise EncodeError("not the JSON form of this field", expected=expected, found=type(shown).__name__)


def _each(layout: Layout, field: FieldLayout | None, kind: ArrayType, shown: Any) -> list[Any]:
    values = []
    for index, each in enumerate(listed(shown, kind.count)):
        try:
            values.append(_value(layout, field, kind.element, each))
        except EncodeError as error:
            raise inside(error, f"[{index}]") from None
    return values


def _number(field: FieldLayout | None, shown: Any) -> Any:
    """The int behind a number, a "0x..." string, a name, a list of names; encode judges its range and refuses other types."""
    names = dict(field.names) if field is not None else {}
    if field is not None and field.kind == "flags" and isinstance(shown, list):
        value = 0
        for each in shown:
            value |= 1 << names[each] if isinstance(each, str) and each in names else _parsed(each, names)
        return value
    if field is not None and field.kind == "enum" and isinstance(shown, str) and shown in names:
        return names[shown]
    if field is not None and field.hint == "bdf" and isinstance(shown, str) and ":" in shown:
        return _from_bdf(shown)
    return _parsed(shown, names) if isinstance(shown, str) else shown


def _parsed(shown: Any, names: Mapping[str, int]) -> int:
    try:
        return int(shown, 0)
    except (ValueError, TypeError):
        expected = f'"0x...", or one of {", ".join(names)}' if names else 'a number or "0x..."'
        raise EncodeError("no such value", expected=expected, found=_brief(shown)) from None


def _brief(shown: Any) -> str:
    return shown[:80] if isinstance(shown, str) else type(shown).__name__


def _from_bdf(shown: str) -> int:
    try:
        bus, _, rest = shown.partition(":")
        device, _, function = rest.partition(".")
        parts = int(bus, 16), int(device, 16), int(function, 16)
    except ValueError:
        parts = (-1, -1, -1)
    if not (0 <= parts[0] <= 0xFF and 0 <= parts[1] <= 31 and 0 <= parts[2] <= 7):
        raise EncodeError("no PCI address", expected="bus:device.function, such as 3a:1f.7", found=_brief(shown))
    return parts[0] << 8 | parts[1] << 3 | parts[2]


def _from_hex(shown: Any) -> bytes:
    try:
        return bytes.fromhex(shown)
    except (ValueError, TypeError):
        raise EncodeError("not hexadecimal", expected="pairs of hex digits", found=_brief(shown)) from None


def _from_text(shown: str, size: int) -> bytes:
    try:
        data = shown.encode()
    except UnicodeEncodeError:
        raise EncodeError("text with a lone surrogate", expected="text, or {hex} for any bytes") from None
    if len(data) >= size or b"\0" in data:
        raise EncodeError("the text does not fit", expected=f"at most {size - 1} bytes without NUL", found=f"{len(data)} bytes")
    return data.ljust(size, b"\0")


def _arm_bytes(layout: Layout, kind: UnionType, shown: dict[str, Any]) -> bytes:
    live = next((each for each in kind.arms if each.name == shown["arm"]), None)
    if live is None:
        raise EncodeError("no such arm", expected=", ".join(each.name for each in kind.arms), found=_brief(shown["arm"]))
    try:
        return _bytes(layout, live.type, _value(layout, None, live.type, shown["value"])).ljust(kind.size, b"\0")
    except EncodeError as error:
        raise inside(error, live.name) from None
