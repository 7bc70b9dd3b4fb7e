# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The tree by itself: lookups, walking, strings, equality."""

from __future__ import annotations

import pytest

from devstate.errors import FdtError
from devstate.fdt import Fdt, Node, Property, read

from .trees import END, END_NODE, REG, ROOT, assemble, prop

DEEP = Node("b", {"reg": b"1"}, [Node("c", {})])
TREE = Fdt(Node("", {"compatible": b"kho-v4\0kho-v3\0"}, [Node("a", {}, [DEEP]), Node("b", {})]))


def test_paths() -> None:
    """Absolute paths from the root; what is not there is None, never an exception."""
    assert TREE.root is TREE.node("/") is TREE.node("")
    assert DEEP is TREE.node("/a/b") is TREE.node("a/b/")
    for path in ("/c", "/a/b/c/d", "/a//b", "/A", "/a/b/c/"[:5] + "x"):
        assert TREE.node(path) is None
    assert TREE.root.child("c") is None


def test_walk() -> None:
    """Depth first, in order, with paths."""
    assert ["/", "/a", "/a/b", "/a/b/c", "/b"] == [path for path, _ in TREE.walk()]


def test_properties() -> None:
    """A property of a tree that was not read has no place."""
    assert Property("reg", b"1", None) == DEEP.property("reg")
    assert DEEP.property("Reg") is None


def test_strings() -> None:
    """A list of strings ends in a NUL; an empty string in it counts."""
    assert ("kho-v4", "kho-v3") == TREE.root.compatible
    assert () == DEEP.compatible
    assert ("",) == Property("x", b"\0").strings()
    assert ("a", "", "b\xff") == Property("x", b"a\0\0b\xff\0").strings()


@pytest.mark.parametrize("value", [b"", b"kho-v4", b"kho\0v4"])
def test_strings_without_end(value: bytes) -> None:
    """The error has the value's offset."""
    root = read(assemble(ROOT + prop(REG, value) + END_NODE + END)).root
    found = root.property("reg")
    assert found is not None
    with pytest.raises(FdtError, match="not a list of strings") as caught:
        found.strings()
    assert 0x4C == caught.value.offset


def test_equality() -> None:
    """Names, values, and the order of both count; places do not."""
    assert Node("a", {"x": b"1", "y": b"2"}) == Node("a", {"x": b"1", "y": b"2"}, [])
    assert Node("a", {"x": b"1", "y": b"2"}) != Node("a", {"y": b"2", "x": b"1"})
    assert Node("", {}, [Node("a", {}), Node("b", {})]) != Node("", {}, [Node("b", {}), Node("a", {})])
    assert Fdt(Node("", {})) != Fdt(Node("", {}), [(1, 2)])
    assert Fdt(Node("", {})) != Fdt(Node("", {}), boot_cpu=1)
    assert Fdt(Node("", {})) != Node("", {})
    assert Node("", {}) != Fdt(Node("", {}))


def test_repr() -> None:
    """Short, whatever the size."""
    assert "Fdt(Node('', 1 properties, 2 children), 0 reserved)" == repr(TREE)
    assert "Property(name='reg', value=b'1', offset=None)" == repr(DEEP.property("reg"))
