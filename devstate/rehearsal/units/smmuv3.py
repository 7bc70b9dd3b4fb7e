# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An SMMUv3: a stream table of two levels, stage 2, or stage 1 by a context (schemas/project/smmu.py). Interrupts are messages to an ITS
(``its``), which the unit itself does not look at: as on machines whose doorbell is mapped for every device.
"""

from __future__ import annotations

from devstate.handover.iommu.smmu import STAGE1, STAGE2, TWO_LEVELS
from devstate.handover.iommu.smmu_contexts import aligned
from devstate.pagetable.table import PageTable
from devstate.rehearsal.machine import PAGE
from devstate.rehearsal.units.its import CONFIG_SIZE, Its
from devstate.rehearsal.units.unit import Shape, Unit, entry, read, room, tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Self

    from devstate.handover.spec import PartSpec
    from devstate.memory.arena import Arena
    from devstate.memory.physmem import PhysMemory
    from devstate.rehearsal.state import Left
    from devstate.rehearsal.units.unit import Message, Place

STE, CD, LEVEL1 = "smmu-stream-entry", "smmu-context-descriptor", "smmu-stream-level1"
SPLIT, BITS = 6, 12
"""Bits of a stream id: a page of streams at the second level, and as many as the most devices of a rehearsal need."""

STE_SIZE = CD_SIZE = 64
LEVELS = 3
IOVA_BITS = 39
"""What three levels of 4K tables translate."""

PA_48 = 5
"""Of ``stage2_ps`` and ``ips``: addresses of 48 bits."""

START = {LEVELS: 1}
"""``stage2_sl0`` of a walk with 4K tables, by levels."""

ENABLED = 1
"""Of CR0: requests are translated."""


class Smmuv3(Unit):
    """Interrupts go by the ITS beside it: a place is a redistributor, and an LPI."""

    kind, name = "smmuv3", "smmu0"
    first, second = Shape("arm-lpae-s1", LEVELS), Shape("arm-lpae-s2", LEVELS)
    remaps = False

    def __init__(self, memory: PhysMemory, registers: Mapping[str, int]) -> None:
        super().__init__(memory, registers)
        self.its = Its(memory, self.registers)

    @classmethod
    def place(cls, number: int, processors: int) -> Place:
        """As many LPIs as it takes."""
        return Its.place(number, processors)

    @classmethod
    def places(cls, processors: int) -> int:
        """One a LPI."""
        return CONFIG_SIZE

    @classmethod
    def write(cls, arena: Arena, memory: PhysMemory, tables: Mapping[int, PageTable], places: Mapping[int, Place]) -> Self:
        """Both levels of the stream table, and for stage 1 a context a stream. A stream that is no device's aborts, as Linux has it."""
        root = int(arena.alloc())
        streams: dict[int, int] = {}
        for source in tables:
            if source >> SPLIT not in streams:
                second = streams[source >> SPLIT] = int(arena.alloc(STE_SIZE << SPLIT))
                arena.write(second, entry(STE, valid=1) * (1 << SPLIT))
                arena.write(root + 8 * (source >> SPLIT), entry(LEVEL1, span=SPLIT + 1, table=second >> 6))
        first = [source for source, table in tables.items() if table.format.name == cls.first.format]
        contexts = dict(zip(first, room(arena, len(first), CD_SIZE), strict=True))
        for source, table in tables.items():
            fields = _context(arena, contexts[source], source, table) if source in contexts else _second(source, table)
            arena.write(streams[source >> SPLIT] + STE_SIZE * (source % (1 << SPLIT)), entry(STE, valid=1, shareability=1, **fields))
        registers = {"STRTAB_BASE": root, "STRTAB_BASE_CFG": TWO_LEVELS << 16 | SPLIT << 6 | BITS, "CR0": ENABLED}
        return cls(memory, registers | Its.write(arena, places))

    def found(self, source: int) -> PageTable | None:
        """Both levels of the stream table; the context, if there is one."""
        root = self.registers["STRTAB_BASE"]
        first = read(self.memory, LEVEL1, root, source >> SPLIT)
        if source >> BITS or not first.span or source % (1 << SPLIT) >> (first.span - 1):
            return None
        stream = read(self.memory, STE, first.table << 6, source % (1 << SPLIT))
        if not stream.valid or stream.config not in (STAGE1, STAGE2):
            return None
        return self._second(stream) if stream.config == STAGE2 else self._first(stream)

    def _second(self, stream: Any) -> PageTable | None:
        if stream.stage2_tg or stream.stage2_sl0 != START[LEVELS] or not stream.stage2_aa64 or stream.stage2_endian:
            return None
        return self._table(self.second, stream.stage2_ttb << 4, 64 - stream.stage2_t0sz)

    def _first(self, stream: Any) -> PageTable | None:
        context = read(self.memory, CD, stream.context << 6)
        if stream.context_max or not context.valid or context.epd0 or context.tg0 or not context.aa64 or context.endian:
            return None
        return self._table(self.first, context.ttb0 << 4, 64 - context.t0sz)

    def _table(self, shape: Shape, top: int, bits: int) -> PageTable:
        """UsageError for bits that three levels cannot have."""
        entries = 1 << max(bits - (IOVA_BITS - 9), 0)
        return PageTable(self.memory, shape.format, aligned(top, entries), shape.levels, top_entries=entries)

    def sent(self, source: int, message: Message) -> Place | None:
        """As the ITS has it."""
        return self.its.sent(source, message)

    def masked(self, place: Place) -> bool:
        """Whether the LPI is disabled."""
        return self.its.masked(place)

    def pend(self, place: Place) -> None:
        """Its bit is set."""
        self.its.pend(place)

    def taken(self, place: Place) -> bool:
        """Its bit is taken back."""
        return self.its.taken(place)

    def message(self, source: int) -> Message:
        """The doorbell of the ITS, and the event."""
        return self.its.message()

    def sound(self, source: int, place: Place) -> bool:
        """What the ITS has of the device; all of it together is judged by :meth:`restore`."""
        return self.its.sent(source, self.its.message()) == place

    def mask(self, places: Iterable[Place], masked: bool) -> None:
        """LPIs are disabled, or enabled."""
        self.its.mask(places, masked)

    def pages(self) -> Iterable[int]:
        """Those of the ITS and its redistributors."""
        return [page for area in self.its.areas() for page in range(area.pa // PAGE * PAGE, area.pa + area.size, PAGE)]

    def parts(self, places: Mapping[int, Place]) -> tuple[PartSpec, ...]:
        """The ITS: its registers, its tables in place, every LPI."""
        return self.its.parts(places)

    def restore(self, left: Left) -> None:
        """The ITS is found by what was left of it, and must have what was left."""
        self.registers |= Its.registers_of(left)
        self.its = Its(self.memory, self.registers)
        self.its.restore(left)

    def destinations(self, left: Left) -> dict[int, int]:
        """The collection of each: there is one a processor, of the same number."""
        return self.its.destinations(left)


def _second(source: int, table: PageTable) -> dict[str, int]:
    """The fields of a stream with stage 2."""
    return {
        "config": STAGE2, "vmid": tag(source), "stage2_t0sz": 64 - table.iova_bits, "stage2_sl0": START[table.levels], "stage2_ir0": 1,
        "stage2_or0": 1, "stage2_sh0": 3, "stage2_ps": PA_48, "stage2_aa64": 1, "stage2_record": 1, "stage2_no_access_fault": 1,
        "stage2_ttb": table.top_table >> 4,
    }  # fmt: skip


def _context(arena: Arena, pa: int, source: int, table: PageTable) -> dict[str, int]:
    """A context, and the fields of its stream."""
    made = entry(
        CD, valid=1, t0sz=64 - table.iova_bits, ir0=1, or0=1, sh0=3, epd1=1, ips=PA_48, aa64=1, record=1, abort=1, own_asid=1,
        no_access_fault=1, asid=tag(source), ttb0=table.top_table >> 4,
    )  # fmt: skip
    arena.write(pa, made)
    return {"config": STAGE1, "context": pa >> 6}
