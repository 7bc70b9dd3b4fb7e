# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The values of a msgpack map as places where something can be wrong, each with its path: ``structs[0].fields[2].offset``, ``6[0].1``.

::

    83 | a4 name | a3 nvm | a4 size | cd 10 00 | ...       count of a map, key, text, key, number of two bytes

Read without a library, since these do not say where a value stands. Floats and extensions end it: neither layouts nor tagged maps have any.
"""

from __future__ import annotations

from devstate.handover.spots import Spot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

VALUES_MAX = 1 << 16
"""Values that are looked at."""

_NUMBERS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_MANY = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_BINARY = range(0xC4, 0xC7)
NIL, FALSE, TRUE = 0xC0, 0xC2, 0xC3


class _Open:
    """A map or array whose values are being read: ``left`` of them, keys counted. ``picked`` are the elements that are looked at, None for
    all of a map.
    """

    __slots__ = ("at", "is_map", "key", "left", "path", "picked")

    def __init__(self, path: str, left: int, picked: set[int] | None, *, is_map: bool) -> None:
        self.path, self.left, self.picked, self.is_map = path, left, picked, is_map
        self.at, self.key = 0, ""

    def shows(self) -> bool:
        """Whether the value that comes next is looked at."""
        return self.picked is None or self.at in self.picked

    def name(self) -> str:
        """The path of the value that comes next."""
        if self.is_map:
            return f"{self.path}.{self.key}" if self.at % 2 else f"{self.path}@key"
        return f"{self.path}[{self.at}]"


def map_spots(data: bytes, pa: int, path: str, pick: Callable[[int], Iterable[int]]) -> Iterator[Spot]:
    """The places of the values in ``data``, which stands at ``pa``. Of arrays the elements that are picked; nothing behind what is no
    msgpack.
    """
    at = 0
    opened: list[_Open] = []
    for _ in range(VALUES_MAX):
        while opened and not opened[-1].left:
            opened.pop()
        if at >= len(data) or (at and not opened):
            return
        parent = opened[-1] if opened else None
        name = path if parent is None else parent.name()
        shown = parent is None or parent.shows()
        byte = data[at]
        found, size, many = _value(data, at)
        if size is None or at + size > len(data):
            return
        if parent is not None:
            if parent.is_map and parent.at % 2 == 0:
                parent.key = _key(data, at, found)
                name = f"{parent.path}.{parent.key}@key"
            parent.left -= 1
        if shown and found is not None:
            first, length, what, width = found
            yield Spot(pa + at + first, length, name, what, "big", 0, width)
        if many is not None:
            is_map = byte >> 4 == 8 or byte in (0xDE, 0xDF)
            picked = None if is_map and shown else set(pick(many)) if shown else set()
            opened.append(_Open(name, 2 * many if is_map else many, picked, is_map=is_map))
        if parent is not None:
            parent.at += 1
        at += size


def _key(data: bytes, at: int, found: tuple[int, int, str, int | None] | None) -> str:
    if found is None:
        return "?"
    first, length, what, width = found
    raw = data[at + first : at + first + length]
    if what == "number":
        return str(int.from_bytes(raw, "big") & ((1 << (width or 8 * length)) - 1))
    return raw.decode("latin-1")[:40]


def _value(data: bytes, at: int) -> tuple[tuple[int, int, str, int | None] | None, int | None, int | None]:
    """((offset, bytes, class, bits) of what can be changed, bytes of the value or of its head, how many follow) of the value at ``at``."""
    byte = data[at]
    if byte < 0x80 or byte >= 0xE0:
        return (0, 1, "number", 7 if byte < 0x80 else 5), 1, None
    if byte < 0xA0:
        return (0, 1, "count", 4), 1, byte & 15
    if byte < 0xC0:
        length = byte & 31
        return ((1, length, "text", None) if length else None), 1 + length, None
    if byte in _NUMBERS:
        return (1, _NUMBERS[byte], "number", None), 1 + _NUMBERS[byte], None
    if byte in _LENGTHS:
        head = 1 + _LENGTHS[byte]
        length = int.from_bytes(data[at + 1 : at + head], "big")
        what = "raw" if byte in _BINARY else "text"
        return ((head, length, what, None) if length else None), head + length, None
    if byte in _MANY:
        size = _MANY[byte]
        return (1, size, "count", None), 1 + size, int.from_bytes(data[at + 1 : at + 1 + size], "big")
    if byte in (FALSE, TRUE):
        return (0, 1, "bit", 1), 1, None
    return None, 1 if byte == NIL else None, None
