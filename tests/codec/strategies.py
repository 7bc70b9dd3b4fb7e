# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hypothesis strategies: environments, structs in the schema language, and the bytes of records."""

from __future__ import annotations

import random
from itertools import chain, count
from typing import Any

from hypothesis import strategies as st

from devstate.errors import SchemaError
from devstate.layout.model import PAGE_SIZES, ArrayType, Environment, Layout, StructType
from devstate.schema import (
    PAGE_SIZE,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    Array,
    Bits,
    Chars,
    Const,
    Enum,
    Field,
    Flags,
    FlexArray,
    Int,
    KernelPointer,
    MustBeZero,
    Opaque,
    Phys,
    Raw,
    Reserved,
    Schema,
    Struct,
    Type,
    U16be,
    U16le,
    U32be,
    U32le,
    U64be,
    U64le,
    Union,
    this,
)

NAMES = ("count", "index", "items", "keys", "fields", "layout", "self", "data", "value", "class", "arm", "hex", "x", "y", "slots", "offset")
"""Names that collide with a method of a tuple, a dict or a record, or with a word of Python, before harmless ones."""

S16be, S64le = Int(2, signed=True, order="big"), Int(8, signed=True, order="little")
INTS = (U8, U16, U32, U64, S8, S16, S32, S64, U16be, U32be, U64be, U16le, U32le, U64le, S16be, S64le)
environments = st.builds(Environment, st.sampled_from(PAGE_SIZES), st.sampled_from(("little", "big")))


def contents(size: int) -> st.SearchStrategy[bytes]:
    """``size`` bytes: noise, nearly all zeros, all ones, or text. Made from a seed, so that large records cost the search nothing."""
    kinds = (
        lambda noise: noise.randbytes(size),
        lambda noise: bytes(each if noise.random() < 0.05 else 0 for each in noise.randbytes(size)),
        lambda noise: b"\xff" * size,
        lambda noise: b"memfd-v2".ljust(8 + noise.randrange(56), b"\0") * (size // 8 + 1),
    )
    return st.builds(lambda kind, seed: kind(random.Random(seed))[:size], st.sampled_from(kinds), st.integers(0, 1 << 32))


@st.composite
def records(draw: st.DrawFn, layout: Layout, struct: str, elements_max: int = 4) -> bytes:
    """Bytes that decode accepts as ``struct``, whose count, if it has one, says what is there."""
    shape = layout.struct(struct)
    last = shape.fields[-1]
    if isinstance(last.type, StructType) and shape.flexible:
        return draw(contents(last.offset)) + draw(records(layout, last.type.struct, elements_max))
    if not isinstance(last.type, ArrayType) or not shape.flexible:
        return draw(contents(shape.size))
    head = bytearray(draw(contents(last.offset)))
    number_of = draw(st.integers(0, elements_max))
    if last.type.counted_by is not None:
        counter = shape.field(last.type.counted_by)
        order: Any = layout.environment.byte_order if counter.type.order in ("native", None) else counter.type.order
        span = slice(counter.offset, counter.offset + counter.size)
        number = int.from_bytes(head[span], order)
        shift, width = counter.shift or 0, counter.width or counter.size * 8
        number_of = min(number_of, (1 << width - 1) - 1)
        number = number & ~(((1 << width) - 1) << shift) | number_of << shift
        head[span] = number.to_bytes(counter.size, order)
    return bytes(head) + draw(contents(number_of * last.type.stride))


def _named(kind: Type) -> st.SearchStrategy[Type]:
    """``kind``, or the same bytes with more meaning."""
    bits = st.dictionaries(st.sampled_from(("DIRTY", "UPTODATE", "A", "B")), st.integers(0, kind.size * 8 - 1), min_size=1)
    values = st.dictionaries(st.sampled_from(("INVALID", "INTEL", "A", "B")), st.integers(0, 127), min_size=1)
    return st.one_of(
        st.just(kind),
        bits.map(lambda names: Flags(kind, **names)),
        values.map(lambda names: Enum(kind, **names)),
        st.integers(0, 127).map(lambda value: Const(kind, value)),
        st.just(MustBeZero(kind)),
    )


LEAVES: st.SearchStrategy[Type] = st.one_of(
    st.sampled_from(INTS).flatmap(_named),
    st.integers(0, 9).map(Chars),
    st.integers(0, 9).map(Raw),
    st.integers(0, 9).map(Reserved),
    st.sampled_from((Raw(PAGE_SIZE // 512), Array(PAGE_SIZE // 2048, U16), KernelPointer(), Phys(Opaque()))),
)


@st.composite
def _bit_run(draw: st.DrawFn) -> list[Type]:
    """The bit-fields of one storage unit."""
    base = draw(st.sampled_from((U8, U16, U32, U64)))
    cuts = sorted(draw(st.sets(st.integers(1, base.size * 8 - 1), max_size=4)))
    widths = [end - start for start, end in zip([0, *cuts], [*cuts, base.size * 8], strict=True)]
    return [Bits(base, width, **draw(st.sampled_from(({}, {"LOW": 0}, {"LOW": 0, "HIGH": width - 1})))) for width in widths]


@st.composite
def structs(draw: st.DrawFn, name: str = "root", depth: int = 2, flexible: bool = True) -> Struct:
    """A struct of the schema language: bit-fields, gaps, nesting, arrays, unions, and perhaps a flexible array at its end."""
    names = chain(draw(st.permutations(NAMES)), (f"f{number}" for number in count()))
    fields: list[Field] = []
    for position in range(draw(st.integers(1, 4))):
        what = draw(st.sampled_from(("one", "one", "bits", "array", "union")))
        if what == "bits":
            fields += [next(names) / kind for kind in draw(_bit_run())]
            continue
        kind = draw(_one(f"{name}_{position}", depth))
        if what == "array" and kind.size_in(4096):
            kind = Array(draw(st.integers(0, 3)), kind)
        elif what == "union":
            tag = next(names)
            fields.append(tag / draw(st.sampled_from((U8, S16, U32))))
            kind = Union(tag=draw(st.sampled_from((None, this[tag]))), one=(1, kind), other=(2, draw(LEAVES)), any=(None, draw(LEAVES)))
        fields.append(next(names) / kind)
    if flexible and draw(st.booleans()):
        fields += draw(_tail(name, depth))
    packed = draw(st.booleans())
    try:
        for page_size in PAGE_SIZES:
            Struct(name, *fields, packed=packed).fixed_size(page_size)
    except SchemaError:  # a run of bit-fields that a compiler would move
        packed = True
    return Struct(name, *fields, packed=packed)


def _one(name: str, depth: int) -> st.SearchStrategy[Type]:
    """A type of fixed size."""
    return st.one_of(LEAVES, structs(name, depth - 1, False)) if depth else LEAVES


@st.composite
def _tail(draw: st.DrawFn, name: str, depth: int) -> list[Field]:
    """The flexible end of a struct."""
    how = draw(st.sampled_from(("area", "bits", "sibling", "nested")))
    if how == "nested":
        return ["tail" / draw(structs(f"{name}_tail", 0, True))]
    element = draw(_one(f"{name}_each", depth).filter(lambda kind: kind.size_in(4096)))
    if how == "bits":
        counter = draw(st.sampled_from((this.nr_low, this.nr_high)))
        return ["nr_low" / Bits(U8, 3), "nr_high" / Bits(U8, 5), "tail" / FlexArray(element, counter)]
    if how == "sibling":
        return ["nr" / draw(st.sampled_from(INTS)), "tail" / FlexArray(element, this.nr)]
    return ["tail" / FlexArray(element)]


def schema_of(root: Struct) -> Schema:
    """A schema around a struct."""
    return Schema(name="drawn", doc="made by hypothesis", source="tests", status="project", root=root)

