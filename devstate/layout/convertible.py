# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a converter must be before it is taken: it gives every field of its target, takes what its source has, and says what it drops.

Asked once, when schemas are compiled; what depends on values (ranges, choices) is for the laws that tests hold.
"""

from __future__ import annotations

from devstate.errors import SchemaError
from devstate.layout.converting import key_of, partner, struct_in, used
from devstate.layout.model import BytesType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from devstate.layout.model import FieldLayout, Layout

    Moves = Mapping[str, Any]


def check_converter(plain: Mapping[str, Any], old: Layout, new: Layout) -> None:
    """SchemaError, with the converter and the field, for the first thing that is wrong with it."""
    path = f"{old.name} to {new.name}"
    if not isinstance(old.root, str) or not isinstance(new.root, str):
        if plain["up"] or plain["down"]:
            raise SchemaError("a devicetree is converted with its handover: it has no values to give", path=path)
        return
    for key, source, target in (("up", old, new), ("down", new, old)):
        if plain[key] is not None:
            _check_way(source, target, plain[key], f"{path}: {key}")
    known = {name for pair in _pairs(new, old, plain["down"] or {}) for name in _keys(new, pair[0])}
    for name in plain["loses"]:
        if name not in known:
            raise SchemaError(f"loses {name!r}, which {new.name} does not have", path=path)
    if plain["down"] is not None:
        _check_losses(plain, old, new, path)


def _check_way(source: Layout, target: Layout, moves: Moves, path: str) -> None:
    left = set(moves)
    for pair in _pairs(source, target, moves):
        fields = source.struct(pair[0]).fields
        for name, field in _keys(target, pair[1]).items():
            if name in moves:
                left.discard(name)
                for names in used(moves[name]):
                    _check_used(source, pair[0], names, f"{path}.{name}")
            elif partner(fields, field) is None and not _comes_by_itself(target, pair[1], field):
                raise SchemaError(f"{source.name} has no {field.name}: say what it is to be", path=f"{path}.{name}")
    if left:
        raise SchemaError(f"{target.name} has no such field, or none that is reached", path=f"{path}.{min(left)}")


def _check_used(source: Layout, struct: str, names: list[str], path: str) -> None:
    here: str | None = struct
    for name in names:
        field = next((each for each in source.struct(here).fields if each.name == name), None) if here is not None else None
        if field is None:
            raise SchemaError(f"{source.name} has no this.{'.'.join(names)}", path=path)
        here = field.type.struct if isinstance(field.type, StructType) else None


def _check_losses(plain: Mapping[str, Any], old: Layout, new: Layout, path: str) -> None:
    """What the old version has no field for, and no value of the way down is made of, is lost."""
    if old.encoding == new.encoding == "tagged":
        return  # what the old version does not know stays in the record
    for inner in _pairs(new, old, plain["down"]):
        there = old.struct(inner[1]).fields
        moves = [value for name, value in plain["down"].items() if name in _keys(old, inner[1])]
        taken = {names[0] for value in moves for names in used(value)}
        for name, field in _keys(new, inner[0]).items():
            kept = partner(there, field) is not None or field.name in taken or _comes_by_itself(new, inner[0], field)
            if not kept and name not in plain["loses"]:
                raise SchemaError(f"{old.name} has no {field.name}: loses=({name!r},)", path=path)


def _comes_by_itself(layout: Layout, struct: str, field: FieldLayout) -> bool:
    reserved = field.gap or (isinstance(field.type, BytesType) and field.type.reserved)
    absent = field.optional and layout.encoding == "tagged"
    return reserved or absent or field.must is not None or (struct == layout.root and layout.carrier == f"field:{field.name}")


def _pairs(source: Layout, target: Layout, moves: Moves) -> list[tuple[str, str]]:
    """The structs that are made of each other: the roots, and what two fields hold that are the same, or that a converter takes as such."""
    pairs = [(str(source.root), str(target.root))]
    for one, other in pairs:
        shape = source.struct(one)
        for field in target.struct(other).fields:
            move = moves.get(key_of(target, other, field))
            twin = _taken(source, one, move) if move is not None else partner(shape.fields, field)
            inner, outer = struct_in(field.type), None if twin is None else struct_in(twin.type)
            if inner is not None and outer is not None and (outer, inner) not in pairs:
                pairs.append((outer, inner))
    return pairs


def _taken(source: Layout, struct: str, move: Any) -> FieldLayout | None:
    """The field that a converter takes as it is; None when it is computed."""
    if not isinstance(move, list | tuple) or not move or move[0] != "this":
        return None
    field: FieldLayout | None = None
    here: str | None = struct
    for name in move[1:]:
        field = next((each for each in source.struct(here).fields if each.name == name), None) if here is not None else None
        here = field.type.struct if field is not None and isinstance(field.type, StructType) else None
    return field


def _keys(layout: Layout, struct: str) -> dict[str, FieldLayout]:
    """The fields by the names that a converter has for them."""
    return {key_of(layout, struct, field): field for field in layout.struct(struct).fields if not field.gap}
