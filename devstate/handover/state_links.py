# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What parts of the subtree ``devstate`` lead to: areas and chains of records in memory of their own, by the layout that is embedded.

::

    devices/machine/driver-0: example_controller_state
        queues --> example_queue[nr_queues]       Linked devstate/devices/machine/driver-0.queues
        commands --> block -> block               Linked devstate/devices/machine/driver-0.commands

Links to bytes of which no more is declared are left alone: they lead to memory that somebody else describes. The layout is input, and so
is what it leads to: what cannot be followed is a problem of the part.
"""

from __future__ import annotations

from devstate.codec.plan import plan_of
from devstate.errors import DevstateError
from devstate.frozen import frozen, replace
from devstate.handover.follow import ENTRIES_MAX
from devstate.layout.model import ArrayType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.codec.record import Record
    from devstate.handover.follow import Follow
    from devstate.handover.state import Part
    from devstate.layout.model import FieldLayout, Layout, TargetLayout, TypeLayout

KINDS = ("one", "contiguous", "counted", "blocks")
"""Links that are followed: single structs, areas, areas with their own header, chains of blocks."""

ROWS_MAX = 1 << 16
"""Records that one part may lead to: far above what a driver keeps. Of a link with more, and of those after it, only the memory counts."""

DEPTH_MAX = 4
"""Links behind links."""

OF_A_GUEST = ("devstate iommu", "top_table")
"""Where a layout is found, and its field that may be a guest's address; the tables of the unit judge it."""


@frozen
class Linked:
    """Records of ``struct`` that the field at ``path`` leads to, each with its address. ``kind`` is that of the link, one of KINDS."""

    path: str
    struct: str
    rows: tuple[tuple[int, Record], ...]
    kind: str


def leads(layout: Layout, struct: str) -> list[tuple[str, int, FieldLayout]]:
    """(dotted name, offset, field) of the links of a struct that are followed, those of structs inside it too."""
    found = []
    pending = [(struct, "", 0)]
    while pending:
        name, prefix, base = pending.pop()
        for field in layout.struct(name).fields:
            if isinstance(field.type, StructType):
                pending.append((field.type.struct, f"{prefix}{field.name}.", base + field.offset))
            elif field.target is not None and field.width is None and _follows(layout, field.target):
                found.append((prefix + field.name, base + field.offset, field))
    return found


def opaque(layout: Layout, struct: str) -> list[tuple[str, int, FieldLayout]]:
    """The same of links to memory of which no more is said than that it is there."""
    pending, found = [(struct, "", 0)], []
    for name, prefix, base in pending:
        for field in layout.struct(name).fields:
            if isinstance(field.type, StructType):
                pending.append((field.type.struct, f"{prefix}{field.name}.", base + field.offset))
            elif field.target is None or field.target.kind != "opaque" or not isinstance(field.type, IntType) or field.width is not None:
                continue
            elif (layout.found_by, field.name) != OF_A_GUEST:
                found.append((prefix + field.name, base + field.offset, field))
    return found


def _follows(layout: Layout, target: TargetLayout) -> bool:
    """Whether a link is of a kind that is followed, to something of a size. Layouts are input: nothing of it is sure."""
    if target.kind not in KINDS:
        return False
    if isinstance(target.element, IntType):
        return target.kind == "contiguous"
    struct = next((each for each in layout.structs if isinstance(target.element, StructType) and each.name == target.element.struct), None)
    if struct is None or not struct.size:
        return False
    if target.kind != "counted":
        return not struct.flexible
    if target.size is not None and target.size < struct.size:
        return False
    last = struct.fields[-1].type
    return isinstance(last, ArrayType) and last.count is None and last.counted_by is not None and isinstance(last.element, StructType)


def follow_links(follow: Follow, part: Part) -> tuple[Linked, ...]:
    """Everything that the records of a sound part lead to. What is wrong with it becomes problems of the code ``state-link``."""
    if part.layout is None or part.data is None or part.layout.encoding != "packed":
        return ()
    struct = plan_of(part.layout, part.struct).struct.name
    if not leads(part.layout, struct) and not opaque(part.layout, struct):
        return ()
    first = len(follow.handover.problems)
    try:
        records = part.records() if part.count is None or part.count <= ROWS_MAX else []
    except DevstateError:
        return ()  # a problem of the part already
    size = part.layout.struct(struct).size
    base = part.pa or 0
    paths = [part.path] if part.count is None else [f"{part.path}[{at}]" for at in range(len(records))]
    rows = [(path, base + at * size, record) for at, (path, record) in enumerate(zip(paths, records, strict=True))]
    found = tuple(_Links(follow, part.layout).all(struct, rows))
    problems = follow.handover.problems
    problems[first:] = [each if each.code == "state-memory" else replace(each, code="state-link") for each in problems[first:]]
    return found


class _Links:
    """One run of :func:`follow_links`. ``left`` records are still taken."""

    def __init__(self, follow: Follow, layout: Layout) -> None:
        self.follow, self.layout, self.left = follow, layout, ROWS_MAX

    def all(self, struct: str, rows: list[tuple[str, int, Record]]) -> Iterator[Linked]:
        """What the rows lead to, level by level."""
        level = [(struct, rows)]
        for _ in range(DEPTH_MAX):
            below: list[tuple[str, list[tuple[str, int, Record]]]] = []
            for name, here in level:
                self.lost(name, here)
                for dotted, offset, field in leads(self.layout, name):
                    for path, pa, record in here:
                        linked = self.one(f"{path}.{dotted}", pa + offset, field, _inside(record, dotted))
                        if linked is not None:
                            yield linked
                            below.append((linked.struct, [(f"{linked.path}[{at}]", *row) for at, row in enumerate(linked.rows)]))
            level = below

    def lost(self, struct: str, rows: list[tuple[str, int, Record]]) -> None:
        """Note what leads to memory that is not preserved."""
        preserved = self.follow.handover.preserved
        for dotted, offset, field in opaque(self.layout, struct) if preserved is not None else ():
            for path, at, record in rows:
                pa = getattr(_inside(record, dotted), field.name)
                if pa and preserved is not None and not preserved.covers(pa):
                    message = "it leads to memory that is not preserved"
                    self.follow.problem("state-memory", message, at + offset, f"{path}.{dotted}", "preserved memory, or 0", f"{pa:#x}")

    def one(self, path: str, link: int, field: FieldLayout, record: Record) -> Linked | None:
        """The records that one field leads to; None where it leads nowhere, or to plain numbers."""
        target, pa = field.target, getattr(record, field.name)
        assert target is not None  # leads() asked
        count = getattr(record, target.count, None) if target.count is not None else None
        count = count if isinstance(count, int) else None
        if pa == 0 and not count:
            return None
        element: TypeLayout | None = target.element
        if isinstance(element, IntType):
            self.memory(path, link, pa, (count or 0) * element.size)
            return None
        assert isinstance(element, StructType)  # leads() asked
        size = self.layout.struct(element.struct).size
        if target.kind == "contiguous" and (count or 0) > min(self.left, ENTRIES_MAX):
            self.memory(path, link, pa, (count or 0) * size)
            return None
        target = self.whole(target, path, link, pa)
        if target.kind == "counted":
            rows, name = self.follow.counted(self.layout, target, pa, path, link, what="state")[1], self.entries_of(element.struct)
        else:
            rows, name = self.follow.entries(self.layout, target, pa, count, path, link, what="state"), element.struct
        if target.kind == "blocks" and count is not None and len(rows) != count:
            self.follow.problem("chain-count", "the chain has not as many entries as its record says", link, path, count, len(rows))
        rows = rows[: self.left]
        self.left -= len(rows)
        return Linked(path, name, tuple(rows), target.kind)

    def whole(self, target: TargetLayout, path: str, link: int, pa: int) -> TargetLayout:
        """The link with the size of its area only where all of that is there: a layout may claim any. It is followed to once."""
        memory = self.follow.handover.memory
        if target.size is None or memory is None:
            return target
        there = memory.contains(pa, target.size) and self.follow.read(pa, target.size, path, link) is not None
        return target if there else replace(target, size=None)

    def entries_of(self, header: str) -> str:
        """The struct of the entries behind a header."""
        last = self.layout.struct(header).fields[-1].type
        assert isinstance(last, ArrayType) and isinstance(last.element, StructType)  # leads() asked
        return last.element.struct

    def memory(self, path: str, link: int, pa: int, size: int) -> None:
        """Memory that is needed, and not looked into."""
        if self.follow.read(pa, size, path, link) is not None and size:
            self.follow.claim(pa, size, path, "state", link)


def _inside(record: Record, dotted: str) -> Record:
    """The record that has the last name of a path."""
    for name in dotted.split(".")[:-1]:
        record = getattr(record, name)
    return record
