# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Follow the links of records as their layout declares them: single structs, contiguous and counted areas, block chains.

What cannot be followed becomes a Problem of the handover and an absent or shorter result; nothing is raised for bad input.
Every chain has a visited set and a limit, so time is linear in the memory that is there. A link's claim is noted once it is read.
"""

from __future__ import annotations

import sys

from devstate.codec.decode import decode, decode_array
from devstate.errors import DecodeError, NotInMemoryError
from devstate.handover.model import Problem
from devstate.layout.model import ArrayType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.codec.record import Record
    from devstate.handover.model import Handover
    from devstate.layout.model import Layout, TargetLayout

CHAIN_MAX = 10000
"""Pages in one chain: KHO_MAX_BLOCKS, the kernel's own limit."""

ENTRIES_MAX = 1 << 20
"""Records that one link may lead to: 10000 blocks of 63 files, rounded up."""


FOLLOWED_TIMES = 4
"""How many times the bytes of the memory may be followed to. A sound handover leads to each byte once, damage leads to some of them
again; where everything leads to the same chain, following it would take time without end."""

FOLLOWED_MIN = 1 << 20
"""Bytes that may be followed to however small the memory is: a handful of pages may well be reached in several ways."""


WALKED_MAX = 2
"""How often a page of a chain, a list or an area is walked. In a sound handover one link leads there; where two do, both are shown.
With more, a few pages could stand for any number of records."""


class Follow:
    """The reading end of one handover: bytes, records and chains at physical addresses. ``left`` bytes may still be followed to."""

    __slots__ = ("_walked", "handover", "left", "order", "page_size", "swapped")

    def __init__(self, handover: Handover) -> None:
        self.handover = handover
        self._walked: dict[int, int] = {}
        self.left = FOLLOWED_MIN + FOLLOWED_TIMES * (handover.memory.size if handover.memory is not None else 0)
        self.page_size = handover.environment.page_size
        self.order = handover.environment.byte_order
        self.swapped = self.order != sys.byteorder

    def problem(
        self,
        code: str,
        message: str,
        pa: int | None = None,
        path: str | None = None,
        expected: object = None,
        found: object = None,
        related: tuple[tuple[int, str], ...] = (),
    ) -> None:
        """Note a problem; ``expected`` and ``found`` become text."""
        wanted, met = (None if value is None else str(value) for value in (expected, found))
        self.handover.problems.append(Problem(code, message, pa, path, wanted, met, related))

    def read(self, pa: int, size: int, path: str, link: int | None = None) -> memoryview | None:
        """``size`` bytes at ``pa``, or None and a problem. ``link`` is the address of the field that leads there."""
        memory = self.handover.memory
        if memory is None:
            return None
        if size > self.left and memory.contains(pa, size):
            message = "links lead to the same memory again and again: it is not followed any more"
            self.problem("read-too-long", message, link, path, "each byte once", f"{FOLLOWED_TIMES} times all of it")
            return None
        try:
            data = memory.read(pa, size)
            self.left -= size
            return data
        except DecodeError as error:
            code = "not-in-memory" if isinstance(error, NotInMemoryError) else "read-too-long"
            target = ((pa, "where the link leads"),)
            self.problem(code, f"{size} bytes at {pa:#x} are not in the capture", link, path, error.expected, error.found, target)
            return None

    def walk(self, pa: int, size: int, path: str, link: int | None = None) -> memoryview | None:
        """As :meth:`read`, for what many records or links are taken from: no page of it is walked more than WALKED_MAX times."""
        data = self.read(pa, size, path, link)
        if data is None:
            return None
        pages = range(pa // self.page_size, (pa + max(size, 1) - 1) // self.page_size + 1)
        for page in pages:
            times = self._walked[page] = self._walked.get(page, 0) + 1
            if times > WALKED_MAX:
                message = "links lead to the same memory again and again: it is not followed any more"
                self.problem("read-too-long", message, link, path, f"at most {WALKED_MAX} times", f"{pa:#x}")
                return None
        return data

    def u64(self, pa: int) -> int | None:
        """The native 64-bit integer at ``pa``; None, without a problem, when it is absent."""
        memory = self.handover.memory
        if memory is None or not memory.contains(pa, 8):
            return None
        return int.from_bytes(memory.read(pa, 8), self.order)

    def record(self, layout: Layout, struct: str, pa: int, path: str, link: int | None = None, what: str = "record") -> Record | None:
        """The struct at ``pa``, claimed; None and a problem when it cannot be read."""
        size = layout.struct(struct).size
        data = self.read(pa, size, path, link)
        if data is None:
            return None
        self.claim(pa, size, path, what, link)
        return self.decoded(layout, struct, data, pa, path)

    def decoded(self, layout: Layout, struct: str, data: memoryview, pa: int | None, path: str) -> Record | None:
        """The record in ``data``; None and a problem when the bytes do not hold one."""
        try:
            return decode(layout, data, struct, source=self.handover.source, pa=pa)
        except DecodeError as error:
            self.problem("record-invalid", error.message, pa, f"{path}.{error.path}" if error.path else path, error.expected, error.found)
            return None

    def claim(self, start: int, size: int, path: str, what: str, link: int | None = None) -> None:
        """Note that ``path`` needs these bytes."""
        self.handover.claims.add(start, size, path, what, link)

    def entries(
        self, layout: Layout, target: TargetLayout, pa: int, count: int | None, path: str, link: int | None, what: str = "block"
    ) -> list[tuple[int, Record]]:
        """The records that a link leads to, each with its address. ``count`` is what the sibling says, None when there is none. ``what`` is
        the kind of the claim.

        For ``blocks`` the result is what the chain holds, whatever ``count`` says; comparing is for the caller.
        """
        if target.kind == "blocks":
            return list(self.blocks(layout, target, pa, path, link, what))
        if target.kind == "contiguous":
            return self.area(layout, target, pa, count or 0, path, link, what)
        if target.kind == "one" and isinstance(target.element, StructType):
            record = self.record(layout, target.element.struct, pa, path, link, "record" if what == "block" else what)
            return [] if record is None else [(pa, record)]
        self.problem("link-unknown", f"do not know how to follow a link of kind {target.kind}", link, path)
        return []

    def blocks(
        self, layout: Layout, target: TargetLayout, pa: int, path: str, link: int | None, what: str = "block"
    ) -> Iterator[tuple[int, Record]]:
        """The records of a kho_block chain that starts at ``pa``. Source: include/linux/kho/abi/block.h, kernel/liveupdate/kho_block.c."""
        struct = target.element.struct if isinstance(target.element, StructType) else ""
        stride = layout.struct(struct).size
        capacity = (self.page_size - 16) // stride
        seen: set[int] = set()
        while pa:
            if pa in seen:
                self.problem(
                    "chain-cycle", "the chain of blocks comes back to a block that it has been at", link, path, "0 at the end", f"{pa:#x}"
                )
                return
            if len(seen) >= CHAIN_MAX:
                self.problem("chain-too-long", "the chain has too many blocks", link, path, f"at most {CHAIN_MAX}", "more")
                return
            seen.add(pa)
            if pa % self.page_size:
                self.problem(
                    "pointer-misaligned",
                    "a block does not start at a page boundary",
                    link,
                    path,
                    f"a multiple of {self.page_size}",
                    f"{pa:#x}",
                )
            page = self.walk(pa, min(self.page_size, self.page_size - pa % self.page_size), path, link)
            if page is None:
                return
            self.claim(pa, self.page_size, path, what, link)
            count = int.from_bytes(page[8:16], self.order)
            if not 1 <= count <= capacity or 16 + count * stride > len(page):
                self.problem("chain-count", "a block has an impossible number of entries", pa + 8, path, f"1..{capacity}", count)
                count = max(0, min(count, (len(page) - 16) // stride))
            for index, record in enumerate(decode_array(layout, struct, page[16 : 16 + count * stride], count)):
                yield pa + 16 + index * stride, record
            link, pa = pa, int.from_bytes(page[0:8], self.order)

    def area(
        self, layout: Layout, target: TargetLayout, pa: int, count: int, path: str, link: int | None, what: str = "block"
    ) -> list[tuple[int, Record]]:
        """``count`` records in a contiguous area of ``target.size`` bytes at ``pa``."""
        struct = target.element.struct if isinstance(target.element, StructType) else ""
        stride = layout.struct(struct).size
        capacity = (target.size or ENTRIES_MAX * stride) // stride
        if count > capacity:
            self.problem("area-count", "more entries than the area holds", link, path, f"at most {capacity}", count)
            count = capacity
        data = self.walk(pa, count * stride, path, link)
        if data is None:
            return []
        self.claim(pa, target.size or count * stride, path, what, link)
        return [(pa + index * stride, record) for index, record in enumerate(decode_array(layout, struct, data, count))]

    def counted(
        self, layout: Layout, target: TargetLayout, pa: int, path: str, link: int | None, what: str = "block"
    ) -> tuple[dict[str, int], list[tuple[int, Record]]]:
        """An area that begins with its own header: (the header's numbers by name, entries). Empty when it is not in the capture."""
        struct = layout.struct(target.element.struct if isinstance(target.element, StructType) else "")
        entries = struct.fields[-1]
        flex = entries.type
        if not isinstance(flex, ArrayType) or not isinstance(flex.element, StructType) or flex.counted_by is None:
            self.problem("link-unknown", f"{struct.name} is no header with entries", link, path)
            return {}, []
        head = self.read(pa, struct.size, path, link)
        if head is None:
            return {}, []
        size = target.size or struct.size
        self.claim(pa, size, path, what, link)
        header = {field.name: int.from_bytes(head[field.offset : field.offset + field.size], self.order) for field in struct.fields[:-1]}
        count, capacity = header[flex.counted_by], (size - entries.offset) // flex.stride
        if count > capacity:
            self.problem(
                "area-count",
                "more entries than the area holds",
                pa + struct.field(flex.counted_by).offset,
                path,
                f"at most {capacity}",
                count,
            )
            count = capacity
        at = pa + entries.offset
        data = self.walk(at, count * flex.stride, path, link)
        found = [] if data is None else decode_array(layout, flex.element.struct, data, count)
        return header, [(at + index * flex.stride, record) for index, record in enumerate(found)]
