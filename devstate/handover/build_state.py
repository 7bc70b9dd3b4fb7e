# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree ``devstate`` into bytes: tree, embedded layouts, sections behind it; the writing twin of ``state``.

::

    header | structure | strings | zeros up to 8 | section | zeros up to 8 | section ...      totalsize counts all of it

Layouts come from the registry, each once. Parts of a few bytes stand in their node, larger ones in sections, the largest in memory of
their own.
"""

from __future__ import annotations

from devstate.codec.encode import encode, encode_array
from devstate.codec.tagged import encode_tagged
from devstate.errors import EncodeError
from devstate.fdt.model import Fdt, Node
from devstate.fdt.rules import MAX_SIZE
from devstate.fdt.writer import SEQUENTIAL, write
from devstate.handover.build_links import text
from devstate.handover.build_parts import linked_records
from devstate.handover.state import DEPTH_MAX, FOUND_BY, LAYOUTS
from devstate.layout.baseline import fingerprint
from devstate.layout.plain import to_plain
from devstate.pagetable.native import crc32c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.build_links import Links
    from devstate.handover.spec import PartSpec

INLINE_MAX = 256
"""Bytes that stand in a node unless told otherwise: what is larger would make the tree slow to walk."""

SECTION_MAX = 64 << 10
"""Bytes that stand behind the tree unless told otherwise: a blob has 2 MiB at most, as any devicetree."""

ALIGN = 8
TOTALSIZE = slice(4, 8)
"""Of the FDT header (Devicetree Specification 0.4, 5.2)."""


class Tree:
    """The tree under construction: properties by path, sections in order."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.layouts: dict[str, bytes] = {}
        self.nodes: dict[str, dict[str, bytes]] = {}
        self.sections: list[tuple[str, bytes]] = []

    def add(self, part: PartSpec) -> None:
        """One part. EncodeError, with its path, for what cannot be written."""
        steps = part.path.split("/")
        if not 2 <= len(steps) <= DEPTH_MAX or not all(steps) or steps[0] == LAYOUTS or part.path in self.nodes:
            raise EncodeError("a part is called SUBSYSTEM/OBJECT[/PART], once", path=part.path, found=part.path)
        if part.raw is not None:
            self.nodes[part.path] = {"compatible": text(part.format)}
            self.put(part, part.raw)
            return
        layout = self.links.registry.layout(part.format, self.links.environment)
        try:
            records = linked_records(self.links, layout, part)
            if layout.encoding == "tagged":
                data = encode_tagged(layout, records[0])
            elif part.many:
                data = encode_array(layout, part.struct, records)
            else:
                (record,) = records
                data = encode(layout, record, part.struct)
        except EncodeError as error:
            raise error.at(path=part.path) from None
        properties = self.nodes[part.path] = {}
        if layout.compatible is not None:
            properties["compatible"] = text(layout.compatible)
        properties["layout"] = text(self.embedded(part.format))
        if part.struct is not None:
            properties["struct"] = text(part.struct)
        if part.many:
            properties["count"] = self.links.number(len(part.records))
        self.put(part, data)

    def put(self, part: PartSpec, data: bytes) -> None:
        """The bytes of a part, where it wants them or where they fit."""
        place = part.place or ("state" if len(data) <= INLINE_MAX else "section" if len(data) <= SECTION_MAX else "memory")
        self.nodes[part.path][place] = self.placed(part.path, place, data)

    def embedded(self, name: str) -> str:
        """The fingerprint of a layout, which is in the tree then."""
        import msgpack

        plain = to_plain(self.links.registry.layout(name, self.links.environment))
        found = fingerprint(plain)
        self.layouts.setdefault(found, msgpack.packb(plain))
        return found

    def placed(self, path: str, place: str, data: bytes) -> bytes:
        """The property that says where ``data`` is."""
        number = self.links.number
        if place == "state":
            return data
        if place == "section":
            self.sections.append((path, data))
            return number(0) + number(len(data)) + number(crc32c(data), 4)
        if place == "memory":
            pa = self.links.room.put(f"devstate/{path}", data)
            return number(pa) + number(len(data)) + number(crc32c(data), 4)
        raise EncodeError("a part stands in state, section or memory", path=path, found=place)

    def blob(self) -> bytes:
        """The whole: the size of the tree does not depend on where the sections are, so it is written twice."""
        size = len(self.tree())
        offsets = []
        for _, data in self.sections:
            size += -size % ALIGN
            offsets.append(size)
            size += len(data)
        if size > MAX_SIZE:
            path = max(self.sections, key=lambda each: len(each[1]))[0] if self.sections else None
            raise EncodeError("the subtree is too large", path=path, expected=f"at most {MAX_SIZE} bytes", found=size, advice="use memory")
        for (path, _), offset in zip(self.sections, offsets, strict=True):
            self.nodes[path]["section"] = self.links.number(offset) + self.nodes[path]["section"][8:]
        blob = bytearray(self.tree())
        for (_, data), offset in zip(self.sections, offsets, strict=True):
            blob += bytes(offset - len(blob)) + data
        blob[TOTALSIZE] = len(blob).to_bytes(4, "big")
        return bytes(blob)

    def tree(self) -> bytes:
        """The devicetree without sections."""
        (name,) = self.links.registry.found_by(FOUND_BY)
        compatible = self.links.registry.summaries[name].compatible
        layouts = [Node(each, {"data": data}) for each, data in sorted(self.layouts.items())]
        roots: dict[str, Node] = {}
        made: dict[str, list[Node]] = {"": [Node(LAYOUTS, {}, layouts)]}
        for path in [each for part in self.nodes for each in _above(part)]:
            if path in roots:
                continue
            parent, _, last = path.rpartition("/")
            roots[path] = Node(last, self.nodes.get(path, {}), made.setdefault(path, []))
            made[parent].append(roots[path])
        return write(Fdt(Node("", {"compatible": text(compatible)}, made[""])), SEQUENTIAL)


def _above(path: str) -> list[str]:
    """The paths of all nodes down to this one, outermost first."""
    steps = path.split("/")
    return ["/".join(steps[:depth]) for depth in range(1, len(steps) + 1)]


def build_state(links: Links, parts: tuple[PartSpec, ...]) -> bytes:
    """The blob of ``parts``. EncodeError, with the path, for one that cannot be written; UsageError for a format that is not known."""
    tree = Tree(links)
    for part in parts:
        tree.add(part)
    return tree.blob()
