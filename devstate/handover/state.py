# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree ``devstate``: parts, each with its bytes and the layout that it is written in; schemas/project/subtree.py has the contract.

::

    /layouts/FINGERPRINT                   -> layouts, each checked before it is trusted
    /SUBSYSTEM/OBJECT[/PART]               -> parts: devstate/SUBSYSTEM/OBJECT[/PART]
        state | section | memory           -> bytes: in the property, in the blob behind the tree, in memory of their own

Everything in it is input: what does not fit becomes a problem, and the parts that are whole stay readable.
"""

from __future__ import annotations

from bisect import bisect_right

from devstate.codec.decode import decode, decode_array
from devstate.codec.plan import plan_of
from devstate.errors import DecodeError, DevstateError, SchemaError, UsageError
from devstate.handover.state_links import follow_links
from devstate.layout.sound import layout_from_input
from devstate.pagetable.native import crc32c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.codec.record import Record
    from devstate.codec.tagged import Tagged
    from devstate.fdt.model import Fdt, Node
    from devstate.handover.follow import Follow
    from devstate.handover.model import Subtree
    from devstate.handover.state_links import Linked
    from devstate.layout.model import Layout

FOUND_BY = "KHO subtree devstate"
COMPATIBLE = "devstate-v1"
LAYOUTS = "layouts"

LAYOUTS_MAX = 256
"""Layouts of one subtree: two hundred drivers with one each."""

PARTS_MAX = 4096
"""Parts of one subtree: a thousand objects with four each."""

DEPTH_MAX = 4
"""Subsystem, object, part, and one below."""

SECTION_SIZE = 20
"""Bytes of ds_section and ds_memory: two u64 and a u32."""

PLACES = ("state", "section", "memory")
"""Where the bytes of a part may stand; a part has one of them."""


class Part:
    """One part: ``path`` from ``devstate`` on; ``format`` its compatible, empty where it has none; ``struct`` what it is, or has ``count``
    of (None: one). ``data`` is None when the bytes are not there or not sound, ``layout`` when that is so of the layout; ``pa`` is where
    the bytes stand, ``place`` in which of PLACES, ``link`` the address of the property. ``linked`` is what its records lead to.
    """

    __slots__ = ("count", "data", "fingerprint", "format", "layout", "link", "linked", "pa", "path", "place", "struct")

    def __init__(self, path: str) -> None:
        self.path = path
        self.format = ""
        self.fingerprint = ""
        self.layout: Layout | None = None
        self.struct: str | None = None
        self.count: int | None = None
        self.place = ""
        self.data: memoryview | None = None
        self.pa: int | None = None
        self.link: int | None = None
        self.linked: tuple[Linked, ...] = ()

    @property
    def is_tagged(self) -> bool:
        """Whether the bytes are a tagged map (docs/tagged.md), which :meth:`tagged` decodes."""
        return self.layout is not None and self.layout.encoding == "tagged"

    def tagged(self) -> Tagged:
        """The map. Errors as :meth:`records`."""
        from devstate.codec.tagged import decode_tagged

        if self.layout is None or self.data is None:
            raise UsageError(f"{self.path}: its layout or its bytes are not there, or damaged; `devstate inspect` says more")
        try:
            return decode_tagged(self.layout, bytes(self.data))
        except DecodeError as error:
            raise error.at(source=self.path) from None

    def records(self) -> list[Record]:
        """What the bytes say by the embedded layout alone. DecodeError for bytes that do not hold it; UsageError where there is nothing,
        and for a tagged map.
        """
        if self.layout is None or self.data is None:
            raise UsageError(f"{self.path}: its layout or its bytes are not there, or damaged; `devstate inspect` says more")
        try:
            if self.count is None:
                return [decode(self.layout, self.data, self.struct, pa=self.pa, exact=True)]
            return decode_array(self.layout, self.struct, self.data, self.count, pa=self.pa)
        except DecodeError as error:
            raise error.at(source=self.path) from None


class State:
    """The whole subtree: ``layouts`` by fingerprint, ``parts`` in the order of the tree."""

    __slots__ = ("layouts", "parts")

    def __init__(self) -> None:
        self.layouts: dict[str, Layout] = {}
        self.parts: list[Part] = []

    def part(self, path: str) -> Part | None:
        """The part at a path, with or without ``devstate/`` in front."""
        wanted = f"devstate/{path.strip('/').removeprefix('devstate/')}"
        return next((part for part in self.parts if part.path == wanted), None)


def open_state(follow: Follow, subtree: Subtree) -> State | None:
    """What is in the subtree; None when it is no tree."""
    if subtree.fdt is None:
        return None
    state = State()
    reader = _Reader(follow, subtree, subtree.fdt, state)
    reader.layouts()
    for path, node in _nodes(follow, subtree.fdt, subtree.pa):
        if any(name in node.properties for name in (*PLACES, "layout")):
            if len(state.parts) == PARTS_MAX:
                follow.problem("state-part", "too many parts: the rest is not read", subtree.pa, path, f"at most {PARTS_MAX}", "more")
                break
            state.parts.append(reader.part(path, node))
    for part in state.parts:
        part.linked = follow_links(follow, part)
    return state


def _nodes(follow: Follow, fdt: Fdt, base: int | None) -> Iterator[tuple[str, Node]]:
    """The nodes of subsystems and below, with their paths."""
    pending = [(f"devstate/{node.name}", node, 1) for node in reversed(fdt.root.children) if node.name != LAYOUTS]
    while pending:
        path, node, depth = pending.pop()
        yield path, node
        if depth == DEPTH_MAX and node.children:
            at = base if base is None or node.offset is None else base + node.offset
            follow.problem("state-part", "parts are nested too deeply", at, path, f"at most {DEPTH_MAX}", "more")
        elif depth < DEPTH_MAX:
            pending += [(f"{path}/{child.name}", child, depth + 1) for child in reversed(node.children)]


class _Reader:
    """One run of :func:`open_state`."""

    def __init__(self, follow: Follow, subtree: Subtree, fdt: Fdt, state: State) -> None:
        self.follow, self.subtree, self.fdt, self.state = follow, subtree, fdt, state
        self.taken: list[tuple[int, int]] = []

    def problem(self, code: str, message: str, path: str, at: int | None, expected: object = None, found: object = None) -> None:
        """Note a problem; ``at`` is an offset in the blob."""
        base = self.subtree.pa
        self.follow.problem(code, message, base if base is None or at is None else base + at, path, expected, found)

    def layouts(self) -> None:
        """Every embedded layout that is sound."""
        node = self.fdt.root.child(LAYOUTS)
        children = node.children if node is not None else ()
        if len(children) > LAYOUTS_MAX:
            self.problem("state-layout", "too many layouts", f"devstate/{LAYOUTS}", None, f"at most {LAYOUTS_MAX}", len(children))
        for child in children[:LAYOUTS_MAX]:
            path = f"devstate/{LAYOUTS}/{child.name}"
            found = child.property("data")
            if found is None:
                self.problem("state-layout", "a layout without data", path, child.offset)
                continue
            try:
                layout = layout_from_input(found.value, child.name)
                for struct in layout.structs if layout.encoding == "packed" else ():
                    plan_of(layout, struct.name)
            except (DecodeError, SchemaError, UsageError) as error:
                self.problem("state-layout", str(error), path, found.offset)
                continue
            ours = self.follow.handover.environment
            if layout.environment != ours:
                self.problem("state-layout", "a layout of another machine", path, found.offset, ours, layout.environment)
                continue
            self.state.layouts[child.name] = layout

    def text(self, node: Node, name: str, path: str) -> str:
        """A property that is one text; empty when it is absent or none."""
        found = node.property(name)
        if found is None:
            return ""
        if not found.value.endswith(b"\0") or b"\0" in found.value[:-1]:
            self.problem("state-part", f"{name} is no text", path, found.offset, "bytes and a NUL", found.value[:16])
            return ""
        return found.value[:-1].decode("latin-1")

    def part(self, path: str, node: Node) -> Part:
        """One part, as far as it is sound."""
        part = Part(path)
        part.format, part.fingerprint = self.text(node, "compatible", path), self.text(node, "layout", path)
        part.layout = self.state.layouts.get(part.fingerprint)
        part.struct = self.text(node, "struct", path) or None
        if part.fingerprint and part.layout is None:
            self.problem("state-part", "its layout is not there, or damaged", path, node.offset, "one of /layouts", part.fingerprint)
        elif part.layout is not None and part.struct is not None and all(each.name != part.struct for each in part.layout.structs):
            self.problem("state-part", f"its layout {part.layout.name} has no such struct", path, node.offset, None, part.struct)
            part.layout = None
        count = node.property("count")
        if count is not None:
            part.count = self.number(count.value, 8, path, count.offset)
            part.layout = None if part.count is None else part.layout
        self.place(part, node)
        if part.layout is not None and part.data is not None:
            self.judge(part, node)
        return part

    def number(self, value: bytes, size: int, path: str, at: int | None) -> int | None:
        """A native number of ``size`` bytes."""
        if len(value) != size:
            self.problem("state-part", "a number of a wrong length", path, at, f"{size} bytes", f"{len(value)} bytes")
            return None
        return int.from_bytes(value, self.follow.order)

    def place(self, part: Part, node: Node) -> None:
        """Find the bytes."""
        found = [prop for prop in map(node.property, PLACES) if prop is not None]
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "nothing"
            self.problem("state-part", "the bytes of a part stand in one place", part.path, node.offset, " or ".join(PLACES), names)
            return
        prop, base = found[0], self.subtree.pa
        part.place, part.link = prop.name, base if base is None or prop.offset is None else base + prop.offset
        if prop.name == "state":
            part.pa, part.data = part.link, memoryview(prop.value)
            return
        if len(prop.value) != SECTION_SIZE:
            self.problem("state-part", f"{prop.name} has a wrong length", part.path, prop.offset, f"{SECTION_SIZE} bytes", len(prop.value))
            return
        order = self.follow.order
        at, size, crc = (int.from_bytes(prop.value[first:last], order) for first, last in ((0, 8), (8, 16), (16, 20)))
        data = self.section(part, at, size, prop.offset) if prop.name == "section" else self.memory(part, at, size)
        real = crc if data is None else crc32c(data)
        if real != crc:
            message = "the bytes of a part are damaged"
            self.problem("state-section", message, part.path, prop.offset, f"crc32c {crc:#010x}", f"{real:#010x}")
            data = None
        part.data = data

    def section(self, part: Part, at: int, size: int, link: int | None) -> memoryview | None:
        """Bytes in the blob, behind the tree and in no other section."""
        blob, head = self.fdt.blob or b"", self.fdt.header
        first = 0 if head is None else max(head.off_dt_strings + head.size_dt_strings, head.off_dt_struct + head.size_dt_struct)
        if at % 8 or not first <= at <= at + size <= len(blob):
            room, found = f"inside {first}..{len(blob)}, at a multiple of 8", f"{size} bytes at {at}"
            self.problem("state-section", "a section outside of its room", part.path, link, room, found)
            return None
        number = bisect_right(self.taken, (at, size))
        near = [*self.taken[max(number - 1, 0) : number], *self.taken[number : number + 1]]
        if any(start < at + size and at < start + length for start, length in near):
            self.problem("state-section", "a section that is another one's too", part.path, link)
            return None
        if size:
            self.taken.insert(number, (at, size))
        part.pa = None if self.subtree.pa is None else self.subtree.pa + at
        return memoryview(blob)[at : at + size]

    def memory(self, part: Part, pa: int, size: int) -> memoryview | None:
        """Bytes in memory of their own, claimed."""
        part.pa = pa
        data = self.follow.read(pa, size, part.path, part.link)
        if data is not None and size:
            self.follow.claim(pa, size, part.path, "state", part.link)
        return data

    def judge(self, part: Part, node: Node) -> None:
        """Whether the layout can read the bytes. What is many is looked at by its size alone: an object a record costs too much."""
        assert part.layout is not None and part.data is not None  # part() asked
        try:
            if part.is_tagged:
                self.judge_tagged(part)
                return
            plan = plan_of(part.layout, part.struct)
            if part.count is None:
                part.records()
            elif plan.flexible or plan.size == 0 or part.count * plan.size != len(part.data):
                raise DecodeError("not as many bytes as structs", expected=f"{part.count} times {plan.size}", found=len(part.data))
        except DevstateError as error:
            self.problem("state-part", str(error), part.path, node.offset)
            part.data = None

    def judge_tagged(self, part: Part) -> None:
        """DecodeError for what is no tagged map of its layout."""
        assert part.layout is not None  # judge() asked
        if part.count is not None or part.struct not in (None, part.layout.root):
            raise DecodeError("a tagged map is one, of its root", expected="neither struct nor count")
        part.tagged()
