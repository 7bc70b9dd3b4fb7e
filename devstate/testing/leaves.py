# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Leaves: every value of a record with its place, in the order of the bytes, to say what a byte or a bit belongs to.

::

    leaf            bytes   flat        memfd_luo_folio_ser, one entry of 16 bytes
    pfn             0..8    0..8        bits 0..52
    flags           0..8    8..16       bits 52..64
    index           8..16   16..24
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.layout.model import ArrayType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.layout.model import FieldLayout, Layout, TypeLayout


@frozen
class Leaf:
    """One value: ``size`` bytes at ``offset``, of which it has the bits ``low`` up to ``high``; ``flat`` bytes in the flat form.

    Bits count from the least significant bit of a number in its byte order.
    """

    path: str
    offset: int
    size: int
    flat: int
    low: int
    high: int
    big: bool

    def has(self, bit: int) -> bool:
        """Whether bit ``bit & 7`` of byte ``bit >> 3`` of the record is one of its bits."""
        byte = (bit >> 3) - self.offset
        if not 0 <= byte < self.size:
            return False
        return self.low <= 8 * (self.size - 1 - byte if self.big else byte) + (bit & 7) < self.high


def leaves(layout: Layout, shape: str, count: int, path: str = "", at: int = 0) -> Iterator[Leaf]:
    """The values of a record with ``count`` entries in its flexible array; padding has a leaf without a flat form."""
    for field in layout.struct(shape).fields:
        yield from _of(layout, field, field.type, count, f"{path}{field.name}", at + field.offset)


def _of(layout: Layout, field: FieldLayout, kind: TypeLayout, count: int, path: str, at: int) -> Iterator[Leaf]:
    if isinstance(kind, StructType):
        yield from leaves(layout, kind.struct, count, f"{path}.", at)
    elif isinstance(kind, ArrayType):
        for index in range(count if kind.count is None else kind.count):
            yield from _of(layout, field, kind.element, count, f"{path}[{index}]", at + index * kind.stride)
    else:
        number = isinstance(kind, IntType)
        order = kind.order if isinstance(kind, IntType) else "little"
        big = (layout.environment.byte_order if order == "native" else order) == "big"
        low = field.shift or 0
        high = low + field.width if field.width is not None else 8 * kind.size
        yield Leaf(path, at, kind.size, 0 if field.gap else 8 if number else kind.size, low, high, big)


def name_of_bit(layout: Layout, shape: str, count: int, bit: int) -> str:
    """The path of the value that a bit belongs to; the name of the struct where there is none."""
    return next((leaf.path for leaf in leaves(layout, shape, count) if leaf.has(bit)), shape)


def name_of_flat(layout: Layout, shape: str, count: int, at: int) -> str:
    """The path of the value at an offset of the flat form; the name of the struct behind its end."""
    for leaf in leaves(layout, shape, count):
        if at < leaf.flat:
            return leaf.path
        at -= leaf.flat
    return shape
