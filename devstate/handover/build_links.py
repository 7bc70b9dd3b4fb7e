# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a link leads to, put into memory as its layout declares it: areas, counted areas, chains of blocks, page lists.

The writing twin of ``follow``; each returns the address that the link holds.
"""

from __future__ import annotations

from devstate.codec.encode import encode, encode_array
from devstate.errors import EncodeError
from devstate.layout.model import IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from devstate.handover.build_room import Room
    from devstate.handover.spec import Spec
    from devstate.layout.model import ByteOrder, Environment, Layout, TargetLayout
    from devstate.layout.registry import Registry

BLOCK_HEADER = "kho_block_header_ser"
LIST_PAGE = "kho_vmalloc_chunk"
VM_ALLOC, ALLOW_HUGE = 1, 2
"""Flags of a kho_vmalloc (KHO_VMALLOC_*, include/linux/kho/abi/kexec_handover.h)."""


def text(value: str | None, size: int = 0, path: str | None = None) -> bytes:
    """Text as the kernel stores it: NUL-terminated, and padded with zeros up to ``size``. EncodeError if it does not fit or has a NUL."""
    data = (value or "").encode()
    if (size and len(data) >= size) or b"\0" in data:
        expected = f"at most {size - 1} bytes and no NUL" if size else "no NUL"
        raise EncodeError("a text that does not fit", path=path, expected=expected, found=repr(value))
    return (data + b"\0").ljust(size, b"\0")


class Links:
    """Records into the memory of one handover."""

    __slots__ = ("_header", "environment", "order", "page", "registry", "room", "spec")

    def __init__(self, spec: Spec, room: Room, registry: Registry, environment: Environment) -> None:
        self.spec = spec
        self.room = room
        self.registry = registry
        self.environment = environment
        self.order = environment.byte_order
        self.page = environment.page_size
        self._header: Layout | None = None

    def number(self, value: int, size: int = 8) -> bytes:
        """A native integer. EncodeError when it has more than ``size`` bytes."""
        if not 0 <= value < 1 << 8 * size:
            raise EncodeError("a number that does not fit", expected=f"{size} bytes", found=value)
        return value.to_bytes(size, self.order)

    def link(self, layout: Layout, target: TargetLayout, records: Sequence[Mapping[str, Any]], place: str) -> int:
        """The address of ``records``, laid out as the target says; 0 for none in a chain or a plain area."""
        struct = target.element.struct if isinstance(target.element, StructType) else None
        if target.kind == "blocks":
            return self.chain(layout, struct, records, place)
        if target.kind == "one":
            return self.room.put(f"{place}/0", encode(layout, records[0], struct))
        if target.kind == "contiguous":
            kind = target.element
            data = self.numbers(kind, records) if isinstance(kind, IntType) else encode_array(layout, struct, records)
            self.fits(len(data), target.size or len(data), place)
            return self.room.put(f"{place}/0", data, target.size) if records else 0
        if target.kind == "counted":
            header = layout.struct(struct)
            given = {each.name: 1 for each in header.fields[:-1]} | {"count": len(records), header.fields[-1].name: list(records)}
            data = encode(layout, given, struct)
            self.fits(len(data), target.size or len(data), place)
            return self.room.put(f"{place}/0", data, target.size)
        raise EncodeError(f"a link of the kind {target.kind} cannot be built", path=place)

    def numbers(self, kind: IntType, values: Sequence[Any]) -> bytes:
        """Integers one behind the other, in the byte order of their type."""
        order: ByteOrder = self.order if kind.order == "native" else "big" if kind.order == "big" else "little"
        try:
            return b"".join(each.to_bytes(kind.size, order, signed=kind.signed) for each in values)
        except OverflowError:
            raise EncodeError("a number that does not fit", expected=f"{kind.size} bytes", found=max(values)) from None

    def fits(self, size: int, most: int, place: str) -> None:
        """EncodeError when an area is too small."""
        if size > most:
            raise EncodeError("more than the area holds", path=place, expected=f"at most {most} bytes", found=f"{size} bytes")

    def chain(self, layout: Layout, struct: str | None, records: Sequence[Mapping[str, Any]], place: str) -> int:
        """A chain of blocks, the last one laid out first, so that each knows the next."""
        head = self._header = self._header or self.registry.find(BLOCK_HEADER, self.environment)
        capacity = (self.page - head.struct().size) // layout.struct(struct).size
        step = min(self.spec.per_block or capacity, capacity)
        pa = 0
        for first in reversed(range(0, len(records), step)):
            entries = records[first : first + step]
            data = encode(head, {"next": pa, "count": len(entries)}) + encode_array(layout, struct, entries)
            pa = self.room.put(f"{place}/{first // step}", data, self.page)
        return pa

    def page_list(self, layout: Layout, data: bytes, place: str) -> Mapping[str, int]:
        """The kho_vmalloc of an area that holds ``data``."""
        if not data:
            return {"first": 0, "total_pages": 0, "flags": 0, "order": 0}
        order = max(self.spec.list_order, self.room.lowest)
        size = self.page << order
        blocks = [self.room.blocks(f"{place}/array/{number}", 1, order) for number in range(-(-len(data) // size))]
        for number, pa in enumerate(blocks):
            self.room.arena.write(pa, data[number * size : (number + 1) * size])
        capacity = (self.page - 8) // 8
        step = min(self.spec.per_list or capacity, capacity)
        first = 0
        for at in reversed(range(0, len(blocks), step)):
            entries = blocks[at : at + step]
            chunk = {"next": first, "phys": entries + [0] * (capacity - len(entries))}
            first = self.room.put(f"{place}/list/{at // step}", encode(layout, chunk, LIST_PAGE))
        flags = VM_ALLOC | (ALLOW_HUGE if order else 0)
        return {"first": first, "total_pages": len(blocks) << order, "flags": flags, "order": order}
