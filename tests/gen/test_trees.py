# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated readers of devicetrees: the same verdict, the same place and the same values as Python, on real and on made-up trees."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import write
from devstate.gen.trees import declared_nodes, top
from devstate.handover.open import open_handover
from devstate.handover.tree import judge_tree
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment, FieldLayout, Layout, NodeLayout
from devstate.layout.registry import Registry
from devstate.memory.open import open_input
from devstate.schema import S16, U8, U16, U32, U64, About, Array, Chars, Enum, Flags, FlexArray, MustBeZero, Reserved, Schema, Struct, prop
from devstate.schema import Node as SchemaNode
from devstate.testing.prover import layouts_of
from devstate.testing.sweep import flipped
from tests.gen.reading import Reader, flat, verdict_of

NAMES = [name for name in Registry.shipped().summaries if declared_nodes(layouts_of(name)[0])]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """All formats that are devicetrees."""
    made = Reader(tmp_path_factory.mktemp("trees"), NAMES)
    yield made
    assert made.close() == 0


def same(reader: Reader, name: str, blob: bytes) -> tuple[str, int]:
    """The verdict on a blob, which is the same in both, as are the nodes before the fault."""
    layout = reader.layouts[name]
    nodes, fault = judge_tree(layout, blob)
    (rule, at, _), given = reader.tree(name, blob)
    assert (verdict_of(fault), flat(layout, nodes)) == ((rule, at), given)
    return rule, at


def tree(*children: Node, **properties: bytes) -> bytes:
    """A blob; ``_`` in a property's name stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in properties.items()}
    return bytes(write(Fdt(Node("", named, children))))


def u64(number: int) -> bytes:
    """A number as KHO writes it."""
    return struct.pack("<Q", number)


ROOT = tree(
    Node("LUO", {"preserved-data": u64(0x2000), "blob-size": u64(100)}),
    Node("memblock", {"preserved-data": u64(0x3000), "blob-size": u64(10), "more": b"12"}, [Node("deeper", {"any": b""})]),
    compatible=b"kho-v4\0",
    preserved_memory_map=u64(0x1000),
)


def test_every_devicetree_has_a_reader() -> None:
    """Mainline's and devstate's own among them."""
    assert {"kho-v1@6.16", "kho-v4", "luo-v1", "luo-v2", "memblock-v1", "devstate-v1"} <= set(NAMES)


def test_every_bit_and_every_prefix(reader: Reader) -> None:
    """Of a root of KHO: header, tokens, names, sizes and values. Nothing is read behind the end."""
    assert ("fine", 0) == same(reader, "kho-v4", ROOT)
    for bit in range(8 * len(ROOT)):
        same(reader, "kho-v4", flipped(ROOT, bit))
    for end in range(len(ROOT)):
        same(reader, "kho-v4", ROOT[:end])


def test_words_turned_into_others(reader: Reader) -> None:
    """Tokens where none belong, lengths and offsets of all sizes."""
    draw = random.Random(5)
    for _ in range(1500):
        damaged = bytearray(ROOT)
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(ROOT) // 4) * 4
            damaged[at : at + 4] = draw.choice(
                [draw.randrange(10).to_bytes(4, "big"), draw.randrange(400).to_bytes(4, "big"), draw.randbytes(4)]
            )
        same(reader, "kho-v4", bytes(damaged))


CASES = {
    "no compatible": (tree(preserved_memory_map=u64(1)), "missing", "/compatible"),
    "another compatible": (tree(compatible=b"kho-v3\0", preserved_memory_map=u64(1)), "version", "/compatible"),
    "a longer compatible": (tree(compatible=b"kho-v44\0", preserved_memory_map=u64(1)), "version", "/compatible"),
    "no NUL": (tree(compatible=b"kho-v4", preserved_memory_map=u64(1)), "version", "/compatible"),
    "no NUL at the end": (tree(compatible=b"kho-v4\0more", preserved_memory_map=u64(1)), "version", "/compatible"),
    "a second string": (tree(compatible=b"kho-v4\0more\0", preserved_memory_map=u64(1)), "fine", ""),
    "no map": (tree(compatible=b"kho-v4\0"), "missing", "/preserved-memory-map"),
    "a short map": (tree(compatible=b"kho-v4\0", preserved_memory_map=b"1234"), "size", "/preserved-memory-map"),
    "a child without a size": (
        tree(Node("x", {"preserved-data": u64(1)}), compatible=b"kho-v4\0", preserved_memory_map=u64(1)), "missing", "/*/blob-size",
    ),
    "a long child": (
        tree(Node("x", {"preserved-data": bytes(9), "blob-size": u64(1)}), compatible=b"kho-v4\0", preserved_memory_map=u64(1)),
        "size", "/*/preserved-data",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused(reader: Reader, case: str) -> None:
    """The rule and the property."""
    blob, rule, path = CASES[case]
    assert rule == same(reader, "kho-v4", blob)[0]
    assert path == reader.tree("kho-v4", blob)[0][2]


def test_nodes_that_must_be_there(reader: Reader) -> None:
    """luo-v1 calls for two nodes by name: none may be absent, none may come twice, others do not matter."""
    session = Node("luo-session", {"compatible": b"luo-session-v2\0", "luo-session-header": u64(0x1000)})
    flb = Node("luo-flb", {"compatible": b"luo-flb-v1\0", "luo-flb-header": u64(0x2000)})
    number = {"compatible": b"luo-v1\0", "liveupdate_number": u64(1)}
    assert "fine" == same(reader, "luo-v1", tree(session, Node("x", {}, [Node("luo-flb", {})]), flb, **number))[0]
    assert "missing" == same(reader, "luo-v1", tree(session, **number))[0]
    assert "missing" == same(reader, "luo-v1", tree(Node("x", {}, [flb]), session, **number))[0]
    assert "/luo-flb" == reader.tree("luo-v1", tree(session, **number))[0][2]
    twice = tree(session, Node("luo-flo", dict(flb.properties)), flb, **number)
    assert "twice" == same(reader, "luo-v1", twice.replace(b"luo-flo\0", b"luo-flb\0"))[0]


def test_a_property_that_comes_twice(reader: Reader) -> None:
    """Two readers might take different ones: a declared one is refused, at the second."""
    blob = tree(compatible=b"kho-v4\0", preserved_memory_map=u64(1), preserved_memory_mop=u64(2))
    turned = blob.replace(b"preserved-memory-mop", b"preserved-memory-map")
    assert ("twice", blob.index(u64(2))) == same(reader, "kho-v4", turned)
    other = tree(compatible=b"kho-v4\0", preserved_memory_map=u64(1), aa=b"", ab=b"")
    assert "fine" == same(reader, "kho-v4", other.replace(b"\0ab\0", b"\0aa\0"))[0]


def assembled(structure: bytes, strings: bytes, reserved: int = 0) -> bytes:
    """A blob of these tokens, with ``reserved`` entries in its reserve map; what a writer would not write."""
    entries = struct.pack(">QQ", 0x1000, 1) * reserved + bytes(16)
    start = 40 + len(entries)
    total = start + len(structure) + len(strings)
    words = (0xD00DFEED, total, start, start + len(structure), 40, 17, 16, 0, len(strings), len(structure))
    return struct.pack(">10I", *words) + entries + structure + strings


def padded(data: bytes) -> bytes:
    """To a multiple of four."""
    return data + bytes(-len(data) % 4)


def test_tokens_out_of_place(reader: Reader) -> None:
    """NOPs go anywhere but before the root; nothing goes before it or behind its end, and no property behind a node."""
    begin, end, nop, stop = (bytes((0, 0, 0, token)) for token in (1, 2, 4, 9))
    compatible = struct.pack(">3I", 3, 12, 0) + b"memblock-v1\0"
    node, names = begin + b"x\0\0\0" + end, b"compatible\0b\0"
    other, nowhere = struct.pack(">3I", 3, 0, 11), struct.pack(">3I", 3, 0, 99)
    root = begin + bytes(4)
    cases = {
        "fine": [root + nop + compatible + nop + other + nop + end + stop],
        "missing": [root + other + end + stop],
        "tree": [
            nop + root + compatible + end + stop, other + root + compatible + end + stop, nowhere + root + compatible + end + stop,
            root + compatible + end + nop + stop, root + compatible + end + stop + nop, root + compatible + end + root + end + stop,
            root + compatible + node + other + end + stop, root + compatible + stop, end + stop, stop, b"", root + compatible + end,
            begin + b"r\0\0\0" + compatible + end + stop, root + compatible + begin + bytes(4) + end + end + stop,
        ],
    }  # fmt: skip
    for rule, structures in cases.items():
        for structure in structures:
            assert rule == same(reader, "memblock-v1", assembled(structure, names))[0]


def test_the_limits_of_a_blob(reader: Reader) -> None:
    """Levels, names and the reserve map: as many as are allowed, and one more. Beyond 2 MiB the header alone is refused."""
    begin, end = bytes((0, 0, 0, 1)), bytes((0, 0, 0, 2))
    head = begin + bytes(4) + struct.pack(">3I", 3, 12, 0) + b"memblock-v1\0"
    done = end + bytes((0, 0, 0, 9))
    name = b"compatible\0"
    region = struct.pack(">3I", 3, 15, 0) + padded(b"reserve-mem-v1\0")
    region += b"".join(struct.pack(">3I", 3, 8, 11 + 6 * number) + u64(0x1000) for number in range(2))
    names = name + b"start\0size\0"
    for levels, expected in ((62, "fine"), (63, "limit")):
        inner = (begin + b"y\0\0\0") * levels + end * levels
        assert expected == same(reader, "memblock-v1", assembled(head + begin + b"x\0\0\0" + region + inner + end + done, names))[0]
    for length, expected in ((255, "fine"), (256, "limit")):
        node = begin + padded(b"x" * length + b"\0") + region + end
        assert expected == same(reader, "memblock-v1", assembled(head + node + done, names))[0]
        long = struct.pack(">3I", 3, 0, len(name))
        assert expected == same(reader, "memblock-v1", assembled(head + long + done, name + b"x" * length + b"\0"))[0]
    for entries, expected in ((4096, "fine"), (4097, "limit")):
        assert expected == same(reader, "memblock-v1", assembled(head + done, name, entries))[0]
    for size, expected in ((2 << 20, "tree"), ((2 << 20) + 1, "limit")):
        blob = assembled(head + done, name)
        assert expected == same(reader, "memblock-v1", blob[:4] + size.to_bytes(4, "big") + blob[8:])[0]


def values(field: FieldLayout) -> st.SearchStrategy[bytes]:
    """Bytes for a property: mostly of the right length, with numbers small and large."""
    size = field.size or 16
    small = st.integers(0, 7).map(lambda number: number.to_bytes(size, "little"))
    return st.one_of(small, small, st.binary(min_size=size, max_size=size), st.binary(max_size=40))


@st.composite
def nodes(draw: st.DrawFn, layout: NodeLayout, name: str = "") -> Node:
    """A node that has mostly what is declared of it."""
    properties: dict[str, bytes] = {}
    if layout.compatible is not None and draw(st.integers(0, 9)):
        properties["compatible"] = layout.compatible.encode() + draw(st.sampled_from([b"\0", b"\0", b"\0", b"\0b\0", b"", b"x\0", b"\0x"]))
    for field in layout.properties:
        if draw(st.integers(0, 1 if field.optional else 15)):
            properties["other" if field.name == "*" else field.name] = draw(values(field))
    if draw(st.integers(0, 9)) == 0:
        properties["unknown"] = draw(st.binary(max_size=5))
    children = []
    for child in layout.children:
        for number in range(draw(st.integers(0, 2)) if child.name == "*" else draw(st.integers(0, 9)) > 0):
            children.append(draw(nodes(child, f"n{number}" if child.name == "*" else child.name)))
    if draw(st.integers(0, 9)) == 0:
        children.append(Node("unknown", {"a": b"b"}))
    ordered = draw(st.permutations(sorted(properties)))
    return Node(name, {each: properties[each] for each in ordered}, draw(st.permutations(children)))


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_made_up_trees(reader: Reader, data: st.DataObject) -> None:
    """Of every format: trees that are nearly right, and these with a bit flipped."""
    name = data.draw(st.sampled_from(NAMES))
    root = top(reader.layouts[name])
    assert root is not None
    blob = bytes(write(Fdt(data.draw(nodes(root)))))
    same(reader, name, blob)
    same(reader, name, flipped(blob, data.draw(st.integers(0, 8 * len(blob) - 1))))


def test_real_roots(reader: Reader, any_captures: Path) -> None:
    """Every capture, whole and tampered with: KHO's root and the blobs of its clients that are devicetrees."""
    verdicts = []
    for path in sorted(any_captures.glob("*.core.zst")) + sorted((any_captures / "tampered").glob("*.core.zst")):
        handover = open_handover(open_input(str(path)))
        if handover.fdt is None or handover.fdt.blob is None:
            continue
        verdicts.append((same(reader, "kho-v4", handover.fdt.blob)[0], handover.compatible))
        for subtree in handover.subtrees:
            if subtree.pa and handover.memory is not None and handover.memory.contains(subtree.pa, subtree.size or 40):
                blob = bytes(handover.memory.read(subtree.pa, subtree.size or 40))
                verdicts.append((same(reader, "memblock-v1", blob)[0], subtree.name))
    assert {("fine", "kho-v4"), ("tree", "LUO")} <= set(verdicts)
    assert all(rule in ("fine", "version", "size", "missing", "tree") for rule, _ in verdicts)


def odd() -> list[Layout]:
    """A devicetree that nobody has designed: all kinds of properties, names that C has taken or that are alike in C."""
    inner = Struct("odd_inner", "kind" / Enum(U8, A=1, B=2), "zero" / MustBeZero(U8), "pad" / Reserved(2), "count" / U32 * About(minimum=1))
    deep = SchemaNode("*", prop("z", U8), compatible="deep", optional=True)
    root = SchemaNode(
        "",
        prop("must", MustBeZero(U32)),
        prop("flag-bits", Flags(U64, A=0, B=63)),
        prop("kind", Enum(U16, A=1, B=7), About(optional=True, default=7)),
        prop("signed", S16, About(minimum=-3, maximum=5, optional=True)),
        prop("text", Chars(12), About(optional=True)),
        prop("three", Array(3, U16), About(maximum=9)),
        prop("inner", inner, About(optional=True)),
        prop("inners", FlexArray(inner)),
        prop("numbers", FlexArray(U32), About(maximum=9, optional=True)),
        prop("name", U64),
        prop("has", U8, About(optional=True)),
        prop("int", U32),
        compatible='odd"v1\\',
        children=(
            SchemaNode("root", prop("x", U8), optional=True),
            SchemaNode("any", prop("a-b", U8), prop("a_b", U8, About(optional=True))),
            SchemaNode("*", prop("y", U32, About(minimum=1)), children=(deep,), optional=True),
        ),
    )
    schema = Schema(compatible='odd"v1\\', name="odd", doc="for tests", source="tests", status="project", root=root)
    return [lower(schema, Environment(size)) for size in PAGE_SIZES]


@pytest.fixture(scope="module")
def odd_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The reader of that."""
    made = Reader(tmp_path_factory.mktemp("odd"), [], own=[odd()])
    yield made
    assert made.close() == 0


def test_how_wide_and_deep_a_format_may_be() -> None:
    """32 properties that are looked for, 32 nodes in one, 8 levels; beyond that there is no reader."""

    def known(root: SchemaNode) -> bool:
        made = {"name": "wide", "doc": "for tests", "source": "tests", "status": "project"}
        return bool(declared_nodes(lower(Schema(root=root, **made), Environment())))  # type: ignore[arg-type]  # a dict of arguments

    numbers = [prop(f"p{number}", U8) for number in range(33)]
    assert [True, False] == [known(SchemaNode("", *numbers[:count])) for count in (32, 33)]
    assert [True, False] == [known(SchemaNode("", *numbers[:count], compatible="wide")) for count in (31, 32)]
    children = tuple(SchemaNode(f"n{number}", numbers[0]) for number in range(33))
    assert [True, False] == [known(SchemaNode("", numbers[0], children=children[:count])) for count in (32, 33)]
    for levels, expected in ((8, True), (9, False)):
        node = SchemaNode("x", numbers[0])
        for _ in range(levels - 2):
            node = SchemaNode("x", numbers[0], children=(node,))
        assert expected == known(SchemaNode("", numbers[0], children=(node,)))


@given(st.data())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_odd_trees(odd_reader: Reader, data: st.DataObject) -> None:
    """Every kind of property, mostly right, in any order."""
    root = top(odd_reader.layouts["odd"])
    assert root is not None
    blob = bytes(write(Fdt(data.draw(nodes(root)))))
    same(odd_reader, "odd", blob)
    same(odd_reader, "odd", flipped(blob, data.draw(st.integers(0, 8 * len(blob) - 1))))
