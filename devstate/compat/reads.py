# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a reader finds in bytes that another layout wrote: the value, in words, and which of the writer's fields it is made of.

::

    writer   seals u32 @16 , flags u32 @20
    reader   nr_folios u64 @16                 seals | flags << 32
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstate.compat.cells import Cell
    from devstate.layout.model import FieldLayout

PARTS_MAX = 4
"""Fields that a text puts together before it counts the rest."""

HEX_MAX = 16
"""Bytes of a value that a text shows."""


@frozen
class _Behind:
    """There are no bytes."""


BEHIND = _Behind()
"""The value of a cell that reaches behind the last byte."""


def value_at(data: bytes, cell: Cell) -> object:
    """The value of a cell: an int, or bytes; BEHIND when it is not all there."""
    raw = data[cell.at : cell.at + cell.size]
    if len(raw) < cell.size:
        return BEHIND
    if cell.order is None:
        return raw
    number = int.from_bytes(raw, cell.order, signed=cell.signed and cell.width is None)
    if cell.width is None:
        return number
    number = number >> cell.shift & ((1 << cell.width) - 1)
    return number - (1 << cell.width) if cell.signed and number >> (cell.width - 1) else number


def value_text(cell: Cell, value: object) -> str:
    """A value as people read it: small numbers decimal, others hex, with the names of flags and values; bytes in hex or as text."""
    if isinstance(value, bytes):
        text = value.partition(b"\0")[0]
        if text and text.isascii() and text.decode().isprintable() and not any(value[len(text) :]):
            return f'"{text.decode()}"'
        return value[:HEX_MAX].hex() + ("..." if len(value) > HEX_MAX else "")
    if not isinstance(value, int):
        return "nothing"
    number = str(value) if -1000 < value < 10 else f"{value:#x}"
    name = meaning(cell, value)
    return f"{number} ({name})" if name else number


def meaning(cell: Cell, value: object) -> str:
    """What the names of a field make of a value; empty where it has none, or knows none."""
    field: FieldLayout = cell.field
    if not field.names or not isinstance(value, int):
        return ""
    if field.kind == "flags":
        return "|".join(name for name, bit in field.names if value >> bit & 1)
    return next((name for name, number in field.names if number == value), "")


def stands_for(cell: Cell, wrote: Sequence[Cell]) -> str:
    """What of the writer's fields (in the order of memory) stands in a cell, as an expression in C; ``unused bytes`` where nobody wrote."""
    low, high = cell.bits
    parts = []
    for each in wrote[max(bisect_right(wrote, low, key=lambda other: other.bits[0]) - 1, 0) :]:
        start, end = each.bits
        if start >= high:
            break
        if max(low, start) < min(high, end) and each.role != "gap":
            parts.append(_part(cell, each, (low, high), (start, end), (max(low, start), min(high, end))))
    if not parts:
        return "unused bytes"
    shown = (" | " if cell.order is not None else ", ").join(parts[:PARTS_MAX])
    return shown if len(parts) <= PARTS_MAX else f"{shown} and {len(parts) - PARTS_MAX} more"


def _part(cell: Cell, wrote: Cell, reader: tuple[int, int], writer: tuple[int, int], shared: tuple[int, int]) -> str:
    """One field of the writer, shifted and cut to what the reader sees of it."""
    orders = [each.order if each.size > 1 else None for each in (cell, wrote)]
    if cell.order is None or wrote.order is None or (None not in orders and orders[0] != orders[1]):
        whole = shared == writer
        return wrote.path if whole else f"bytes {(shared[0] - writer[0]) // 8}..{(shared[1] - writer[0] - 1) // 8} of {wrote.path}"
    if "big" in orders:
        right, left = writer[1] - shared[1], reader[1] - shared[1]
    else:
        right, left = shared[0] - writer[0], shared[0] - reader[0]
    width = shared[1] - shared[0]
    text = wrote.path
    if right:
        text = f"{text} >> {right}"
    if right + width < writer[1] - writer[0]:
        text = f"({text}) & {(1 << width) - 1:#x}" if right else f"{text} & {(1 << width) - 1:#x}"
    if left:
        text = f"({text}) << {left}" if text != wrote.path else f"{text} << {left}"
    return text
