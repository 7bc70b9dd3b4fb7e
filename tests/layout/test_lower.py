# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""lower: what of a schema stands in its layout, and the facts that lowering itself knows."""

from __future__ import annotations

import pytest
from codec.strategies import environments, schema_of, structs
from hypothesis import given, settings

import devstate_schemas
from devstate.layout.baseline import big_endian
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower, radix_depth, structs_of
from devstate.layout.model import (
    PAGE_SIZES,
    ArrayType,
    BytesType,
    Environment,
    IntType,
    Layout,
    NodeLayout,
    StructType,
    TargetLayout,
    UnionType,
    walk_types,
)
from devstate.schema import (
    PAGE_SIZE,
    U8,
    U32,
    U64,
    About,
    Array,
    Bits,
    BlockChain,
    Chars,
    Const,
    Contiguous,
    Counted,
    Enum,
    Flags,
    FlexArray,
    Handle,
    KernelPointer,
    MustBeZero,
    Node,
    Opaque,
    PageChain,
    Phys,
    Radix,
    Reserved,
    Schema,
    Struct,
    Token,
    Union,
    VmallocArray,
    prop,
    this,
)

ENTRY = Struct("entry", "x" / U64)
SHIPPED = list(schemas_of(devstate_schemas))


def lowered(root: Struct | Node, page_size: int = 4096, order: str = "little") -> Layout:
    """The layout of a root declared on the spot."""
    return lower(Schema(name="t", doc="d", source="s", status="project", root=root), Environment(page_size, order))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("page_size", "short", "depth"),
    [(4096, True, 6), (4096, False, 6), (16384, True, 4), (16384, False, 5), (65536, True, 4), (65536, False, 4)],
)
def test_radix_depth(page_size: int, short: bool, depth: int) -> None:
    """Only 16K pages saw a difference when the order bit was counted in."""
    assert depth == radix_depth(page_size, short=short)


def test_meaning_is_kept() -> None:
    """Names of bits and values, expected values, texts, ranges and hints stand in the field's layout."""
    about = About("why", unit="pages", hint="hex", minimum=1, maximum=9, phase="freeze")
    struct = lowered(
        Struct("s", "a" / Flags(U8, X=1) * about, "b" / Enum(U8, Y=2), "c" / Const(U8, 3), "d" / MustBeZero(U8), "e" / Reserved(4))
    ).struct()
    a, b, c, d, e = struct.fields
    assert ("flags", (("X", 1),), 2) == (a.kind, a.names, a.known_bits)
    assert ("why", "pages", "hex", 1, 9, "freeze") == (a.doc, a.unit, a.hint, a.minimum, a.maximum, a.phase)
    assert ("enum", (("Y", 2),), 0) == (b.kind, b.names, b.known_bits)
    assert (3, 0) == (c.must, d.must)
    assert BytesType(4, reserved=True) == e.type


def test_bits_of_one_name_twice() -> None:
    """Two names of one bit are one known bit."""
    assert 1 == lowered(Struct("s", "a" / Flags(U8, OLD=0, NEW=0))).struct().fields[0].known_bits


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (Phys(ENTRY), TargetLayout("one", StructType("entry"))),
        (Phys(Opaque()), TargetLayout("opaque")),
        (KernelPointer(), TargetLayout("kernel")),
        (Phys(Contiguous(ENTRY, this.nr, PAGE_SIZE * 2)), TargetLayout("contiguous", StructType("entry"), "nr", 8192)),
        (Phys(Counted(ENTRY, PAGE_SIZE)), TargetLayout("counted", StructType("entry"), None, 4096)),
        (Phys(BlockChain(ENTRY, this.nr)), TargetLayout("blocks", StructType("entry"), "nr")),
        (Phys(PageChain(ENTRY)), TargetLayout("pages", StructType("entry"))),
        (Phys(Radix()), TargetLayout("radix", depth=6)),
        (Handle(by=this.name), TargetLayout("handle", count="name")),
        (Handle(by="$name"), TargetLayout("handle", count="$name")),
        (Token("memfd-v2"), TargetLayout("token", count="memfd-v2")),
        (VmallocArray(ENTRY, this.nr, Struct("kho_vmalloc", "first" / U64)), TargetLayout("vmalloc", StructType("entry"), "nr")),
    ],
)
def test_targets(kind: object, target: TargetLayout) -> None:
    """Every link says in the layout what it leads to, and the structs behind it are part of the layout."""
    layout = lowered(Struct("s", "nr" / U64, "name" / Chars(8), "f" / kind))  # type: ignore[operator]
    assert target == layout.struct().field("f").target
    if target.element is not None:
        assert "entry" in {struct.name for struct in layout.structs}


@pytest.mark.parametrize(("order", "shifts"), [("little", [0, 4, 0]), ("big", [4, 0, 56])])
def test_bit_shifts(order: str, shifts: list[int]) -> None:
    """The place of a bit-field in its unit, from the least significant bit, in both byte orders."""
    root = Struct("s", "a" / Bits(U8, 4), "b" / Bits(U8, 4), "c" / Bits(U64, 8), "d" / Bits(U64, 56), packed=True)
    struct = lowered(root, order=order).struct()
    assert shifts == [field.shift for field in struct.fields[:3]]
    assert [0, 0, 1, 1] == [field.offset for field in struct.fields]


def test_types() -> None:
    """Arrays know their stride, unions their size and tag, flexible arrays who counts them."""
    layout = lowered(
        Struct("s", "t" / U32, "u" / Union(tag=this.t, a=(1, U64), b=(2, Array(3, U8))), "f" / FlexArray(ENTRY, this.t)), page_size=16384
    )
    t, pad, u, f = layout.struct().fields
    assert (IntType(4), True, 8) == (t.type, pad.gap, u.offset)
    assert isinstance(u.type, UnionType) and ("t", 8) == (u.type.tag, u.type.size)
    assert ArrayType(StructType("entry"), 8, None, "t") == f.type
    assert (16, True, 0) == (layout.struct().size, layout.struct().flexible, f.size)
    assert 3 == len(walk_types(u.type)) - 1


def test_devicetree_nodes() -> None:
    """Nodes keep names, compatibles and properties with their payload types; structs behind them are collected."""
    child = Node("*", prop("blob-size", U64, About("bytes", optional=True)), compatible="child-v1", optional=True)
    root = lowered(Node("", prop("map", Phys(ENTRY)), compatible="root-v1", children=(child,))).root
    assert isinstance(root, NodeLayout)
    assert ("map", "one") == (root.properties[0].name, root.properties[0].target and root.properties[0].target.kind)
    only = root.children[0]
    assert ("*", "child-v1", True, "blob-size", 8, True) == (
        only.name, only.compatible, only.optional, only.properties[0].name, only.properties[0].size, only.properties[0].optional,
    )  # fmt: skip


def test_a_struct_used_twice() -> None:
    """The same struct in two places stands in the layout once."""
    layout = lowered(Struct("s", "a" / ENTRY, "b" / Phys(ENTRY), "c" / Array(2, ENTRY)))
    assert ["entry", "s"] == [struct.name for struct in layout.structs]


@settings(max_examples=150, deadline=None)
@given(structs(), environments)
def test_big_endian_twin(root: Struct, environment: Environment) -> None:
    """The big-endian layout that the registry makes of a little-endian one is what lowering gives."""
    schema = schema_of(root)
    little = lower(schema, Environment(environment.page_size))
    assert lower(schema, Environment(environment.page_size, "big")) == big_endian(little)


@settings(max_examples=150, deadline=None)
@given(structs(), environments)
def test_fields_fill_the_struct(root: Struct, environment: Environment) -> None:
    """Every byte of a struct belongs to exactly one field or unit of bit-fields, in order."""
    struct = lower(schema_of(root), environment).struct()
    end = 0
    for field in struct.fields:
        assert field.offset == end or (field.shift is not None and field.offset + field.size == end)
        end = field.offset + field.size
    assert end <= struct.size if struct.flexible else end == struct.size


@pytest.mark.parametrize("schema", SHIPPED, ids=lambda schema: schema.name)
def test_shipped_schemas(schema: Schema) -> None:
    """Every shipped schema lowers everywhere, to the same structs, and its big-endian twin is right."""
    names = list(structs_of(schema))
    for page_size in PAGE_SIZES:
        layout = lower(schema, Environment(page_size))
        assert sorted(names) == sorted(struct.name for struct in layout.structs)
        assert lower(schema, Environment(page_size, "big")) == big_endian(layout)
