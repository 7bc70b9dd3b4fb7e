# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The tree that a flattened devicetree holds: :class:`Fdt`, :class:`Node`, :class:`Property`. Values: nothing changes them.

Names are text of one character a byte (latin-1), so that any name survives a round trip. A node's properties are a mapping from
name to raw value, in the order of the bytes: what a value means, and in which byte order, is for a schema to say. Nodes that
were read know their span in the blob, and find the offset of a property there when somebody asks for it.
"""

from __future__ import annotations

from devstate.errors import FdtError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from devstate.fdt.header import Header
    from devstate.fdt.structure import Structure


@frozen
class Property:
    """A property, its raw value, and the byte offset of the value in the blob (None when it was not read from one)."""

    name: str
    value: bytes
    offset: int | None = None

    def strings(self) -> tuple[str, ...]:
        """The value as a list of NUL-terminated strings (``compatible`` is one). FdtError when the last NUL is missing."""
        if not self.value.endswith(b"\0"):
            raise FdtError(f"{self.name} is not a list of strings", offset=self.offset, expected="a NUL at the end", found=self.value[-8:])
        return tuple(self.value[:-1].decode("latin-1").split("\0"))


class Node:
    """A node: ``name`` (empty for the root), ``properties`` (name to value), ``children``; its span is ``offset`` and ``size``.

    The span runs from the begin token to the end of the end token, counted in the blob; ``offset`` is None, and ``structure``
    (the block that it was read from) too, for a node that was not read. Where the rule on duplicates is switched off,
    ``properties`` has the first of a name, as libfdt would look it up.
    """

    __slots__ = ("children", "name", "offset", "properties", "size", "structure")

    def __init__(
        self, name: str, properties: Mapping[str, bytes], children: Sequence[Node] = (),
        offset: int | None = None, structure: Structure | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.properties = properties
        self.children = children
        self.offset = offset
        self.size = 0
        self.structure = structure

    @property
    def compatible(self) -> tuple[str, ...]:
        """The strings of ``compatible``; empty when there is none. FdtError when it is not a list of strings."""
        found = self.property("compatible")
        return found.strings() if found else ()

    def property(self, name: str) -> Property | None:
        """The property of that name with its place in the blob, or None. Linear in them; ``properties`` has the value alone."""
        value = self.properties.get(name)
        if value is None:
            return None
        offsets = self.structure.value_offsets(self) if self.structure else {}
        return Property(name, value, offsets.get(name))

    def child(self, name: str) -> Node | None:
        """The first child of that name, or None. Linear in the number of children."""
        return next((child for child in self.children if child.name == name), None)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Node)
            and self.name == other.name
            and list(self.properties.items()) == list(other.properties.items())
            and list(self.children) == list(other.children)
        )

    __hash__ = None  # type: ignore[assignment]  # the mapping is not hashable

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {len(self.properties)} properties, {len(self.children)} children)"


class Fdt:
    """A whole flattened devicetree. Two are equal when trees, reserve maps and boot CPUs are, however they are laid out.

    ``reserve_map`` holds (address, size) pairs. ``header`` and ``blob`` (its ``totalsize`` bytes) are None when it was not read.
    """

    __slots__ = ("blob", "boot_cpu", "header", "reserve_map", "root")

    def __init__(
        self, root: Node, reserve_map: Iterable[tuple[int, int]] = (), boot_cpu: int = 0, *,
        header: Header | None = None, blob: bytes | None = None,
    ) -> None:  # fmt: skip
        self.root = root
        self.reserve_map = tuple(reserve_map)
        self.boot_cpu = boot_cpu
        self.header = header
        self.blob = blob

    def node(self, path: str) -> Node | None:
        """The node at an absolute path such as ``/LUO`` (``/`` is the root), or None."""
        node: Node | None = self.root
        for name in path.strip("/").split("/") if path.strip("/") else ():
            node = node.child(name) if node else None
        return node

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Each node with its path, in the order of the bytes."""
        yield "/", self.root
        stack = [("/", iter(self.root.children))]
        while stack:
            prefix, nodes = stack[-1]
            node = next(nodes, None)
            if node is None:
                stack.pop()
            else:
                yield prefix + node.name, node
                stack.append((f"{prefix}{node.name}/", iter(node.children)))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Fdt)
            and self.boot_cpu == other.boot_cpu
            and self.reserve_map == other.reserve_map
            and self.root == other.root
        )

    __hash__ = None  # type: ignore[assignment]  # see Node

    def __repr__(self) -> str:
        return f"Fdt({self.root!r}, {len(self.reserve_map)} reserved)"
