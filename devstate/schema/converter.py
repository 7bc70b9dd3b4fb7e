# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Converters: what becomes of the values of one published version in the next, and on the way back what is lost.

::

    CONVERTERS = [
        Converter("memfd-v1", "memfd-v2", up={"seals": 0, "flags": 0}, loses=("seals",)),
        Converter(
            "clock-v1", "clock-v2",                                     names of schemas, variants included
            up={"ns": this.ms * 1000000, "mode": Choose(this.mode, {1: 2, 2: 1})},
            down={"ms": this.ns // 1000000, "mode": Choose(this.mode, {1: 2, 2: 1})},
            loses=("ns",),                                              what is below a millisecond
        ),
    ]

A field that both versions have by one name is carried; its type may be wider or narrower, and what then does not fit is refused, never cut.
``up`` gives the other fields of the new version, ``down`` those of the old one, each as a number, a text, or arithmetic over the record
(``this.field``). Versions, strings and bytes that must be zero come by themselves. ``struct.field`` names a field of a struct inside.
Closed like the rest of the language: no functions, so that a converter can be printed, compared and kept beside the layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from construct.expr import BinExpr, ExprMixin, Path

from devstate.errors import SchemaError

OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "lshift": "<<", "rshift": ">>", "and_": "&", "or_": "|", "xor": "^",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
"""What expressions may do with two numbers, by the name of Python's function. ``//`` rounds down; a comparison is 0 or 1."""


class Choose:
    """``Choose(this.mode, {1: 2, 2: 1})``: a number for a number. One that is not listed cannot be carried."""

    def __init__(self, value: object, numbers: Mapping[int, int]) -> None:
        if not isinstance(numbers, Mapping) or not all(isinstance(each, int) for pair in numbers.items() for each in pair):
            raise SchemaError("a choice is a number for a number")
        self.value = value
        self.numbers = dict(numbers)


class Converter:
    """From the schema called ``old`` to the one called ``new``, which replaces it, and back.

    ``loses`` are the fields of the new version whose values the way down does not keep; a record in which they have the value that ``up``
    gives loses nothing. For formats that are devicetrees or areas (LUO, KHO's root) they are what a handover has: ``flbs``. ``one_way``
    is ``up`` or ``down`` where the other way cannot be made of a record alone.
    """

    def __init__(
        self,
        old: str,
        new: str,
        *,
        up: Mapping[str, object] | None = None,
        down: Mapping[str, object] | None = None,
        loses: tuple[str, ...] = (),
        one_way: str = "",
    ) -> None:
        path = f"{old} to {new}"
        if one_way not in ("", "up", "down"):
            raise SchemaError(f"one_way is up or down, not {one_way!r}", path=path)
        if isinstance(loses, str):
            raise SchemaError("loses is a tuple of names", path=path)
        self.old = old
        self.new = new
        self.up = None if one_way == "down" else _plain_moves(up or {}, f"{path}: up")
        self.down = None if one_way == "up" else _plain_moves(down or {}, f"{path}: down")
        self.loses = tuple(loses)


def _plain_moves(moves: Mapping[str, object], path: str) -> dict[str, Any]:
    if not isinstance(moves, Mapping):
        raise SchemaError("a mapping from fields to values", path=path)
    return {name: plain_expression(value, f"{path}.{name}") for name, value in moves.items()}


def plain_expression(value: object, path: str) -> Any:
    """An expression as plain data; SchemaError, with the path, for a lambda and for whatever else is not in the language.

    A number is itself, a text is bytes, a struct a dict; ``["this", "a", "b"]`` is this.a.b, ``["+", one, other]`` arithmetic,
    ``["choose", value, [[from, to], ...]]`` a choice, ``["row", value, ...]`` an array.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Mapping):
        return {str(name): plain_expression(each, f"{path}.{name}") for name, each in value.items()}
    if isinstance(value, list | tuple):
        return ["row", *(plain_expression(each, f"{path}[{at}]") for at, each in enumerate(value))]
    if isinstance(value, Choose):
        return ["choose", plain_expression(value.value, path), [[one, other] for one, other in value.numbers.items()]]
    if isinstance(value, BinExpr) and value.op.__name__ in OPERATORS:
        return [OPERATORS[value.op.__name__], plain_expression(value.lhs, path), plain_expression(value.rhs, path)]
    if isinstance(value, Path):
        return ["this", *_names(value, path)]
    what = "a lambda" if callable(value) and not isinstance(value, ExprMixin) else repr(value)
    raise SchemaError(f"a value is a number, a text or arithmetic over this.FIELD, not {what}", path=path)


def _names(value: Path, path: str) -> list[str]:
    names: list[str] = []
    parts = vars(value)
    while parts.get("_Path__parent") is not None:
        names.append(str(parts["_Path__field"]))
        parts = vars(parts["_Path__parent"])
    if parts.get("_Path__name") != "this" or not names:
        raise SchemaError(f"a value is taken from the record, as this.FIELD, not from {value!r}", path=path)
    return names[::-1]
