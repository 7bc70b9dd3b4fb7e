# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""convert: the values of a record in the form of another version; what that loses is measured, and held against what was declared.

Values are what ``encode`` takes: ints, bytes, dicts by field name, lists. What cannot be carried is an EncodeError with the field's path:
nothing is ever cut. A link is carried when what it leads to has the same form in both versions; else only the record's handover can be
converted, with the memory behind the link.

In tagged maps a field is the same by its tag. What may be absent stays absent, and a field that the other version does not know stays in
the record as such, under UNKNOWN: the way back finds it there. Only what a converter makes something of, or loses, does not stay.
"""

from __future__ import annotations

import operator

from devstate.errors import EncodeError, UsageError
from devstate.frozen import frozen
from devstate.layout.alike import is_alike
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from devstate.layout.converter import Moves, Step
    from devstate.layout.model import FieldLayout, Layout, TypeLayout

    Values = Mapping[str, Any]

OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod, "&": operator.and_,
    "|": operator.or_, "^": operator.xor, ">>": operator.rshift, "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge, "<<": lambda value, by: value << min(by, SHIFT_MAX),
}  # fmt: skip

UNKNOWN = ""
"""The name under which the values of a tagged map have the fields that are not known: a dict from tags to bytes."""

ABSENT = object()
"""The value of a field that stays absent."""

SHIFT_MAX = 128
"""Most that a value is shifted to the left: twice the widest field, so that a record cannot ask for gigabytes."""


@frozen
class Loss:
    """A value that the target has no place for. ``path`` finds it in the record, ``field`` is the name to declare it by."""

    path: str
    field: str
    value: object
    kept: object = None


@frozen
class Wire:
    """How values of a tagged map go over to bytes and back: ``take(layout, field, data)`` and ``give(layout, field, value)``."""

    take: Callable[[Layout, FieldLayout, bytes], Any]
    give: Callable[[Layout, FieldLayout, Any], bytes]


def convert(
    step: Step, source: Layout, target: Layout, values: Values, wire: Wire | None = None
) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """The record in the target's form, and what that loses. EncodeError for what cannot be carried, and for a loss that the converter
    does not declare; UsageError for formats that are devicetrees. Without ``wire`` no field is kept that the other version does not know.
    """
    made = moved(source, target, step.moves, values, wire, step.loses)
    for field in source.struct().fields:
        if field.must is not None and values.get(field.name, field.must) != field.must:
            message = f"{source.name} allows one value only"
            raise EncodeError(message, path=field.name, expected=field.must, found=values[field.name])
    if not step.down:
        return made, ()
    if step.back is None:
        return made, tuple(Loss(name, name, value) for name in step.loses for value in (values.get(name, 1),) if value)
    again = moved(target, source, step.back, made, wire)
    lost = tuple(_differences(source, str(source.root), (values, again), "", step.loses))
    for each in lost:
        if each.field not in step.loses:
            message = f"the converter from {source.name} to {target.name} loses this, and does not say so"
            raise EncodeError(message, path=each.path, expected=each.value, found=each.kept)
    return made, lost


def moved(
    source: Layout, target: Layout, moves: Moves, values: Values, wire: Wire | None = None, loses: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The record of ``target`` that ``moves`` make of ``values``. Errors as in :func:`convert`."""
    for layout in (source, target):
        if not isinstance(layout.root, str):
            raise UsageError(f"{layout.name} is a devicetree: convert the handover that holds it")
    return _Way(source, target, moves, wire, loses).struct(str(source.root), str(target.root), values, "")


def partner(fields: Iterable[FieldLayout], field: FieldLayout) -> FieldLayout | None:
    """The field of the other version that is the same one: by its tag in tagged maps, else by its name."""
    known = [each for each in fields if not each.gap]
    by_tag = (each for each in known if field.tag is not None and each.tag == field.tag)
    return next(by_tag, None) or next((each for each in known if each.name == field.name), None)


def key_of(layout: Layout, struct: str, field: FieldLayout) -> str:
    """The name that a converter has for a field."""
    return field.name if struct == layout.root else f"{struct}.{field.name}"


def used(value: Any) -> Iterator[list[str]]:
    """The fields that an expression takes."""
    pending = [value]
    for each in pending:
        if isinstance(each, dict):
            pending += each.values()
        elif isinstance(each, list | tuple) and each and each[0] == "this":
            yield list(each[1:])
        elif isinstance(each, list | tuple):
            pending += each[1:2] if each[0] == "choose" else each[1:]


class _Way:
    """One run of :func:`moved`."""

    def __init__(self, source: Layout, target: Layout, moves: Moves, wire: Wire | None, loses: tuple[str, ...]) -> None:
        self.source, self.target, self.moves, self.wire, self.loses = source, target, moves, wire, loses
        self.is_tagged = source.encoding == target.encoding == "tagged"

    def struct(self, old: str, new: str, values: Values, path: str) -> dict[str, Any]:
        """A struct, root or inside."""
        fields = self.source.struct(old).fields
        unknown = dict(values.get(UNKNOWN, {}))
        made: dict[str, Any] = {}
        for field in self.target.struct(new).fields:
            if field.gap or (isinstance(field.type, BytesType) and field.type.reserved and self.target.encoding == "packed"):
                continue  # encode() makes them
            at = f"{path}.{field.name}" if path else field.name
            if self.wire is not None and self.is_tagged and field.tag in unknown:
                value = self.wire.take(self.target, field, unknown.pop(field.tag))
            else:
                value = self.value(field, (old, new), partner(fields, field), values, at)
            if value is not ABSENT:
                made[field.name] = value
        unknown |= self.left(old, new, values)
        return made | {UNKNOWN: dict(sorted(unknown.items()))} if unknown and self.is_tagged else made

    def left(self, old: str, new: str, values: Values) -> dict[int, bytes]:
        """The fields of a tagged map that the target does not know, which nothing was made of, and which are not to be lost."""
        if self.wire is None or not self.is_tagged:
            return {}
        theirs = self.target.struct(new).fields
        names = [names[0] for field in theirs for names in used(self.moves.get(key_of(self.target, new, field)))]
        kept = {}
        for field in self.source.struct(old).fields:
            gone = partner(theirs, field) is None and field.name not in names and key_of(self.source, old, field) not in self.loses
            if gone and field.name in values and field.tag is not None:
                kept[field.tag] = self.wire.give(self.source, field, values[field.name])
        return kept

    def value(self, field: FieldLayout, pair: tuple[str, str], old: FieldLayout | None, values: Values, path: str) -> Any:
        """The value of one field of the target; ABSENT when it has none and needs none."""
        is_root = pair[1] == self.target.root
        key = key_of(self.target, pair[1], field)
        if key in self.moves:
            return self.made(field, pair[0], self.moves[key], values, path)
        if field.must is not None:
            return field.must
        if is_root and self.target.carrier == f"field:{field.name}" and isinstance(field.type, BytesType):
            return (self.target.compatible or "").encode().ljust(field.type.size, b"\0")
        if old is not None and old.name in values:
            return self.carried(old, field, values[old.name], path)
        if old is not None and old.optional and old.default is not None and (old.default != field.default or not field.optional):
            return self.fitting(field, old.default, path)
        if field.optional and self.target.encoding == "tagged":
            return ABSENT
        if isinstance(field.type, BytesType) and field.type.reserved:
            return bytes(field.type.size)
        raise EncodeError(f"{self.source.name} has no value for it", path=path, expected="a converter that gives one")

    def made(self, field: FieldLayout, old: str, move: Any, values: Values, path: str) -> Any:
        """The value that a converter gives. A field of another name that holds structs is carried like one of the same name."""
        shape, given = self.source.struct(old), values
        if isinstance(move, list | tuple) and move and move[0] == "this":
            for at, name in enumerate(move[1:], 2):
                taken = shape.field(name)
                if name not in given and taken.optional and field.optional and taken.default == field.default:
                    return ABSENT
                if at == len(move) and name in given and struct_in(taken.type) is not None:
                    return self.carried(taken, field, given[name], path)
                if not isinstance(taken.type, StructType) or name not in given:
                    break
                shape, given = self.source.struct(taken.type.struct), given[name]
        defaults = {each.name: each.default for each in self.source.struct(old).fields if each.optional and each.default is not None}
        return self.fitting(field, evaluated(move, defaults | dict(values), path), path)

    def carried(self, old: FieldLayout, new: FieldLayout, value: Any, path: str) -> Any:
        """A value that both versions have."""
        if not is_alike(self.source, old, self.target, new) and _is_set(value):
            message = f"what it leads to has another form in {self.target.name}"
            raise EncodeError(message, path=path, found=value, advice="convert the handover that it is in")
        one, other = old.type, new.type
        if isinstance(one, UnionType) and one != other:
            raise EncodeError(f"a union of another form in {self.target.name}", path=path)
        if isinstance(one, IntType) and new.kind == "flags":
            strange = value & old.known_bits & ~new.known_bits
            if strange:
                names = [name for name, bit in old.names if strange >> bit & 1]
                raise EncodeError(f"{self.target.name} does not have these flags", path=path, found=", ".join(names))
        return self.fitting(new, self.inner(one, other, value, path), path)

    def inner(self, one: TypeLayout, other: TypeLayout, value: Any, path: str) -> Any:
        """The value with each struct in it in the target's form, at any depth of arrays."""
        if isinstance(one, StructType) and isinstance(other, StructType):
            return self.struct(one.struct, other.struct, value, path)
        if isinstance(one, ArrayType) and isinstance(other, ArrayType) and struct_in(one) and struct_in(other):
            return [self.inner(one.element, other.element, each, f"{path}[{at}]") for at, each in enumerate(value)]
        return value

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
            if name not in found:
                raise EncodeError("what it is made of is absent", path=path, expected=".".join(rest))
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


def struct_in(kind: TypeLayout) -> str | None:
    """The struct that a type is, or has elements of."""
    while isinstance(kind, ArrayType):
        kind = kind.element
    return kind.struct if isinstance(kind, StructType) else None


def _is_set(value: Any) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)


def _differences(layout: Layout, struct: str, pair: tuple[Values, Values], path: str, declared: tuple[str, ...]) -> Iterator[Loss]:
    """The leaves in which two records of one form differ; what is declared as a whole is not looked into."""
    for field in layout.struct(struct).fields:
        was, now = (values.get(field.name, field.default) for values in pair)
        if was == now or field.gap:
            continue
        at = f"{path}.{field.name}" if path else field.name
        key = key_of(layout, struct, field)
        inner = struct_in(field.type)
        if key in declared or inner is None or was is None or now is None:
            yield Loss(at, key, was, now)
            continue
        found = list(_rows(was, now, at))
        if len(found) == 1 and found[0][2] == at and isinstance(was, list):
            yield Loss(at, key, was, now)  # arrays of another length
        for one, other, place in found if isinstance(was, dict) or found[0][2] != at else ():
            yield from _differences(layout, inner, (one, other), place, declared)


def _rows(was: Any, now: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """The structs in two values of one form, with their place; the arrays themselves where these differ in length."""
    if isinstance(was, dict) or len(was) != len(now):
        yield was, now, path
        return
    for at, (one, other) in enumerate(zip(was, now, strict=True)):
        yield from _rows(one, other, f"{path}[{at}]")
