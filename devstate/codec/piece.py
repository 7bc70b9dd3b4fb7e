# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pieces: how the values of one type stand in the flat tuple that ``struct`` unpacks, and go back into it.

::

    codes   "48sQQ"                 what the bytes of this type are to the struct module
    slots   (b"memfd-v2...", 7, 1)  what comes out: ``width`` of them
    take    slots, position -> value
    put     value -> slots, range and length checked
"""

from __future__ import annotations

from devstate.errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from devstate.layout.model import ByteOrder, IntType

    Slots = tuple[Any, ...]

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Piece:
    """A type with a fixed size. ``take`` is a function so that the plainest pieces cost no Python call."""

    __slots__ = ("codes", "size", "take", "width")

    codes: str
    width: int
    size: int
    take: Callable[[Slots, int], Any]

    def put(self, value: Any, slots: list[Any]) -> None:
        """Append what ``struct`` packs for ``value``. EncodeError when it does not fit; its path is relative to this piece."""
        raise NotImplementedError


class Number(Piece):
    """An integer. One that is not in the order of the environment passes through ``struct`` as bytes."""

    __slots__ = ("high", "low", "order", "signed")

    def __init__(self, kind: IntType, order: ByteOrder) -> None:
        self.size = kind.size
        self.width = 1
        self.signed = kind.signed
        self.low = -(1 << kind.size * 8 - 1) if kind.signed else 0
        self.high = (1 << kind.size * 8 - kind.signed) - 1
        self.order: Literal["little", "big"] | None = None
        if kind.order not in ("native", order):
            self.order = "big" if kind.order == "big" else "little"
            self.codes = f"{kind.size}s"
            self.take = self.swapped
        else:
            self.codes = _CODES[kind.size].lower() if kind.signed else _CODES[kind.size]
            self.take = tuple.__getitem__

    def swapped(self, slots: Slots, at: int) -> int:
        return int.from_bytes(slots[at], self.order or "little", signed=self.signed)

    def put(self, value: Any, slots: list[Any]) -> None:
        number = whole(value, self.low, self.high)
        slots.append(number if self.order is None else number.to_bytes(self.size, self.order, signed=self.signed))


class Block(Piece):
    """Bytes: text, raw, reserved, gaps, unions."""

    __slots__ = ()

    def __init__(self, size: int) -> None:
        self.size = size
        self.width = 1
        self.codes = f"{size}s"
        self.take = tuple.__getitem__

    def put(self, value: Any, slots: list[Any]) -> None:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise EncodeError("not bytes", expected=f"{self.size} bytes", found=type(value).__name__)
        data = bytes(value)
        if len(data) != self.size:
            raise EncodeError("bytes of the wrong length", expected=f"{self.size} bytes", found=f"{len(data)} bytes")
        slots.append(data)


class Row(Piece):
    """An array of ``count`` equal pieces."""

    __slots__ = ("count", "element")

    def __init__(self, element: Piece, count: int) -> None:
        self.element = element
        self.count = count
        self.size = element.size * count
        self.width = element.width * count
        single = element.width == 1 and len(element.codes) == 1
        self.codes = f"{count}{element.codes}" if single else element.codes * count
        self.take = self.cut if element.take is tuple.__getitem__ else self.each

    def cut(self, slots: Slots, at: int) -> tuple[Any, ...]:
        return slots[at : at + self.count]

    def each(self, slots: Slots, at: int) -> tuple[Any, ...]:
        take, width = self.element.take, self.element.width
        return tuple([take(slots, at + index * width) for index in range(self.count)])

    def put(self, value: Any, slots: list[Any]) -> None:
        put_each(self.element, listed(value, self.count), slots)


def put_each(element: Piece, values: list[Any] | tuple[Any, ...], slots: list[Any]) -> None:
    """Put every value; an error says which one."""
    simple = isinstance(element, Number) and element.order is None and {*map(type, values)} == {int}
    if simple and element.low <= min(values) and max(values) <= element.high:  # type: ignore[attr-defined]  # a Number, as just asked
        # Judged as a whole: a page of addresses costs a tenth. What is wrong is found by the slow way, which names it.
        slots.extend(values)
        return
    for index, value in enumerate(values):
        try:
            element.put(value, slots)
        except EncodeError as error:
            raise inside(error, f"[{index}]") from None


def listed(value: Any, count: int | None) -> list[Any] | tuple[Any, ...]:
    """``value`` if it is a sequence of ``count`` (None: any number of) elements."""
    if not isinstance(value, list | tuple):
        raise EncodeError("not a list", expected="a list" if count is None else f"{count} elements", found=type(value).__name__)
    if count is not None and len(value) != count:
        raise EncodeError("wrong number of elements", expected=count, found=len(value))
    return value


def whole(value: Any, low: int, high: int) -> int:
    """``value`` as an int in ``low..high``; EncodeError otherwise. Booleans are no numbers here."""
    if type(value) is not int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise EncodeError("not an integer", expected=f"{low}..{high}", found=type(value).__name__)
        value = value.__index__()
    if not low <= value <= high:
        found = value if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"
        raise EncodeError("out of range", expected=f"{low}..{high}", found=found)
    number: int = value
    return number


def inside(error: EncodeError, part: str) -> EncodeError:
    """The same error, seen from one step further out: ``part`` is a field name or ``[index]``."""
    inner = error.path or ""
    error.path = part + inner if not inner or inner.startswith("[") else f"{part}.{inner}"
    return error
