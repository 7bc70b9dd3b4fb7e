# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What every kind of unit does. A kind is a subclass, known to kernels and to the device process by this interface alone.

A kernel writes the tables at a cold boot (:meth:`Unit.write`) and tells the hardware where they are, in registers. From these, hardware
finds its way for each request: from the root table to the page tables of a device, from a message to where the interrupt goes. Entries are
written and read by their schemas, one by one; that `devstate iommu` understands the same tables as a whole is the other half of the test.
"""

from __future__ import annotations

import functools

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.record import fields
from devstate.errors import DecodeError, UsageError
from devstate.frozen import frozen
from devstate.handover.interrupts.model import NONE
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.rehearsal.machine import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, ClassVar, Self, TypeAlias

    from devstate.codec.record import Record
    from devstate.handover.spec import PartSpec
    from devstate.layout.model import Layout
    from devstate.memory.arena import Arena
    from devstate.memory.physmem import PhysMemory
    from devstate.pagetable.table import PageTable
    from devstate.rehearsal.state import Left

    Place: TypeAlias = "tuple[int, int]"
    """Where an interrupt goes: processor, and vector or LPI there."""

    Message: TypeAlias = "tuple[int, int]"
    """What a device writes to raise an interrupt: address and data."""

FIRST_VECTOR, VECTORS = 0x40, 256 - 0x40
"""Vectors of an x86 processor that devices get."""

X86_MESSAGE = 0xFEE0_0000


def tag(source: int) -> int:
    """The tag in the caches of a device's domain: one each, and never 0."""
    return (source >> 3) + 1


@frozen
class Shape:
    """Page tables of one format."""

    format: str
    levels: int
    sign_extended: bool = False


class Unit:
    """One unit in ``memory``, with its registers. ``source``: bus, device and function of a requester."""

    kind: ClassVar[str]
    name: ClassVar[str]
    """What firmware would call it: its object in the handover."""

    first: ClassVar[Shape]
    second: ClassVar[Shape]
    """Page tables, by stage."""

    remaps: ClassVar[bool] = True
    """Whether interrupts go by entries of the unit's own; else by another device's."""

    def __init__(self, memory: PhysMemory, registers: Mapping[str, int]) -> None:
        self.memory = memory
        self.registers = dict(registers)

    @classmethod
    def shape(cls, stage: str) -> Shape:
        """The page tables of a stage: ``first`` or ``second``."""
        return cls.first if stage == "first" else cls.second

    @classmethod
    def write(cls, arena: Arena, memory: PhysMemory, tables: Mapping[int, PageTable], places: Mapping[int, Place]) -> Self:
        """At a cold boot: the tables that lead each device to its page tables, and its interrupt to its place; both by source."""
        raise NotImplementedError

    @classmethod
    def place(cls, number: int, processors: int) -> Place:
        """Where the interrupt of the ``number``-th device goes: no other goes there."""
        return number % processors, FIRST_VECTOR + number // processors

    @classmethod
    def places(cls, processors: int) -> int:
        """How many there are."""
        return VECTORS * processors

    # ---- as hardware ----

    def table(self, source: int) -> PageTable | None:
        """The page tables that requests of a device go through, from the root on; None: there are none, and all are stopped."""
        try:
            return self.found(source)
        except (DecodeError, UsageError):
            return None

    def found(self, source: int) -> PageTable | None:
        """The same; DecodeError for what is not in memory, UsageError for page tables that there cannot be."""
        raise NotImplementedError

    def raised(self, source: int, message: Message) -> Place | None:
        """Where an interrupt goes; None: it is stopped."""
        try:
            return self.sent(source, message)
        except DecodeError:
            return None

    def sent(self, source: int, message: Message) -> Place | None:
        """The same; DecodeError for what is not in memory."""
        raise NotImplementedError

    def masked(self, place: Place) -> bool:
        """Whether interrupts do not come at a place now. On x86 nothing masks them on their way: what waits is the processor's."""
        return False

    def pend(self, place: Place) -> None:
        """An interrupt that is masked waits at its place."""

    def taken(self, place: Place) -> bool:
        """What waited is sent after all. False: it does not wait any more."""
        return True

    # ---- as a kernel ----

    def message(self, source: int) -> Message:
        """What is programmed into a device."""
        raise NotImplementedError

    def entry_number(self, source: int) -> int:
        """The entry that the message leads to; NONE where the unit has none."""
        return NONE

    def sound(self, source: int, place: Place) -> bool:
        """Whether the entry that sends a device's interrupt to its place is to the bit what a kernel writes for it."""
        raise NotImplementedError

    def mask(self, places: Iterable[Place], masked: bool) -> None:
        """Let interrupts wait at their places, or come again; nothing where :meth:`masked` is never so."""

    def pages(self) -> Iterable[int]:
        """Pages of tables that are not the unit's own, and must stay as well."""
        return ()

    def parts(self, places: Mapping[int, Place]) -> tuple[PartSpec, ...]:
        """What is left of tables that are not the unit's own."""
        return ()

    def restore(self, left: Left) -> None:
        """Take these up. LiveUpdateError for what is not sound."""

    def destinations(self, left: Left) -> dict[int, int]:
        """The processor that each device's interrupt goes to, by source, where the records of interrupts do not say it."""
        return {}


@functools.cache
def layout_of(name: str) -> Layout:
    """The layout of an entry."""
    return Registry.shipped().layout(name, Environment())


def size_of(name: str) -> int:
    """Bytes of an entry."""
    return layout_of(name).struct().size


def entry(name: str, **given: Any) -> bytes:
    """An entry; fields that are not named are 0."""
    layout = layout_of(name)
    return encode(layout, dict(fields(decode(layout, bytes(size_of(name))))) | given)


def read(memory: PhysMemory, name: str, table: int, index: int = 0) -> Record:
    """One entry of a table. DecodeError where it is not in memory."""
    size = size_of(name)
    return decode(layout_of(name), memory.read(table + size * index, size))


def room(arena: Arena, count: int, size: int, align: int = PAGE) -> list[int]:
    """Addresses for ``count`` small tables of ``size`` bytes, a power of two below a page: as many in a page as fit."""
    each = PAGE // size
    pages = [int(arena.alloc(align=align)) for _ in range(-(-count // each))]
    return [page + size * number for page in pages for number in range(each)][:count]
