# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The bytes of a tagged map, read once from front to end: its values, or the first thing that is wrong with them.

::

    82 | 01 c4 04 65 74 68 30 | 02 cd 05 dc      {1: "eth0", 2: 1500}
    ^    ^  ^                   ^  ^
    a map of two                   as short as the number goes
         tags, each greater than the one before

The verdict, rule and offset, is that of ``devstate_tagged_read.h``: the same steps in the same order.

    truncated   a value that the bytes end in, at its first byte        key      no tag, or a key that is a map or an array
    remainder   bytes behind the map                                    twice    a key that was there
    limit       too long (at 0), too deep (at the map or array)         missing  at the key that came instead, or the end
    type        another kind of value                                   count    elements of an array of fixed length
    form        a longer form of a head; keys out of order              size     bytes or text of another length
"""

from __future__ import annotations

from devstate.codec.validate import Fault
from devstate.errors import DecodeError
from devstate.layout.constraints import constraints, span
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

    Head = tuple[str, int, int]

TAGGED_MAX = 1 << 20
"""Bytes of one record: control-plane state is small, and what is large has a packed form."""

DEPTH_MAX = 32
"""Maps and arrays inside each other, those that the reader does not know included."""

KEY_MAX = (1 << 16) - 1
"""Greatest number of a field."""

_HEADS: dict[int, tuple[str, int, int]] = {
    0xC0: ("nil", 0, 0), 0xC2: ("bool", 0, 0), 0xC3: ("bool", 0, 0), 0xCA: ("float", 4, 0), 0xCB: ("float", 8, 0),
    0xCC: ("int", 1, 1 << 7), 0xCD: ("int", 2, 1 << 8), 0xCE: ("int", 4, 1 << 16), 0xCF: ("int", 8, 1 << 32),
    0xD0: ("negative", 1, 32), 0xD1: ("negative", 2, 1 << 7), 0xD2: ("negative", 4, 1 << 15), 0xD3: ("negative", 8, 1 << 31),
    0xD9: ("str", 1, 32), 0xDA: ("str", 2, 1 << 8), 0xDB: ("str", 4, 1 << 16), 0xC4: ("bin", 1, 0), 0xC5: ("bin", 2, 1 << 8),
    0xC6: ("bin", 4, 1 << 16), 0xDC: ("array", 2, 16), 0xDD: ("array", 4, 1 << 16), 0xDE: ("map", 2, 16), 0xDF: ("map", 4, 1 << 16),
    0xC7: ("ext", 1, 0), 0xC8: ("ext", 2, 1 << 8), 0xC9: ("ext", 4, 1 << 16),
}  # fmt: skip
"""By the first byte: the kind, the bytes of the number behind it, the least such number (of -1 - n for a negative one) that needs them."""

_FIXED_EXT = (1, 2, 4, 8, 16)
"""Sizes that an ext has heads of their own for: 0xd4 to 0xd8."""


class Refused(Exception):
    """The first thing that is wrong. Never leaves the codec."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.rule)
        self.fault = fault


class Reader:
    """One run over ``data``. ``judged`` asks for values that a reader may use, by the constraints of the layout, as well."""

    def __init__(self, layout: Layout | None, data: bytes, *, judged: bool = False) -> None:
        self.layout, self.data, self.judged = layout, data, judged
        self.at = 0
        self.path: list[str] = []

    def refuse(self, rule: str, at: int, expected: str = "", found: object = None) -> NoReturn:
        """Raise Refused for what stands at ``at``."""
        raise Refused(Fault(rule, at, ".".join(self.path), expected, found))

    def whole(self, shape: StructLayout) -> tuple[dict[str, Any], dict[int, bytes]]:
        """The record that fills the data."""
        self.path.append(shape.name)
        if len(self.data) > TAGGED_MAX:
            self.refuse("limit", 0, f"at most {TAGGED_MAX} bytes", f"{len(self.data)} bytes")
        found = self.struct(shape, 1)
        self.end()
        return found

    def end(self) -> None:
        """Refuse bytes that are left."""
        if self.at != len(self.data):
            self.refuse("remainder", self.at, "the end", f"{len(self.data) - self.at} bytes")

    def head(self) -> Head:
        """(kind, number or length, where it starts), and go behind it: behind the bytes of a text, in front of what a map or array has."""
        data, at = self.data, self.at
        if at >= len(data):
            self.refuse("truncated", at, "a value", "the end")
        first = data[at]
        if first < 0x80 or first >= 0xE0:
            self.at = at + 1
            return "int", first if first < 0x80 else first - 256, at
        if first < 0xC0:
            kind = "map" if first < 0x90 else "array" if first < 0xA0 else "str"
            return self.behind(kind, first & (31 if kind == "str" else 15), at, 1)
        if 0xD4 <= first <= 0xD8:
            return self.behind("ext", 1 + _FIXED_EXT[first - 0xD4], at, 1)
        if first not in _HEADS:
            self.refuse("type", at, "msgpack", f"{first:#x}")
        kind, size, least = _HEADS[first]
        if at + 1 + size > len(data):
            self.refuse("truncated", at, f"{1 + size} bytes", f"{len(data) - at} bytes")
        number = int.from_bytes(data[at + 1 : at + 1 + size], "big", signed=kind == "negative")
        if (-1 - number if kind == "negative" else number) < least or first == 0xCA or (kind == "ext" and number in _FIXED_EXT):
            self.refuse("form", at, "the shortest form", data[at : at + 1 + size].hex())
        if kind == "negative":
            kind = "int"
        return self.behind(kind, number + (kind == "ext"), at, 1 + size)

    def behind(self, kind: str, number: int, at: int, size: int) -> Head:
        """Go behind a head of ``size`` bytes."""
        end = at + size + (number if kind in ("str", "bin", "ext") else 0)
        if end > len(self.data):
            self.refuse("truncated", at, f"{end - at} bytes", f"{len(self.data) - at} bytes")
        self.at = end
        return kind, number, at

    def struct(self, shape: StructLayout, depth: int) -> tuple[dict[str, Any], dict[int, bytes]]:
        """A map: values by name, and what is not known."""
        kind, count, at = self.head()
        if kind != "map":
            self.refuse("type", at, f"the fields of {shape.name}", kind)
        self.deep(depth, at)
        fields = fields_of(shape)
        values: dict[str, Any] = {}
        unknown: dict[int, bytes] = {}
        last = index = 0
        for _ in range(count):
            tag, here = self.tag(last)
            index = self.present(fields, index, tag, here)
            last, start = tag, self.at
            if index < len(fields) and fields[index].tag == tag:
                field = fields[index]
                self.path.append(field.name)
                values[field.name] = self.value(shape, field, field.type, depth + 1)
                self.path.pop()
                index += 1
            else:
                self.skip(depth)
                unknown[tag] = self.data[start : self.at]
        self.present(fields, index, KEY_MAX + 1, self.at)
        return values, unknown

    def tag(self, last: int) -> tuple[int, int]:
        """The next key, and where it is."""
        kind, tag, at = self.head()
        if kind != "int" or not 1 <= tag <= KEY_MAX:
            self.refuse("key", at, f"the number of a field, 1..{KEY_MAX}", tag if kind == "int" else kind)
        if tag <= last:
            self.refuse("twice" if tag == last else "form", at, "keys in order, each once", tag)
        return tag, at

    def present(self, fields: list[FieldLayout], index: int, tag: int, at: int) -> int:
        """The first field from ``index`` on whose tag is not below ``tag``; those before it may be absent, or one is missing."""
        while index < len(fields) and (fields[index].tag or 0) < tag:
            if not fields[index].optional:
                self.path.append(fields[index].name)
                self.refuse("missing", at, f"tag {fields[index].tag}")
            index += 1
        return index

    def deep(self, depth: int, at: int) -> None:
        """Refuse a map or array that is the ``depth``-th inside each other."""
        if depth > DEPTH_MAX:
            self.refuse("limit", at, f"at most {DEPTH_MAX} maps and arrays inside each other")

    def value(self, shape: StructLayout, field: FieldLayout, kind: TypeLayout, depth: int) -> Any:
        """The value of a field, or an element of it; maps and arrays there are the ``depth``-th."""
        if isinstance(kind, StructType):
            assert self.layout is not None  # only values of no layout are skipped without one
            from devstate.codec.tagged import Tagged

            inner = self.layout.struct(kind.struct)
            return Tagged(inner, *self.struct(inner, depth))
        found, number, at = self.head()
        wanted = "array" if isinstance(kind, ArrayType) else "int" if isinstance(kind, IntType) else "bin"
        if found != wanted:
            self.refuse("type", at, wanted, found)
        if isinstance(kind, ArrayType):
            self.deep(depth, at)
            if kind.count is not None and number != kind.count:
                self.refuse("count", at, f"{kind.count} elements", number)
            return [self.value(shape, field, kind.element, depth + 1) for _ in range(number)]
        if isinstance(kind, IntType):
            low, high = span(field)
            if not low <= number <= high:
                self.refuse("range", at, f"{low}..{high}", number)
            self.judge(shape, field, number, at)
            return number
        data = self.data[self.at - number : self.at]
        self.sized(kind, data, at)
        padded = data.ljust(kind.size, b"\0")
        self.judge(shape, field, padded, at)
        return padded

    def sized(self, kind: TypeLayout, data: bytes, at: int) -> None:
        """Bytes of their size, or a text that leaves room for a NUL and has none."""
        size = kind.size if isinstance(kind, BytesType) else 0
        text = isinstance(kind, BytesType) and kind.text
        if len(data) >= size if text else len(data) != size:
            self.refuse("size", at, f"fewer than {size} bytes" if text else f"{size} bytes", f"{len(data)} bytes")
        if text and b"\0" in data:
            self.refuse("text", at, f"fewer than {size} bytes without NUL", data)

    def judge(self, shape: StructLayout, field: FieldLayout, value: int | bytes, at: int) -> None:
        """Whether a reader may use the value."""
        if not self.judged or self.layout is None:
            return
        for rule in constraints(self.layout, shape, field):
            if isinstance(value, int):
                if not rule.allows(value):
                    self.refuse(rule.rule, at, f"what {rule.rule} allows", value)
            elif rule.texts and not any(value.startswith(text) for text in rule.texts):
                self.refuse(rule.rule, at, " or ".join(text.rstrip(b"\0").decode() for text in rule.texts), value)

    def skip(self, depth: int) -> None:
        """Go behind a value that nobody knows; it is inside of ``depth`` maps and arrays. Keys in it are in the order of their bytes."""
        # One row a map or array: the keys and values that are still to come, whether it is a map, the key before.
        stack: list[tuple[int, bool, bytes]] = []
        while True:
            kind, number, at = self.head()
            if stack:
                left, is_map, last = stack.pop()
                if is_map and left % 2 == 0:
                    last = self.key(kind, at, last)
                stack.append((left - 1, is_map, last))
            if kind in ("map", "array"):
                self.deep(depth + len(stack) + 1, at)
                stack.append((2 * number if kind == "map" else number, kind == "map", b""))
            while stack and not stack[-1][0]:
                stack.pop()
            if not stack:
                return

    def key(self, kind: str, at: int, last: bytes) -> bytes:
        """The bytes of a key of a map that nobody knows."""
        if kind in ("map", "array"):
            self.refuse("key", at, "no map and no array", kind)
        key = self.data[at : self.at]
        if last and key <= last:
            self.refuse("twice" if key == last else "form", at, "keys in the order of their bytes, each once", key.hex())
        return key


def fields_of(shape: StructLayout) -> list[FieldLayout]:
    """The fields in the order of their tags."""
    return sorted((field for field in shape.fields if not field.gap), key=lambda field: field.tag or 0)


def check_value(data: bytes) -> None:
    """DecodeError unless the bytes are one value in its one form, as a field that nobody knows may have."""
    reader = Reader(None, data)
    try:
        reader.skip(1)
        reader.end()
    except Refused as refused:
        raise DecodeError(f"no value in its one form: {refused.fault.rule}", offset=refused.fault.offset) from None
