# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The writer: each style's bytes, what is refused, and that a blob is preserved whatever it looks like."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from devstate.errors import EncodeError, UsageError
from devstate.fdt import ALL_RULES, Fdt, Node, read, rules
from devstate.fdt.writer import CANONICAL, IN_PLACE, PRESERVE, SEQUENTIAL, STYLES, write

from . import strategies
from .test_reader import BLOB, BROKEN_RULES
from .trees import COMPATIBLE, END, END_NODE, NOP, ROOT, assemble, begin, prop


def strings(blob: bytes) -> bytes:
    """The strings block."""
    return blob[int.from_bytes(blob[0x0C:0x10], "big") :]


def name_offsets(blob: bytes) -> list[int]:
    """The name offset of each property, in order."""
    fdt = read(blob)
    places = [node.property(name) for _, node in fdt.walk() for name in node.properties]
    return [int.from_bytes(blob[place.offset - 4 : place.offset], "big") for place in places if place and place.offset]


def test_sequential_bytes() -> None:
    """The smallest tree with everything, byte by byte: the reserve map starts at 0x30, strings stand last-used first."""
    fdt = Fdt(Node("", {"compatible": b"kho-v4\0"}, [Node("LUO", {"reg": b"\1\2\3\4"})]), [(0x1000, 0x2000)], 5)
    expected = bytes.fromhex(
        "d00dfeed" "0000009f" "00000050" "00000090" "00000030" "00000011" "00000010" "00000005" "0000000f" "00000040"
        "0000000000000000"  #                                     a gap up to 0x30
        "0000000000001000" "0000000000002000"  #                  reserve map
        "0000000000000000" "0000000000000000"
        "00000001" "00000000"  #                                  begin ""
        "00000003" "00000007" "00000004" "6b686f2d76340000"  #    compatible = "kho-v4"
        "00000001" "4c554f00"  #                                  begin "LUO"
        "00000003" "00000004" "00000000" "01020304"  #            reg
        "00000002" "00000002" "00000009"  #                       end, end, end
        "72656700" "636f6d70617469626c6500"  #                    "reg", "compatible"
    )  # fmt: skip
    assert expected == write(fdt)


def test_strings_of_each_style() -> None:
    """Where names go that are new, and that a tail of another one is not written again."""
    below = Node("old", {"e": b"", "xd": b""}), Node("new", {"f": b"", "d": b"", "ab": b""})
    fdt = Fdt(Node("", {"b": b"", "ab": b"", "c": b""}, [below[1], below[0]]))
    assert b"xd\0e\0d\0f\0c\0ab\0b\0" == strings(write(fdt, SEQUENTIAL))
    assert b"c\0ab\0b\0xd\0e\0f\0" == strings(write(fdt, IN_PLACE))
    assert b"ab\0c\0d\0f\0e\0xd\0" == strings(write(fdt, CANONICAL))


def test_a_hidden_name_has_two_offsets() -> None:
    """libfdt finds a name's tail in a string that was put in front later: properties of one name, two offsets."""
    fdt = Fdt(Node("", {"reg": b""}, [Node("a", {"xreg": b"", "reg": b""}), Node("b", {"reg": b""})]))
    blob = write(fdt)
    assert b"xreg\0reg\0" == strings(blob)
    assert [5, 0, 1, 1] == name_offsets(blob)


def test_canonical_order() -> None:
    """Trees that differ in the order of everything have the same canonical bytes."""
    one = Fdt(Node("", {"a": b"1", "b": b"2"}, [Node("x", {}, [Node("p", {}), Node("q", {})]), Node("y", {})]), [(1, 2), (3, 4)])
    two = Fdt(Node("", {"b": b"2", "a": b"1"}, [Node("y", {}), Node("x", {}, [Node("q", {}), Node("p", {})])]), [(3, 4), (1, 2)])
    assert write(one, CANONICAL) == write(two, CANONICAL)
    assert write(one) != write(two)
    assert one == read(write(one, CANONICAL))


@given(strategies.fdts)
@settings(max_examples=100, deadline=None)
def test_round_trip(fdt: Fdt) -> None:
    """What is written reads back as the same tree, and is preserved."""
    for style in (SEQUENTIAL, IN_PLACE):
        blob = write(fdt, style)
        again = read(blob)
        assert fdt == again
        assert blob == write(again, PRESERVE) == write(again, style)


def test_preserve_keeps_what_no_tree_shows() -> None:
    """NOPs, gaps, unused strings, the order of blocks, bytes in the padding, other versions, the address that ends the map."""
    structure = ROOT + prop(7, b"1")[:-3] + b"pad" + NOP + begin("a") + NOP + END_NODE + NOP + END_NODE + END
    words = {"off_dt_strings": 0x38, "size_dt_strings": 16, "off_dt_struct": 0x50, "size_dt_struct": len(structure), "version": 99}
    blob = assemble(b"", b"unused\0reg\0more\0" + b"gap!!!!!" + structure, reserve=bytes(7) + b"\1" + bytes(8), **words)
    fdt = read(blob + b"behind it")
    assert {"reg": b"1"} == fdt.root.properties
    assert blob == write(fdt, PRESERVE)
    assert fdt == read(write(fdt))


def test_preserve_comes_from_the_tree() -> None:
    """Not from the blob: another value of the same size in the tree is another value in the bytes, in its place."""
    fdt = read(BLOB)
    fdt.root.properties["compatible"] = b"kho-v3\0"  # type: ignore[index]  # behind the back of the model
    expected = BLOB.replace(b"kho-v4", b"kho-v3")
    assert expected == write(fdt, PRESERVE)


@pytest.mark.parametrize("rule", sorted(ALL_RULES - {rules.NO_ROOT}))
def test_trees_that_break_rules(rule: str) -> None:
    """The writer writes what it is given; what can be judged is judged by the reader."""
    fdt = read(BROKEN_RULES[rule][0], allow=ALL_RULES)
    for style in (SEQUENTIAL, IN_PLACE):
        assert fdt == read(write(fdt, style), allow=ALL_RULES)


@pytest.mark.parametrize(
    ("fdt", "text"),
    [
        (Fdt(Node("root", {})), "the root node has a name; expected an empty name; found 'root'"),
        (Fdt(Node("", {"\u20ac": b""})), "name has characters beyond one byte"),
        (Fdt(Node("", {}, [Node("\u20ac", {})])), "name has characters beyond one byte"),
        (Fdt(Node("", {"a\0b": b""})), "name has a NUL in it"),
        (Fdt(Node("", {}, [Node("a\0", {}), Node("b", {})])), "name has a NUL in it"),
        (Fdt(Node("", {}), [(5, 0)]), "reserve map entry has size 0"),
        (Fdt(Node("", {}), [(1 << 64, 1)]), "reserve map entry is beyond 64 bits"),
        (Fdt(Node("", {}), [(-1, 1)]), "reserve map entry is beyond 64 bits"),
        (Fdt(Node("", {}), boot_cpu=1 << 32), "boot CPU is beyond 32 bits"),
        (Fdt(Node("", {}), boot_cpu=-1), "boot CPU is beyond 32 bits"),
    ],
)
def test_refused(fdt: Fdt, text: str) -> None:
    """What the format cannot hold, in every style that lays out anew."""
    for style in (SEQUENTIAL, IN_PLACE, CANONICAL):
        with pytest.raises(EncodeError) as caught:
            write(fdt, style)
        assert text in str(caught.value)


def test_unknown_style() -> None:
    """The message has the styles that there are."""
    with pytest.raises(UsageError, match="sequential, in-place, canonical, preserve"):
        write(Fdt(Node("", {})), "dtc")
    assert 4 == len(STYLES)


def test_nothing_to_preserve() -> None:
    """A tree that was not read has no bytes to keep."""
    with pytest.raises(EncodeError, match="cannot be preserved"):
        write(Fdt(Node("", {})), PRESERVE)


def chain(depth: int) -> Node:
    """Nodes on one path, the root included."""
    node = Node("n" if depth > 1 else "", {})
    for level in range(depth - 1, 0, -1):
        node = Node("n" if level > 1 else "", {}, [node])
    return node


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the reader would refuse is not written: at each limit and one above it."""
    name = "n" * rules.MAX_NAME
    names = [f"{number:04}" for number in range(rules.MAX_PROPERTY_NAMES + 1)]
    room = (rules.MAX_SIZE - len(write(Fdt(Node("", {"a": b""}))))) // 4 * 4
    monkeypatch.setattr(rules, "MAX_NODES", 5)
    monkeypatch.setattr(rules, "MAX_PROPERTIES", rules.MAX_PROPERTY_NAMES + 1)
    many = dict.fromkeys(names[:-1], b"")
    below = [Node("a", dict.fromkeys(names[:count], b"")) for count in (1, 2)]
    reserved = [(1, 1)] * (rules.MAX_RESERVED + 1)
    for within, above, text in (
        (Fdt(Node("", {name: b""})), Fdt(Node("", {name + "n": b""})), "name is too long"),
        (Fdt(Node("", {}, [Node(name, {})])), Fdt(Node("", {}, [Node(name + "n", {})])), "name is too long"),
        (Fdt(Node("", many)), Fdt(Node("", dict.fromkeys(names, b""))), "too many property names"),
        (Fdt(Node("", many, [below[0]])), Fdt(Node("", many, [below[1]])), "too many properties"),
        (Fdt(chain(5)), Fdt(chain(6)), "too many nodes"),
        (Fdt(Node("", {"a": bytes(room)})), Fdt(Node("", {"a": bytes(room + 1)})), "too large"),
        (Fdt(Node("", {}), reserved[1:]), Fdt(Node("", {}), reserved), "reserve map is too long"),
    ):
        assert within == read(write(within))
        with pytest.raises(EncodeError, match=text):
            write(above)


def test_limit_of_depth() -> None:
    """MAX_DEPTH nodes on one path, and one more; a very deep tree is refused without recursion."""
    deepest = Fdt(chain(rules.MAX_DEPTH))
    assert deepest == read(write(deepest))
    for depth in (rules.MAX_DEPTH + 1, 5_000):
        with pytest.raises(EncodeError, match="nested too deeply"):
            write(Fdt(chain(depth)))


def test_no_padding_is_left_out() -> None:
    """Values of each length modulo 4, names too."""
    for size in range(9):
        fdt = Fdt(Node("", {"p": b"v" * size}, [Node("n" * (size + 1), {})]))
        blob = write(fdt)
        assert fdt == read(blob)
        assert assemble(ROOT + prop(0, b"v" * size) + begin("n" * (size + 1)) + END_NODE * 2 + END, b"p\0")[0x38:] == blob[0x40:]
    assert COMPATIBLE == 0
