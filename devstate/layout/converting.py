# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""convert: the values of a record in the form of another version; what that loses is measured, and held against what was declared.

Values are what ``encode`` takes: ints, bytes, dicts by field name, lists. What cannot be carried is an EncodeError with the field's path:
nothing is ever cut. A link is carried when what it leads to has the same form in both versions; else only the record's handover can be
converted, with the memory behind the link.
"""

from __future__ import annotations

import operator

from devstate.errors import EncodeError, UsageError
from devstate.frozen import frozen
from devstate.layout.alike import is_alike
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from devstate.layout.converter import Moves, Step
    from devstate.layout.model import FieldLayout, Layout

    Values = Mapping[str, Any]

OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod, "&": operator.and_,
    "|": operator.or_, "^": operator.xor, ">>": operator.rshift, "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge, "<<": lambda value, by: value << min(by, SHIFT_MAX),
}  # fmt: skip

SHIFT_MAX = 128
"""Most that a value is shifted to the left: twice the widest field, so that a record cannot ask for gigabytes."""


@frozen
class Loss:
    """A value that the target has no place for. ``path`` finds it in the record, ``field`` is the name to declare it by."""

    path: str
    field: str
    value: object
    kept: object = None


def convert(step: Step, source: Layout, target: Layout, values: Values) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """The record in the target's form, and what that loses. EncodeError for what cannot be carried, and for a loss that the converter
    does not declare; UsageError for formats that are devicetrees.
    """
    made = moved(source, target, step.moves, values)
    for field in source.struct().fields:
        if field.must is not None and values.get(field.name, field.must) != field.must:
            message = f"{source.name} allows one value only"
            raise EncodeError(message, path=field.name, expected=field.must, found=values[field.name])
    if not step.down:
        return made, ()
    if step.back is None:
        return made, tuple(Loss(name, name, value) for name in step.loses for value in (values.get(name, 1),) if value)
    again = moved(target, source, step.back, made)
    lost = tuple(_differences(source, str(source.root), (values, again), "", step.loses))
    for each in lost:
        if each.field not in step.loses:
            message = f"the converter from {source.name} to {target.name} loses this, and does not say so"
            raise EncodeError(message, path=each.path, expected=each.value, found=each.kept)
    return made, lost


def moved(source: Layout, target: Layout, moves: Moves, values: Values) -> dict[str, Any]:
    """The record of ``target`` that ``moves`` make of ``values``. Errors as in :func:`convert`."""
    for layout in (source, target):
        if not isinstance(layout.root, str):
            raise UsageError(f"{layout.name} is a devicetree: convert the handover that holds it")
    return _Way(source, target, moves).struct(str(source.root), str(target.root), values, "")


class _Way:
    """One run of :func:`moved`."""

    def __init__(self, source: Layout, target: Layout, moves: Moves) -> None:
        self.source, self.target, self.moves = source, target, moves

    def struct(self, old: str, new: str, values: Values, path: str) -> dict[str, Any]:
        """A struct, root or inside."""
        fields = {field.name: field for field in self.source.struct(old).fields}
        made: dict[str, Any] = {}
        for field in self.target.struct(new).fields:
            if field.gap or (isinstance(field.type, BytesType) and field.type.reserved):
                continue  # encode() makes them
            at = f"{path}.{field.name}" if path else field.name
            made[field.name] = self.value(field, new, fields.get(field.name), values, at)
        return made

    def value(self, field: FieldLayout, new: str, old: FieldLayout | None, values: Values, path: str) -> Any:
        """The value of one field of the target."""
        is_root = new == self.target.root
        key = field.name if is_root else f"{new}.{field.name}"
        if key in self.moves:
            return self.fitting(field, evaluated(self.moves[key], values, path), path)
        if field.must is not None:
            return field.must
        if is_root and self.target.carrier == f"field:{field.name}" and isinstance(field.type, BytesType):
            return (self.target.compatible or "").encode().ljust(field.type.size, b"\0")
        if old is None or field.name not in values:
            raise EncodeError(f"{self.source.name} has no value for it", path=path, expected="a converter that gives one")
        return self.carried(old, field, values[field.name], path)

    def carried(self, old: FieldLayout, new: FieldLayout, value: Any, path: str) -> Any:
        """A value that both versions have by one name."""
        if not is_alike(self.source, old, self.target, new) and _is_set(value):
            message = f"what it leads to has another form in {self.target.name}"
            raise EncodeError(message, path=path, found=value, advice="convert the handover that it is in")
        one, other = old.type, new.type
        if isinstance(one, StructType) and isinstance(other, StructType):
            return self.struct(one.struct, other.struct, value, path)
        if isinstance(one, ArrayType) and isinstance(other, ArrayType):
            if isinstance(one.element, StructType) and isinstance(other.element, StructType):
                pair = one.element.struct, other.element.struct
                value = [self.struct(*pair, each, f"{path}[{at}]") for at, each in enumerate(value)]
            return self.fitting(new, value, path)
        if isinstance(one, UnionType) and one != other:
            raise EncodeError(f"a union of another form in {self.target.name}", path=path)
        if isinstance(one, IntType) and new.kind == "flags":
            strange = value & old.known_bits & ~new.known_bits
            if strange:
                names = [name for name, bit in old.names if strange >> bit & 1]
                raise EncodeError(f"{self.target.name} does not have these flags", path=path, found=", ".join(names))
        return self.fitting(new, value, path)

    def fitting(self, field: FieldLayout, value: Any, path: str) -> Any:
        """``value`` if the field of the target holds it; texts are made as long as the field. EncodeError otherwise."""
        kind = field.type
        if isinstance(kind, IntType):
            bits = field.width or kind.size * 8
            low = -(1 << bits - 1) if kind.signed else 0
            low, high = max(low, field.minimum or low), low + (1 << bits) - 1
            high = high if field.maximum is None else min(high, field.maximum)
            if not isinstance(value, int) or not low <= value <= high:
                raise EncodeError(f"the value does not fit into {self.target.name}", path=path, expected=f"{low}..{high}", found=value)
        elif isinstance(kind, BytesType):
            if not isinstance(value, bytes) or any(value[kind.size - kind.text :]):
                message = f"the bytes do not fit into {self.target.name}"
                raise EncodeError(message, path=path, expected=f"at most {kind.size - kind.text} bytes", found=value)
            return value[: kind.size].ljust(kind.size, b"\0")
        elif isinstance(kind, ArrayType) and kind.count is not None and len(value) != kind.count:
            raise EncodeError(f"the row does not fit into {self.target.name}", path=path, expected=kind.count, found=len(value))
        return value


def evaluated(value: Any, values: Values, path: str) -> Any:
    """What an expression in plain form (``devstate.schema.converter``) comes to for a record. EncodeError where it comes to nothing."""
    if isinstance(value, dict):
        return {name: evaluated(each, values, f"{path}.{name}") for name, each in value.items()}
    if not isinstance(value, list | tuple):
        return value
    kind, *rest = value
    if kind == "row":
        return [evaluated(each, values, f"{path}[{at}]") for at, each in enumerate(rest)]
    if kind == "this":
        found: Any = values
        for name in rest:
            found = found[name]
        return found
    if kind == "choose":
        given = evaluated(rest[0], values, path)
        for one, other in rest[1]:
            if one == given:
                return other
        raise EncodeError("the converter knows no such value", path=path, expected=", ".join(str(one) for one, _ in rest[1]), found=given)
    one, other = (evaluated(each, values, path) for each in rest)
    try:
        return int(OPERATIONS[kind](one, other))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise EncodeError(f"cannot be computed: {error}", path=path, found=f"{one!r} {kind} {other!r}") from error


def _is_set(value: Any) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)


def _differences(layout: Layout, struct: str, pair: tuple[Values, Values], path: str, declared: tuple[str, ...]) -> Iterator[Loss]:
    """The leaves in which two records of one form differ; what is declared as a whole is not looked into."""
    for field in layout.struct(struct).fields:
        was, now = (values.get(field.name) for values in pair)
        if was == now or field.gap:
            continue
        at = f"{path}.{field.name}" if path else field.name
        key = field.name if struct == layout.root else f"{struct}.{field.name}"
        kind = field.type
        if key not in declared and isinstance(kind, StructType) and was is not None and now is not None:
            yield from _differences(layout, kind.struct, (was, now), at, declared)
        elif key not in declared and isinstance(kind, ArrayType) and isinstance(kind.element, StructType) and was and now:
            for index, inner in enumerate(zip(was, now, strict=False)):
                yield from _differences(layout, kind.element.struct, inner, f"{at}[{index}]", declared)
        else:
            yield Loss(at, key, was, now)
