# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The oracle: what really happens, found by doing it. It writes bytes as the one side does, reads them as the other does, and compares
the values of each identity. It knows nothing of devstate: models and integers only.

Every bit of every identity has a number of its own; writing number k stores bit k of each number there, so that over all writings no two
bits, and no bit and nothing, look alike. Then fields with names take their names in turn. What nobody uses is zero.
A reader gets, for each identity that it knows,

- OK        the value that was written for it; a zero, when the new kernel reads a field that the old one did not have
- SHORT     something behind the last byte
- MISREAD   any other value; a value whose name is another one there; an arm that is not the one that was written
- REFUSED   a value or an arm that it does not know
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.compat.models import F, Model, Spot, lay_out, size_of, spots

OK, REFUSED, SHORT, MISREAD = range(4)


def outcome(writer: Model, reader: Model, order: str, *, newer: bool, copies: int = 1) -> int:
    """The worst that happens to ``reader``, the new kernel when ``newer``. ``copies`` above 1: an array of these structs."""
    if writer.flexible is not None or reader.flexible is not None:
        return _flexible(writer, reader, order, newer)
    worst = OK
    for choice, name in _choices(writer, copies):
        data, wrote = write(writer, order, copies, choice, name)
        worst = max(worst, read(reader, data, wrote, order, newer, copies))
    return worst


def _flexible(writer: Model, reader: Model, order: str, newer: bool) -> int:
    """A head, and more rows behind it than any step can skip."""

    def whole(model: Model) -> Model:
        rows = () if model.flexible is None else (model.flexible.but(kind="rows", count=24),)
        return Model((*model.fields, *rows), True)

    return outcome(whole(writer), whole(reader), order, newer=newer)


def _choices(model: Model, copies: int) -> list[tuple[int, int | None]]:
    """(writing, name) for writings that tell all bits apart, and for those that show every name; every arm is in both."""
    size = lay_out(model.fields, model.packed)[1] * copies
    each = [spot.field for spot in spots(model.fields, model.packed)]
    arms = max([len(field.fields) for field in each if field.kind == "union"], default=1)
    names = max([len(field.names) for field in each], default=0)
    marks = max((size * 8 + 1).bit_length(), 1)
    return [(mark * arms + arm, None) for mark in range(marks) for arm in range(arms)] + [(name, name) for name in range(names)]


class Marks:
    """Hands out bits of the numbers 1, 2, 3 ... in turn."""

    def __init__(self, choice: int) -> None:
        self.choice = choice
        self.next = 1

    def bits(self, width: int) -> int:
        """A value of ``width`` bits, each from a number of its own."""
        first, self.next = self.next, self.next + width
        return sum(((first + place) >> self.choice & 1) << place for place in range(width))

    def value(self, field: F) -> Any:
        """A value for a field."""
        if field.kind == "bytes":
            return bytes(self.bits(8) for _ in range(field.count))
        if field.kind == "bits":
            return self.bits(field.width)
        numbers = [_signed(self.bits(field.size * 8), field) for _ in range(field.count if field.kind == "array" else 1)]
        return numbers if field.kind == "array" else numbers[0]


def _signed(number: int, field: F) -> int:
    return number - (1 << field.size * 8) if field.signed and number >> (field.size * 8 - 1) else number


def write(model: Model, order: str, copies: int, choice: int, name: int | None) -> tuple[bytes, dict[tuple[int, ...], Any]]:
    """The bytes of some copies, and what was written for each identity, by its path with the number of the copy before it."""
    size = lay_out(model.fields, model.packed)[1]
    data = bytearray(size * copies)
    arms = max([len(field.fields) for field in model.fields if field.kind == "union"], default=1)
    marks = Marks(choice // arms)
    wrote: dict[tuple[int, ...], Any] = {}
    for copy in range(copies):
        for spot in spots(model.fields, model.packed, copy * size, (1000 + copy,)):
            field = spot.field
            if field.kind == "reserved":
                continue
            if field.kind == "union":
                arm = choice % len(field.fields)
                value: Any = marks.value(field.fields[arm])
                wrote[spot.path] = (field.fields[arm].ident, value, field.tags[arm] if field.tags else None)
                put(data, Spot(spot.path, spot.at, field.fields[arm]), value, order)
                continue
            value, meaning = marks.value(field), None
            tagged = _tagged_by(model, field)
            if tagged is not None:
                value = tagged.tags[choice % len(tagged.tags)]
            elif field.names and name is not None:
                meaning, number = field.names[name % len(field.names)]
                value = 1 << number if field.flags else number
            wrote[spot.path] = (value, meaning, _width(field))
            put(data, spot, value, order)
    return bytes(data), wrote


def _tagged_by(model: Model, field: F) -> F | None:
    """The union that this field is the tag of."""
    return next((each for each in model.fields if each.kind == "union" and each.tag == field.ident), None)


def put(data: bytearray, spot: Spot, value: Any, order: str) -> None:
    """Write one value."""
    field = spot.field
    if field.kind == "bytes":
        data[spot.at : spot.at + field.count] = value
        return
    if field.kind == "bits":
        shift = spot.shift if order == "little" else field.size * 8 - spot.shift - field.width
        unit = int.from_bytes(data[spot.at : spot.at + field.size], order) | value << shift  # type: ignore[arg-type]
        data[spot.at : spot.at + field.size] = unit.to_bytes(field.size, order)  # type: ignore[arg-type]
        return
    own: Any = order if field.order == "native" else field.order
    for index, number in enumerate(value if field.kind == "array" else [value]):
        data[spot.at + index * field.size : spot.at + (index + 1) * field.size] = number.to_bytes(field.size, own, signed=field.signed)


def get(data: bytes, spot: Spot, order: str) -> Any:
    """Read one value; bytes that are not there are zeros."""
    field, size = spot.field, size_of(spot.field)
    raw = data[spot.at : spot.at + size].ljust(size, b"\0")
    if field.kind == "bytes":
        return raw
    if field.kind == "bits":
        shift = spot.shift if order == "little" else field.size * 8 - spot.shift - field.width
        return int.from_bytes(raw, order) >> shift & ((1 << field.width) - 1)  # type: ignore[arg-type]
    own: Any = order if field.order == "native" else field.order
    count = field.count if field.kind == "array" else 1
    numbers = [int.from_bytes(raw[index * field.size : (index + 1) * field.size], own, signed=field.signed) for index in range(count)]
    return numbers if field.kind == "array" else numbers[0]


def read(model: Model, data: bytes, wrote: dict[tuple[int, ...], Any], order: str, newer: bool, copies: int) -> int:
    """The worst that happens to a reader of ``data``."""
    size = lay_out(model.fields, model.packed)[1]
    worst = SHORT if size * copies > len(data) else OK
    if any(len(_rows(model, path)) < rows for path, rows in _written_rows(wrote).items() if _rows(model, path)):
        worst = MISREAD  # the rest of the rows is lost
    for copy in range(copies):
        for spot in spots(model.fields, model.packed, copy * size, (1000 + copy,)):
            if spot.field.kind == "reserved":
                continue
            if spot.field.kind == "union":
                worst = max(worst, _read_union(spot, data, wrote, order))
            else:
                worst = max(worst, _read_leaf(spot, data, wrote, order, newer))
    return worst


def _written_rows(wrote: dict[tuple[int, ...], Any]) -> dict[int, int]:
    """How many rows were written, by the identity of the array."""
    rows: dict[int, int] = {}
    for path in wrote:
        for ident, index in pairwise(path):
            if index < 0:
                rows[ident] = max(rows.get(ident, 0), -index)
    return rows


def _rows(model: Model, ident: int) -> range:
    """The rows that a reader knows; empty when it does not know the array."""
    return next((range(field.count) for field in model.fields if field.ident == ident and field.kind == "rows"), range(0))


def _width(field: F) -> tuple[str, int]:
    return (field.kind, field.width if field.kind == "bits" else field.size)


def _bytes_under(spot: Spot, data: bytes, order: str) -> tuple[bytes, bool]:
    """The bytes that are there (only a bit-field's own bits of them), and whether some are not."""
    size = size_of(spot.field)
    raw = data[spot.at : spot.at + size]
    if spot.field.kind == "bits" and len(raw) == size:
        shift = spot.shift if order == "little" else size * 8 - spot.shift - spot.field.width
        mask = ((1 << spot.field.width) - 1) << shift
        raw = (int.from_bytes(raw, order) & mask).to_bytes(size, order)  # type: ignore[arg-type]
    return raw, len(raw) < size


def _read_leaf(spot: Spot, data: bytes, wrote: dict[tuple[int, ...], Any], order: str, newer: bool) -> int:
    raw, short = _bytes_under(spot, data, order)
    if spot.path not in wrote:
        if any(raw) or (raw and not newer):
            return MISREAD
        return SHORT if short else OK
    value, meaning, width = wrote[spot.path]
    got = get(data, spot, order)
    if isinstance(value, list | bytes) and isinstance(got, list | bytes) and len(got) > len(value) and got[: len(value)] == value:
        rest = got[len(value) :]  # what was added to the end of an array is a new field
        size = size_of(spot.field)
        there = data[spot.at + size * len(value) // len(got) : spot.at + size]
        if any(rest) or (there and not newer):
            return MISREAD
        return SHORT if short else OK
    if short:
        return MISREAD if raw else SHORT
    if got != value or width != _width(spot.field):  # of another width: right by chance, in one byte order, while what is around is zero
        return MISREAD
    return _meaning(spot.field, got, meaning)


def _meaning(field: F, got: int, meaning: str | None) -> int:
    """What a number is called by the reader."""
    if meaning is None or not field.names:
        return OK
    names = {(1 << number if field.flags else number): name for name, number in field.names}
    if got not in names:  # a name that has another number there is taken for known
        return MISREAD if meaning in names.values() else REFUSED
    return OK if names[got] == meaning else MISREAD


def _read_union(spot: Spot, data: bytes, wrote: dict[tuple[int, ...], Any], order: str) -> int:
    """The arm that the tag names, as the reader has it; without a tag a reader takes an arm that it does not know for another."""
    if spot.path not in wrote:
        return MISREAD
    ident, value, tag = wrote[spot.path]
    field = spot.field
    if field.tags and tag is not None:
        if tag not in field.tags:
            return REFUSED
        arm = field.fields[field.tags.index(tag)]
        if arm.ident != ident:
            return MISREAD
    else:
        known = [each for each in field.fields if each.ident == ident]
        if not known:
            return MISREAD
        arm = known[0]
    here = Spot(spot.path, spot.at, arm)
    raw, short = _bytes_under(here, data, order)
    if short:
        return MISREAD if raw else SHORT
    return OK if get(data, here, order) == value else MISREAD
