# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The structure block: one pass over its tokens, which checks everything and makes the nodes.

Tokens are big-endian words, each at a multiple of 4 from the start of the block::

    00000001  name... 00 pad                      FDT_BEGIN_NODE   the root's name is empty
    00000003  length  nameoff  value... pad       FDT_PROP         nameoff counts from the start of the strings block
    00000002                                      FDT_END_NODE
    00000004                                      FDT_NOP
    00000009                                      FDT_END          right after the root's end

Source: Devicetree Specification 0.4, 5.4.
"""

from __future__ import annotations

from struct import Struct, unpack
from struct import error as StructError

from devstate.errors import DecodeError, FdtError, LimitError
from devstate.fdt import rules
from devstate.fdt.model import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devstate.fdt.problems import Problems

    Fetch = Callable[[bytes, int], tuple[bytes, bytes]]

BEGIN_NODE = b"\0\0\0\1"
END_NODE = b"\0\0\0\2"
PROP = b"\0\0\0\3"
NOP = b"\0\0\0\4"
END = b"\0\0\0\x09"
PROPERTY_HEAD = 12
"""Bytes of FDT_PROP, length and name offset."""


class Structure:
    """The structure block at ``span`` (start, end) of ``data``, whose property names are in the strings block at ``strings``.

    ``heads`` maps each 12-byte property head met to (how to fetch such a property's value and the 12 bytes after it in one go,
    bytes up to the next token, name). Blobs repeat few heads, so this is both what has been checked already and the quick way on.
    """

    __slots__ = ("__weakref__", "base", "block", "data", "end", "frames", "heads", "names", "problems", "strings")

    def __init__(self, data: bytes, span: tuple[int, int], strings: tuple[int, int], problems: Problems) -> None:
        self.data = data
        self.base = span[0]
        self.end = max(span[1] - span[0], 0)
        self.block = data[span[0] : span[1]] + bytes(PROPERTY_HEAD)
        self.strings = strings
        self.problems = problems
        self.heads: dict[bytes, tuple[Fetch, int, str]] = {}
        self.names: dict[int, str] = {}
        # The open nodes, outermost first, with their properties and children so far. The first frame is the block itself.
        self.frames: list[tuple[Node, dict[str, bytes], list[Node]]] = [(Node("", {}), {}, [])]

    def root(self) -> Node:
        """The root node; an empty one if there is none.

        When problems are collected and one is met that nothing can follow, the nodes that are open end at its place.
        """
        roots = self.frames[0][2]
        try:
            self._scan()
        except DecodeError as error:
            if self.problems.found is None:
                raise
            self.problems.found.append(error)
        finally:
            # Nodes refer to this object: a reference back would keep every tree alive until the cycle collector comes.
            self.frames.clear()
        return roots[0] if roots else Node("", {})

    def _scan(self) -> None:
        """The pass. Properties seen before, begins and ends of nodes are its quick way; what is odd is judged elsewhere."""
        block, base, known, frames = self.block, self.base, self.heads, self.frames
        text = block[: self.end].decode("latin-1")
        max_name, max_nodes, max_depth = rules.MAX_NAME, rules.MAX_NODES, rules.MAX_DEPTH
        pos = nodes = count = 0
        node, properties, children = frames[0]
        head = block[:PROPERTY_HEAD]
        try:
            while True:
                found = known.get(head)
                if found is not None:
                    fetch, step, name = found
                    value, head = fetch(block, pos)
                    if children or name in properties:
                        self._odd_property(name, value, pos)
                    else:
                        properties[name] = value
                    pos += step
                    continue
                token = head[:4]
                if token == PROP:
                    self._learn(head, pos)
                    continue
                if token == BEGIN_NODE:
                    nodes += 1
                    stop = text.find("\0", pos + 4, pos + 5 + max_name)
                    name = text[pos + 4 : stop]
                    if not name or "/" in name or stop < 0 or nodes > max_nodes or not 1 < len(frames) <= max_depth:
                        self._odd_node(name, pos, stop, nodes)
                    properties, siblings, children = {}, children, []
                    node = Node(name, properties, children, base + pos, self)
                    siblings.append(node)
                    frames.append((node, properties, children))
                    pos = stop + 4 & -4
                elif token == END_NODE and len(frames) > 1:
                    pos += 4
                    count += len(properties)
                    if len(children) > 1 or count > rules.MAX_PROPERTIES:
                        self._check_whole(children, count, pos)
                    node.size = base + pos - node.offset  # type: ignore[operator]  # a node of this scan has one
                    frames.pop()
                    node, properties, children = frames[-1]
                    if len(frames) == 1:
                        return self._finish(pos)
                elif token == NOP:
                    pos += 4
                elif token == END and len(frames) == 1:
                    self.problems.judge(rules.NO_ROOT, "structure block has no root node", base + pos)
                    return self._finish(pos)
                else:
                    raise self._bad_token(token, pos)
                head = block[pos : pos + PROPERTY_HEAD]
        except StructError:
            raise self._error("property overruns the structure block", pos, f"at most {self.end - pos} bytes", step) from None
        finally:
            for frame in frames[1:]:
                frame[0].size = base + min(pos, self.end) - (frame[0].offset or 0)

    def value_offsets(self, node: Node) -> dict[str, int]:
        """Where the value of each property of a node of this block starts, counted in the blob; of two of a name, the first."""
        offsets: dict[str, int] = {}
        for name, at in self.places(node):
            offsets.setdefault(name, at)
        return offsets

    def places(self, node: Node) -> Iterator[tuple[str, int]]:
        """Each property of a node of this block with the place of its value, counted in the blob."""
        children = iter(node.children)
        pos = (node.offset or 0) - self.base
        stop = pos + node.size
        pos += 4 + (len(node.name) + 4 & -4)
        while pos < stop:
            found = self.heads.get(self.block[pos : pos + PROPERTY_HEAD])
            if found is not None:
                yield found[2], self.base + pos + PROPERTY_HEAD
                pos += found[1]
            elif self.block[pos : pos + 4] == NOP:
                pos += 4
            else:
                child = next(children, None)
                if child is None:
                    break
                pos = (child.offset or 0) - self.base + child.size

    def _finish(self, pos: int) -> None:
        """After the root: FDT_END, and nothing behind it."""
        if self.block[pos : pos + 4] != END:
            raise self._error("the root node is not followed by FDT_END", pos, END.hex(), self._rest(pos))
        left = self.end - pos - 4
        if left:
            self.problems.judge(rules.TRAILING_STRUCT, f"{left} bytes follow FDT_END in the structure block", self.base + pos + 4)

    # -- the slow way -------------------------------------------------------------------------------------------------------

    def _learn(self, head: bytes, pos: int) -> None:
        """Check a property head that was not met before."""
        if pos + PROPERTY_HEAD > self.end:
            raise self._error("property is cut by the end of the structure block", pos, f"{PROPERTY_HEAD} bytes", self.end - pos)
        length, name_offset = unpack(">II", head[4:])
        if len(self.frames) == 1:
            self.problems.judge(rules.STRAY_PROPERTY, "property outside of the root node", self.base + pos)
        name = self.names.get(name_offset)
        if name is None:
            name = self.names[name_offset] = self._property_name(name_offset, pos)
        fetch = Struct(f"{PROPERTY_HEAD}x{length}s{-length & 3}x{PROPERTY_HEAD}s").unpack_from
        self.heads[head] = fetch, PROPERTY_HEAD + (length + 3 & -4), name

    def _property_name(self, name_offset: int, pos: int) -> str:
        """The name at an offset into the strings block, or ``<0xOFFSET>`` when problems are collected and it is not there."""
        if len(self.names) >= rules.MAX_PROPERTY_NAMES:
            raise self._limit("too many property names", pos, rules.MAX_PROPERTY_NAMES, len(self.names) + 1)
        first, last = self.strings
        start = first + name_offset
        end = self.data.find(0, start, min(last, start + rules.MAX_NAME + 1))
        if end < 0 and start + rules.MAX_NAME < last:
            raise self._limit("property name is too long", pos + 8, rules.MAX_NAME, "no NUL")
        if end < 0:
            self.problems.meet(
                self._error("property name is outside the strings block", pos + 8, f"below {last - first:#x}", f"{name_offset:#x}")
                if start >= last
                else self._error("property name has no end in the strings block", pos + 8, "a NUL", f"{last - start} bytes")
            )
            return f"<{name_offset:#x}>"
        name = self.data[start:end].decode("latin-1")
        self._judge_name(name, pos, "property")
        return name

    def _judge_name(self, name: str, pos: int, what: str) -> None:
        if not name:
            self.problems.judge(rules.EMPTY_NAME, f"{what} without a name", self.base + pos, self.path())
        elif "/" in name:
            self.problems.judge(rules.SLASH_IN_NAME, f"{what} name {name!r} has a '/'", self.base + pos, self.path())

    def _odd_property(self, name: str, value: bytes, pos: int) -> None:
        """A property that is a duplicate, or comes after a subnode. The first of a name is kept."""
        _, properties, children = self.frames[-1]
        if name in properties:
            self.problems.judge(rules.DUPLICATE_PROPERTY, f"second property {name!r} in one node", self.base + pos, self.path())
        if children:
            self.problems.judge(rules.PROPERTY_AFTER_SUBNODE, f"property {name!r} after a subnode", self.base + pos, self.path())
        properties.setdefault(name, value)

    def _odd_node(self, name: str, pos: int, stop: int, nodes: int) -> None:
        """A node whose name is empty, unusual or endless, or that is beyond a limit."""
        if len(self.frames) > rules.MAX_DEPTH:
            raise self._limit("nodes are nested too deeply", pos, rules.MAX_DEPTH, len(self.frames))
        if nodes > rules.MAX_NODES:
            raise self._limit("too many nodes", pos, rules.MAX_NODES, nodes)
        if stop < 0:
            if pos + 4 + rules.MAX_NAME < self.end:
                raise self._limit("node name is too long", pos + 4, rules.MAX_NAME, "no NUL")
            raise self._error("node name has no end in the structure block", pos + 4, "a NUL", f"{self.end - pos - 4} bytes")
        if len(self.frames) > 1:
            self._judge_name(name, pos, "node")
        elif name:
            raise self._error("the root node has a name", pos + 4, "an empty name", repr(name))
        elif pos and not self.frames[0][1]:
            self.problems.judge(rules.ROOT_NOT_FIRST, f"{pos} bytes stand before the root node", self.base + pos)

    def _check_whole(self, children: list[Node], count: int, pos: int) -> None:
        """At the end of a node: the number of properties so far, and the names of its children."""
        if count > rules.MAX_PROPERTIES:
            raise self._limit("too many properties", pos, rules.MAX_PROPERTIES, count)
        if len({child.name for child in children}) != len(children):
            seen: set[str] = set()
            for child in children:
                if child.name in seen:
                    message = f"second child {child.name!r} of one node"
                    self.problems.judge(rules.DUPLICATE_NODE, message, child.offset or 0, self.path())
                seen.add(child.name)

    def _bad_token(self, token: bytes, pos: int) -> FdtError:
        if pos + 4 > self.end:
            return self._error("the structure block ends without FDT_END", min(pos, self.end), END.hex(), self._rest(pos))
        if token == END:
            return self._error("FDT_END inside of a node", pos, END_NODE.hex(), token.hex())
        if token == END_NODE:
            return self._error("FDT_END_NODE outside of a node", pos, BEGIN_NODE.hex(), token.hex())
        return self._error("unknown token", pos, "1, 2, 3, 4 or 9", f"{int.from_bytes(token, 'big'):#x}")

    def _rest(self, pos: int) -> str:
        """What stands where a token should, for a message."""
        return self.block[pos : min(pos + 4, self.end)].hex() or "the end of the block"

    def path(self) -> str | None:
        """The path of the innermost open node."""
        return "/" + "/".join(node.name for node, _, _ in self.frames[2:]) if len(self.frames) > 1 else None

    def _error(self, message: str, pos: int, expected: object, found: object) -> FdtError:
        offset, source = self.base + pos, self.problems.source
        return FdtError(message, source=source, offset=offset, path=self.path(), expected=expected, found=found)

    def _limit(self, message: str, pos: int, limit: int, found: object) -> LimitError:
        offset, source = self.base + pos, self.problems.source
        return LimitError(message, source=source, offset=offset, path=self.path(), expected=f"at most {limit}", found=found)
