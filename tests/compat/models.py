# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Structs in a model of their own: fields with an identity that survives names and places. Laid out as C does, by code of these tests.

A model becomes a devstate layout (what the comparison sees) and, separately, spots: where each identity's bytes are (what the oracle
sees). Nothing here comes from devstate.compat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from devstate.layout.model import (
    Arm,
    ArrayType,
    BytesType,
    Environment,
    FieldLayout,
    IntType,
    Layout,
    StructLayout,
    StructType,
    TypeLayout,
    UnionType,
)


@dataclass(frozen=True)
class F:
    """A field. ``kind`` is int, bytes, reserved, array, bits, struct, rows, union; the rest depends on it.

    int: size, signed, order, names (flags or enum). bytes, reserved: count bytes. array: count integers. bits: width bits of a unit of
    ``size`` bytes, neighbours share it. struct: fields inline. rows: count structs. union: ``fields`` are arms, ``tags`` their values,
    ``tag`` the identity of the field that chooses.
    """

    ident: int
    name: str
    kind: str = "int"
    size: int = 4
    signed: bool = False
    order: str = "native"
    count: int = 1
    width: int = 0
    names: tuple[tuple[str, int], ...] = ()
    flags: bool = False
    fields: tuple[F, ...] = ()
    tags: tuple[int, ...] = ()
    tag: int | None = None
    packed: bool = True

    def but(self, **changes: object) -> F:
        """A copy with changes."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Model:
    """A struct."""

    fields: tuple[F, ...]
    packed: bool = True
    flexible: F | None = None


@dataclass(frozen=True)
class Spot:
    """Where an identity stands: ``path`` of identities (indices of rows between them), byte offset, and the field."""

    path: tuple[int, ...]
    at: int
    field: F
    shift: int = 0


def align_of(field: F) -> int:
    """What C aligns a field to."""
    if field.kind in ("bytes", "reserved"):
        return 1
    if field.kind in ("struct", "rows"):
        return 1 if field.packed else max((align_of(each) for each in field.fields), default=1)
    if field.kind == "union":
        return max(align_of(each) for each in field.fields)
    return field.size


def size_of(field: F) -> int:
    """Bytes of a field; a bit-field's unit."""
    if field.kind in ("bytes", "reserved"):
        return field.count
    if field.kind == "array":
        return field.size * field.count
    if field.kind in ("struct", "rows"):
        return lay_out(field.fields, field.packed)[1] * (field.count if field.kind == "rows" else 1)
    if field.kind == "union":
        align = align_of(field)
        return -(-max(size_of(each) for each in field.fields) // align) * align
    return field.size


def lay_out(fields: tuple[F, ...], packed: bool) -> tuple[list[tuple[F, int, int]], int]:
    """(field, offset, bits before it in its unit) of each field, and the size of the struct."""
    placed: list[tuple[F, int, int]] = []
    end = used = 0
    unit = 0
    for field in fields:
        if field.kind == "bits" and used and used + field.width <= unit * 8 and field.size == unit:
            placed.append((field, placed[-1][1], used))
            used = (used + field.width) % (unit * 8)
            continue
        align = 1 if packed else align_of(field)
        at = -(-end // align) * align
        placed.append((field, at, 0))
        end = at + size_of(field)
        unit, used = (field.size, field.width % (field.size * 8)) if field.kind == "bits" else (0, 0)
    align = 1 if packed else max((align_of(field) for field in fields), default=1)
    return placed, -(-end // align) * align


def spots(fields: tuple[F, ...], packed: bool, base: int = 0, prefix: tuple[int, ...] = ()) -> Iterator[Spot]:
    """Every leaf with its place; the elements of rows one by one; a union is one leaf."""
    for field, at, before in lay_out(fields, packed)[0]:
        here, path = base + at, (*prefix, field.ident)
        if field.kind == "struct":
            yield from spots(field.fields, field.packed, here, path)
        elif field.kind == "rows":
            stride = lay_out(field.fields, field.packed)[1]
            for index in range(field.count):
                yield from spots(field.fields, field.packed, here + index * stride, (*path, -1 - index))
        else:
            yield Spot(path, here, field, before)


def layout(model: Model, environment: Environment, *, name: str = "root", compatible: str | None = "test-v1") -> Layout:
    """The devstate layout of a model."""
    structs: dict[str, StructLayout] = {}
    _struct(name, model.fields, model.packed, environment, structs, model.flexible)
    return Layout(
        name=name, compatible=compatible, variant="", status="project", source="test", doc="test", root=name,
        structs=tuple(structs.values()), environment=environment,
    )  # fmt: skip


def _struct(
    name: str, fields: tuple[F, ...], packed: bool, env: Environment, structs: dict[str, StructLayout], flexible: F | None = None
) -> None:
    made: list[FieldLayout] = []
    placed, size = lay_out(fields, packed)
    names = {field.ident: field.name for field in fields}
    end = 0
    for field, at, before in placed:
        if at > end:
            made.append(FieldLayout(f"_pad{end}", end, at - end, BytesType(at - end, reserved=True), gap=True))
        end = max(end, at + size_of(field))
        made.append(_field(field, at, before, env, structs, names))
    align = 1 if packed else max((align_of(field) for field in fields), default=1)
    if flexible is not None:
        stride = lay_out(flexible.fields, flexible.packed)[1]
        _struct(f"{flexible.name}_s", flexible.fields, flexible.packed, env, structs)
        made.append(FieldLayout(flexible.name, end, 0, ArrayType(StructType(f"{flexible.name}_s"), stride, None)))
    elif size > end:
        made.append(FieldLayout(f"_pad{end}", end, size - end, BytesType(size - end, reserved=True), gap=True))
    structs[name] = StructLayout(name, size, align, packed, tuple(made), flexible=flexible is not None)


def _type(field: F, env: Environment, structs: dict[str, StructLayout], names: dict[int, str]) -> TypeLayout:
    if field.kind in ("bytes", "reserved"):
        return BytesType(field.count, reserved=field.kind == "reserved")
    if field.kind == "array":
        return ArrayType(IntType(field.size, field.signed, field.order), field.size, field.count)
    if field.kind in ("struct", "rows"):
        _struct(f"{field.name}_s", field.fields, field.packed, env, structs)
        inner = StructType(f"{field.name}_s")
        return inner if field.kind == "struct" else ArrayType(inner, structs[f"{field.name}_s"].size, field.count)
    if field.kind == "union":
        tags = field.tags or (None,) * len(field.fields)
        arms = tuple(Arm(arm.name, tag, _type(arm, env, structs, names)) for arm, tag in zip(field.fields, tags, strict=True))
        return UnionType(size_of(field), arms, None if field.tag is None else names[field.tag])
    return IntType(field.size, field.signed, field.order)


def _field(field: F, at: int, before: int, env: Environment, structs: dict[str, StructLayout], names: dict[int, str]) -> FieldLayout:
    kind = _type(field, env, structs, names)
    if field.kind == "bits":
        shift = before if env.byte_order == "little" else field.size * 8 - before - field.width
        return FieldLayout(field.name, at, field.size, kind, shift=shift, width=field.width)
    word = "" if not field.names else "flags" if field.flags else "enum"
    return FieldLayout(field.name, at, size_of(field), kind, kind=word, names=field.names)
