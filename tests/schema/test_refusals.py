# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the schema language refuses, and with which field path: nothing unknown, opaque or impossible gets as far as a layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import construct
import pytest

from devstate.errors import SchemaError
from devstate.finding import Reaction
from devstate.layout.lower import lower
from devstate.layout.model import Environment
from devstate.schema import (
    PAGE_SIZE,
    S8,
    U8,
    U16,
    U64,
    About,
    Array,
    Bits,
    Chars,
    Const,
    Contiguous,
    Counted,
    Enum,
    Flags,
    FlexArray,
    Handle,
    Int,
    Node,
    Phys,
    Raw,
    Schema,
    Struct,
    U32be,
    Union,
    VmallocArray,
    prop,
    this,
)

ENTRY = Struct("entry", "x" / U64)
FLEXIBLE = Struct("flexible", "all" / FlexArray(U8))


def anything(context: Any) -> int:
    """What a lambda would be."""
    return 3


def schema(root: Any, **more: Any) -> Schema:
    """A schema around a root."""
    return Schema(**({"name": "t", "doc": "d", "source": "s", "status": "project", "root": root} | more))


LOADING: list[tuple[str, Callable[[], object], str]] = [
    ("a lambda as a size", lambda: Struct("s", "f" / Raw(anything)), "s.f"),
    ("a lambda as a count", lambda: Struct("s", "f" / Array(anything, U8)), "s.f"),
    ("a lambda inside arithmetic", lambda: Struct("s", "f" / Raw(PAGE_SIZE * construct.this.x)), "s.f"),
    ("a sibling as a size", lambda: Struct("s", "n" / U8, "f" / Raw(this.n)), "s.f"),
    ("a negative size", lambda: Struct("s", "f" / Raw(-1)), "s.f"),
    ("a boolean size", lambda: Struct("s", "f" / Raw(True)), "s.f"),
    ("a float size", lambda: Struct("s", "f" / Raw(1.5)), "s.f"),
    ("a lambda that counts", lambda: Struct("s", "f" / FlexArray(U8, anything)), "s.f"),
    ("a count out of the struct", lambda: Struct("s", "f" / FlexArray(U8, construct.this._.n)), "s.f"),
    ("a lambda that counts a target", lambda: Struct("s", "f" / Phys(Contiguous(ENTRY, anything))), "s.f"),
    ("a lambda that sizes a target", lambda: Struct("s", "f" / Phys(Counted(ENTRY, anything))), "s.f"),
    ("a lambda behind a pointer", lambda: Struct("s", "f" / Phys(Contiguous(Raw(anything), this.f))), "s.f->"),
    ("a lambda in a vmalloc array", lambda: Struct("s", "f" / VmallocArray(Raw(anything), this.f, ENTRY)), "s.f->"),
    ("a lambda that tags", lambda: Struct("s", "f" / Union(tag=anything, a=(1, U8))), "s.f"),
    ("a lambda in an arm", lambda: Struct("s", "f" / Union(a=(1, Raw(anything)))), "s.f.a"),
    ("a lambda that names a handle", lambda: Struct("s", "f" / Handle(by=anything)), "s.f"),
    ("a construct as a field", lambda: Struct("s", "ok" / U8, "f" / construct.Int32ul), "s.f"),
    ("a construct without a name", lambda: Struct("s", construct.Padding(4)), "s.0"),
    ("a type without a name", lambda: Struct("s", U8), "s.0"),
    ("construct's own array of ours", lambda: Struct("s", "f" / U8[3]), "s.f"),
    ("a construct in an array", lambda: Struct("s", "f" / Array(3, construct.Int8ub)), "s.f[]"),
    ("a construct in a flexible array", lambda: Struct("s", "f" / FlexArray(construct.Int8ub)), "s.f[]"),
    ("a construct in an arm", lambda: Struct("s", "f" / Union(a=(1, construct.Int8ub))), "s.f.a"),
    ("a construct behind a pointer", lambda: Struct("s", "f" / Phys(Contiguous(construct.Int8ub, this.f))), "s.f->"),
    ("a pointer at nothing", lambda: Struct("s", "f" / Phys(None)), "s.f"),
    ("a union without arms", lambda: Struct("s", "f" / Union()), "s.f"),
    ("a name that stands twice", lambda: Struct("s", "f" / U8, "f" / U8), "s.f"),
    ("a name with a dash", lambda: Struct("s", "blob-size" / U8), "blob-size"),
    ("a gap's name", lambda: Struct("s", "_pad8" / U8), "_pad8"),
    ("a name of the decoders", lambda: Struct("s", "_params" / U8), "_params"),
    ("a second name", lambda: Struct("s", "a" / ("b" / U8)), "a"),
    ("a lambda as doc", lambda: Struct("s", "f" / U8 * anything), "f"),
    ("a struct without fields", lambda: Struct("s"), "s"),
    ("an array that is not last", lambda: Struct("s", "f" / FlexArray(U8), "x" / U8), "s.f"),
    ("a flexible struct that is not last", lambda: Struct("s", "f" / FLEXIBLE, "x" / U8), "s.f"),
    ("an unfilled unit at the end", lambda: Struct("s", "f" / Bits(U8, 7)), "s"),
    ("an unfilled unit before a field", lambda: Struct("s", "f" / Bits(U8, 7), "x" / U8), "s.x"),
    ("an unfilled unit before another base", lambda: Struct("s", "f" / Bits(U8, 7), "x" / Bits(U16, 1)), "s.x"),
    ("a bit-field over the edge of its unit", lambda: Struct("s", "f" / Bits(U8, 7), "x" / Bits(U8, 2)), "s.x"),
    ("a construct as a property", lambda: prop("size", construct.Int8ub), "size"),
    ("a child that is no node", lambda: Node("n", children=(ENTRY,)), "n"),  # type: ignore[arg-type]
    ("a field that is no property's", lambda: Node("n", U8), "n.0"),  # type: ignore[arg-type]
    ("a root that is a field", lambda: schema("f" / U8), "t"),
    ("an unknown status", lambda: schema(ENTRY, status="draft"), "t"),
    ("no doc", lambda: schema(ENTRY, doc=""), "t"),
    ("a lambda as a limit", lambda: schema(ENTRY, limits={"blocks": anything}), "t.blocks"),
]


@pytest.mark.parametrize(("declare", "path"), [case[1:] for case in LOADING], ids=[case[0] for case in LOADING])
def test_refused_when_loaded(declare: Callable[[], object], path: str) -> None:
    """Refused as soon as the struct around it is loaded, with the field's path."""
    with pytest.raises(SchemaError) as caught:
        declare()
    assert path == caught.value.path


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Int(3),
        lambda: Int(4, order="middle"),
        lambda: Flags(U8, A=8),
        lambda: Flags(U8, A=-1),
        lambda: Flags(Raw(4), A=0),
        lambda: Enum(U8, A=256),
        lambda: Enum(S8, A=-129),
        lambda: Const(U8, 256),
        lambda: Bits(U8, 9),
        lambda: Bits(U8, 0),
        lambda: Bits(S8, 4),
        lambda: Bits(U32be, 4),
        lambda: Bits(Raw(4), 4),
        lambda: Bits(U8, 4, A=4),
        lambda: About(hint="nice"),
        lambda: About(phase="later"),
        lambda: About(minimum=2, maximum=1),
        lambda: U8 * "doc before the name",
        lambda: Struct("f" / U8),  # type: ignore[arg-type]
        lambda: Schema(root=ENTRY, status="project", source="s", doc="d"),
    ],
)
def test_types_refuse(declare: Callable[[], object]) -> None:
    """What is wrong with a type alone is refused before it has a name."""
    with pytest.raises(SchemaError):
        declare()


LOWERING: list[tuple[str, Callable[[], Struct | Node], str]] = [
    ("a size that is no whole number", lambda: Struct("s", "f" / Raw(PAGE_SIZE / 3)), "s.f"),
    ("a size below zero on small pages", lambda: Struct("s", "f" / Raw(PAGE_SIZE - 8192)), "s.f"),
    ("a division by zero", lambda: Struct("s", "f" / Raw(PAGE_SIZE // 0)), "s.f"),
    ("a count that is missing", lambda: Struct("s", "f" / FlexArray(U8, this.n)), "s.f"),
    ("a count that is no integer", lambda: Struct("s", "n" / Chars(8), "f" / FlexArray(U8, this.n)), "s.f"),
    ("a tag that is missing", lambda: Struct("s", "f" / Union(tag=this.n, a=(1, U8))), "s.f"),
    ("a tag that is no integer", lambda: Struct("s", "n" / Raw(8), "f" / Union(tag=this.n, a=(1, U8))), "s.f"),
    ("a target's count that is missing", lambda: Struct("s", "f" / Phys(Contiguous(ENTRY, this.n))), "s.f"),
    ("elements of no bytes", lambda: Struct("s", "f" / Array(3, Raw(0))), "s.f[]"),
    ("flexible elements of no bytes", lambda: Struct("s", "f" / FlexArray(Raw(0))), "s.f[]"),
    ("flexible elements", lambda: Struct("s", "f" / Array(3, FLEXIBLE)), "s.f[]"),
    ("flexible elements of a flexible array", lambda: Struct("s", "f" / FlexArray(FLEXIBLE)), "s.f[]"),
    ("an array of bit-fields", lambda: Struct("s", "f" / Array(8, Bits(U8, 1))), "s.f[]"),
    ("a flexible arm", lambda: Struct("s", "f" / Union(a=(1, FLEXIBLE))), "s.f.a"),
    ("something wrong in a struct inside", lambda: Struct("s", "f" / Struct("inner", "g" / Raw(PAGE_SIZE // 0))), "inner.g"),
    ("a bit-field where a compiler would move it", lambda: Struct("s", "x" / U8, "f" / Bits(U16, 16)), "s.f"),
    ("two structs of one name", lambda: Struct("s", "a" / ENTRY, "b" / Struct("entry", "y" / U8)), "s.b"),
]


@pytest.mark.parametrize(("declare", "path"), [case[1:] for case in LOWERING], ids=[case[0] for case in LOWERING])
def test_refused_when_lowered(declare: Callable[[], Struct | Node], path: str) -> None:
    """What depends on the page size, or on fields beside it, is refused when the schema is lowered, with the field's path."""
    with pytest.raises(SchemaError) as caught:
        lower(schema(declare()), Environment(4096))
    assert path == caught.value.path


def test_page_size_decides() -> None:
    """A size may be impossible on one page size and fine on another."""
    declared = schema(Struct("s", "f" / Raw(PAGE_SIZE - 8192)))
    assert 8192 == lower(declared, Environment(16384)).struct().size


def test_what_a_schema_keeps() -> None:
    """Name and variant, limits by page size, and every text go into the layout."""
    limits = {"entries": PAGE_SIZE // 64}
    declared = schema(ENTRY, variant="6.16", limits=limits, on_mismatch=Reaction.PANIC, compatible="t-v1", freed="finish")
    layout = lower(declared, Environment(16384))
    assert ("t@6.16", "t-v1", "panic", "finish", 256) == (
        layout.name, layout.compatible, layout.on_mismatch, layout.freed, layout.limit("entries"),
    )  # fmt: skip
