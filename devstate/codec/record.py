# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Record: the values of one struct, immutable, with attribute access by the names that the kernel uses.

A record is a tuple in the order of the layout's fields, gaps (``_pad<offset>``) included, so that it encodes to exactly the bytes that
it came from. Integers, flags, enums, bit-fields and links are ints, with every unknown bit kept; character arrays, reserved bytes
and unions are bytes of full length; arrays are tuples; embedded structs are records.
"""

from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.layout.model import StructLayout


class Record(tuple):  # type: ignore[type-arg]  # the fields are of many types
    """Base of all records. ``layout`` is the StructLayout; a field of the same name as any attribute here wins.

    Records are equal when their values are: compare records of one struct only.
    """

    __slots__ = ()
    _layout: StructLayout
    _names: tuple[str, ...]

    if TYPE_CHECKING:
        layout: StructLayout
        count: Any  # a field of the record, never tuple's method
        index: Any

        def __getattr__(self, name: str) -> Any: ...

    def fields(self) -> Iterator[tuple[str, Any]]:
        """What :func:`fields` gives."""
        return fields(self)

    def __repr__(self) -> str:
        return f"{self._layout.name}({', '.join(f'{name}={value!r}' for name, value in fields(self))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self._layout, tuple(self))


def fields(record: Record) -> Iterator[tuple[str, Any]]:
    """Each field's name with its value, in the order of the bytes; for a record whose fields may be called ``fields``."""
    return zip(record._names, record, strict=True)


_CLASSES: dict[int, type[Record]] = {}
_CLASSES_MAX = 4096
"""Classes kept: ten times what all shipped formats need, so that a program that makes layouts without end does not grow."""


def record_class(struct: StructLayout) -> type[Record]:
    """The Record class of ``struct``: made once for each layout object."""
    made = _CLASSES.get(id(struct))
    if made is None:
        if len(_CLASSES) >= _CLASSES_MAX:
            _CLASSES.clear()
        names = tuple([field.name for field in struct.fields])
        space: dict[str, Any] = {"layout": struct}
        space |= {name: property(itemgetter(position)) for position, name in enumerate(names)}
        space |= {"__slots__": (), "__doc__": struct.doc, "_layout": struct, "_names": names}
        made = _CLASSES[id(struct)] = type(struct.name, (Record,), space)
    return made


def _remade(struct: StructLayout, values: tuple[Any, ...]) -> Record:
    return record_class(struct)(values)
