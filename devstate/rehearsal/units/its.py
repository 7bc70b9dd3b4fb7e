# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The interrupt controller beside an SMMUv3: a GICv3 ITS, with a redistributor a processor.

A device writes an event to the doorbell; the ITS finds the device, its event, the LPI and the collection, and the collection says which
redistributor gets it. Each redistributor has one configuration for all LPIs and pending bits of its own. The rehearsed ITS keeps its tables
in the forms in which KVM saves one (schemas/project/interrupt_gic.py): those of a physical one are nobody's business. An LPI that comes
while it is disabled is pending, once, until it is enabled again: kernels disable all of them for the jump.
"""

from __future__ import annotations

import itertools

from devstate.frozen import frozen
from devstate.handover.interrupts.its import ENABLED, FIRST_LPI, PENDING, Areas, read_its
from devstate.handover.spec import PartSpec
from devstate.rehearsal.machine import PAGE
from devstate.rehearsal.state import Left, chars, holds
from devstate.rehearsal.units.unit import entry, read, room, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from devstate.memory.arena import Arena
    from devstate.memory.physmem import PhysMemory
    from devstate.rehearsal.units.unit import Message, Place

NAME, FORMAT = "its0", "its-v1"
BASE = 0x0808_0000
"""Its registers: outside of all memory."""

DOORBELL = BASE + 0x1_0040
"""GITS_TRANSLATER."""

EVENT, EVENTS_BITS = 1, 1
"""The event of each device, and how many bits one has."""

IDS_BITS = 14
"""Bits of an interrupt id: LPIs 8192 to 16383."""

CONFIG_SIZE, PENDING_SIZE = (1 << IDS_BITS) - FIRST_LPI, (1 << IDS_BITS) // 8
PENDING_ALIGN = 1 << 16
TABLE_ALIGN = 256
"""Bytes between tables of translations."""

PRIORITY = 0xA0
DEVICES, COLLECTIONS, TRANSLATIONS, LPI_CONFIG, LPI_PENDING = 1, 2, 3, 4, 5
"""Kinds of areas."""

VALID = 1 << 63
ADDRESS, BASER_ADDRESS = (1 << 52) - PAGE, (1 << 48) - PAGE
"""The bits of GICR_PROPBASER and GICR_PENDBASER, and of GITS_BASER<n>, that are an address: of the last, those above are the entry size."""

DEVICE, COLLECTION, TRANSLATION = "gic-its-device", "gic-its-collection", "gic-its-translation"


@frozen
class Area:
    """Memory that the ITS or a redistributor uses; ``owner`` is the device of translations, the redistributor of pending bits."""

    kind: int
    pa: int
    size: int
    owner: int = 0


class Its:
    """The ITS in ``memory``. Of its registers, those that say where tables are: GITS_BASER0 (devices), GITS_BASER1 (collections),
    GICR_PROPBASER, and GICR_PENDBASER<n> of redistributor n.
    """

    def __init__(self, memory: PhysMemory, registers: Mapping[str, int]) -> None:
        self.memory = memory
        self.registers = registers

    # ---- as a kernel, at a cold boot ----

    @classmethod
    def place(cls, number: int, processors: int) -> Place:
        """An LPI of its own for each device."""
        return number % processors, FIRST_LPI + number

    @classmethod
    def write(cls, arena: Arena, places: Mapping[int, Place]) -> dict[str, int]:
        """All tables, LPIs enabled; the registers that say where they are."""
        processors = sorted({processor for processor, _ in places.values()})
        devices, collections = int(arena.alloc(8 * (max(places, default=0) + 1))), int(arena.alloc(8 * (len(processors) + 1)))
        config = int(arena.alloc(CONFIG_SIZE))
        sources = sorted(places)
        after = dict(itertools.pairwise(sources))
        for source, pa in zip(sources, room(arena, len(sources), TABLE_ALIGN), strict=True):
            beside = after.get(source, source) - source
            arena.write(devices + 8 * source, entry(DEVICE, valid=1, size=EVENTS_BITS - 1, translations=pa >> 8, next=beside))
            processor, lpi = places[source]
            arena.write(pa + 8 * EVENT, entry(TRANSLATION, collection=processor, lpi=lpi))
            arena.write(config + lpi - FIRST_LPI, bytes([PRIORITY | ENABLED]))
        for number, processor in enumerate(processors):
            arena.write(collections + 8 * number, entry(COLLECTION, valid=1, collection=processor, redistributor=processor))
        pages = (8 * (max(places, default=0) + 1) - 1) // PAGE
        registers = {
            "GITS_BASER0": VALID | DEVICES << 56 | 7 << 48 | devices | pages,
            "GITS_BASER1": VALID | 4 << 56 | 7 << 48 | collections,
            "GICR_PROPBASER": config | (IDS_BITS - 1),
        }
        pending = {f"GICR_PENDBASER{each}": int(arena.alloc(PENDING_SIZE, align=PENDING_ALIGN)) for each in processors}
        return registers | pending

    # ---- as hardware ----

    def table(self, register: str) -> tuple[int, int]:
        """(address, bytes) of a table of GITS_BASER<n>."""
        value = self.registers[register]
        return value & BASER_ADDRESS, ((value & 0xFF) + 1) * PAGE

    def sent(self, source: int, message: Message) -> Place | None:
        """(redistributor, LPI); None: the message is dropped. DecodeError for tables that are not in memory."""
        address, event = message
        devices, size = self.table("GITS_BASER0")
        if address != DOORBELL or source >= size // size_of(DEVICE):
            return None
        device = read(self.memory, DEVICE, devices, source)
        if not device.valid or event >> (device.size + 1):
            return None
        found = read(self.memory, TRANSLATION, device.translations << 8, event)
        if not FIRST_LPI <= found.lpi < FIRST_LPI + CONFIG_SIZE:
            return None
        collections, size = self.table("GITS_BASER1")
        for number in range(size // size_of(COLLECTION)):
            collection = read(self.memory, COLLECTION, collections, number)
            if not collection.valid:
                break
            if collection.collection == found.collection:
                known = f"GICR_PENDBASER{collection.redistributor}" in self.registers
                return (collection.redistributor, found.lpi) if known else None
        return None

    def masked(self, place: Place) -> bool:
        """Whether the LPI is disabled."""
        return not self.memory.read(self._config(place[1]), 1)[0] & ENABLED

    def pend(self, place: Place) -> None:
        """It is pending from now on."""
        byte, bit = self._pending(place)
        self.memory.read(byte, 1)[0] |= bit  # nobody else writes there: the bits are the hardware's

    def taken(self, place: Place) -> bool:
        """It is not pending any more; whether it was."""
        byte, bit = self._pending(place)
        was = bool(self.memory.read(byte, 1)[0] & bit)
        self.memory.read(byte, 1)[0] &= ~bit & 0xFF
        return was

    def _config(self, lpi: int) -> int:
        return (self.registers["GICR_PROPBASER"] & ADDRESS) + lpi - FIRST_LPI

    def _pending(self, place: Place) -> tuple[int, int]:
        processor, lpi = place
        return (self.registers[f"GICR_PENDBASER{processor}"] & ADDRESS) + lpi // 8, 1 << lpi % 8

    # ---- as a kernel, in a jump ----

    def message(self) -> Message:
        """What every device writes: who it is, the bus says."""
        return DOORBELL, EVENT

    def mask(self, places: Iterable[Place], masked: bool) -> None:
        """Disable or enable LPIs."""
        for _, lpi in places:
            self.memory.read(self._config(lpi), 1)[0] = PRIORITY | (0 if masked else ENABLED)

    def areas(self) -> list[Area]:
        """Everything that stays where it is."""
        (devices, size), (collections, length) = self.table("GITS_BASER0"), self.table("GITS_BASER1")
        found = [Area(DEVICES, devices, size), Area(COLLECTIONS, collections, length)]
        found.append(Area(LPI_CONFIG, self.registers["GICR_PROPBASER"] & ADDRESS, CONFIG_SIZE))
        for name, value in self.registers.items():
            if name.startswith("GICR_PENDBASER"):
                found.append(Area(LPI_PENDING, value & ADDRESS, PENDING_SIZE, int(name.removeprefix("GICR_PENDBASER"))))
        for each in self.read().lpis:
            device = read(self.memory, DEVICE, devices, each.device)
            found.append(Area(TRANSLATIONS, device.translations << 8, size_of(TRANSLATION) << EVENTS_BITS, each.device))
        return found

    def read(self) -> Any:
        """All of it, as `devstate` reads an ITS that KVM saved."""
        pending = {}
        for name, value in self.registers.items():
            if name.startswith("GICR_PENDBASER"):
                pending[int(name.removeprefix("GICR_PENDBASER"))] = (value & ADDRESS, PENDING_SIZE)
        config = self.registers["GICR_PROPBASER"] & ADDRESS, CONFIG_SIZE
        return read_its(self.memory, Areas(self.table("GITS_BASER0"), self.table("GITS_BASER1"), config, pending))

    def parts(self, places: Mapping[int, Place]) -> tuple[PartSpec, ...]:
        """Registers, areas, LPIs. What became pending meanwhile is so in memory, and will not be less."""
        path, areas = f"its/{NAME}", self.areas()
        sizes = {DEVICES: 8, COLLECTIONS: 8, TRANSLATIONS: 8, LPI_CONFIG: 1, LPI_PENDING: 8}
        rows = [
            {"kind": each.kind, "entry_size": sizes[each.kind], "pa": each.pa, "size": each.size, "owner": each.owner} for each in areas
        ]
        lpis = [
            {
                "device": each.device, "event": each.event, "lpi": each.lpi, "collection": each.collection, "priority": each.priority,
                "flags": each.flags,
            }
            for each in self.read().lpis
        ]  # fmt: skip
        head = {
            "name": chars(NAME), "base": BASE, "typer": 0,
            "baser": (self.registers["GITS_BASER0"], self.registers["GITS_BASER1"], *[0] * 6), "cbaser": 0, "creadr": 0,
            "propbaser": self.registers["GICR_PROPBASER"], "ctlr": 1, "iidr": 0, "areas": len(rows), "lpis": len(lpis), "flags": 0,
            "padding": 0,
        }  # fmt: skip
        return (
            PartSpec(path, FORMAT, (head,)),
            PartSpec(f"{path}/areas", FORMAT, tuple(rows), "ds_its_area", many=True),
            PartSpec(f"{path}/lpis", FORMAT, tuple(lpis), "ds_lpi", many=True),
        )

    @classmethod
    def registers_of(cls, left: Left) -> dict[str, int]:
        """The registers, by what was left. LiveUpdateError when it was not."""
        path = f"its/{NAME}"
        head, areas = left.record(path, FORMAT), left.records(f"{path}/areas", FORMAT)
        holds(head.areas == len(areas), "not as many areas of the ITS as were said")
        found = {"GITS_BASER0": head.baser[0], "GITS_BASER1": head.baser[1], "GICR_PROPBASER": head.propbaser}
        return found | {f"GICR_PENDBASER{each.owner}": each.pa for each in areas if each.kind == LPI_PENDING}

    def restore(self, left: Left) -> None:
        """Tables and records say the same, but for what became pending since. LiveUpdateError EINVAL when not."""
        path = f"its/{NAME}"
        said, areas = left.records(f"{path}/lpis", FORMAT), left.records(f"{path}/areas", FORMAT)
        found = self.read()
        holds(left.record(path, FORMAT).lpis == len(said), "not as many LPIs as were said")
        holds(not found.findings, f"the ITS: {found.findings[0].message}" if found.findings else "")
        there = {(each.device, each.event, each.lpi, each.collection, each.priority): each.flags for each in found.lpis}
        for each in said:
            flags = there.pop((each.device, each.event, each.lpi, each.collection, each.priority), None)
            holds(flags is not None, f"LPI {each.lpi} of device {each.device >> 3} is not mapped as it was")
            holds(each.flags & ~PENDING == (flags or 0) & ~PENDING, f"LPI {each.lpi} is enabled, or is not, as it was not")
            holds(not each.flags & ~(flags or 0), f"LPI {each.lpi} was pending, and is not any more")
        holds(not there, f"{len(there)} LPIs are mapped that nothing was left of")
        holds(all(number == place for number, place in found.collections.items()), "a collection goes to another processor")
        wanted = [(each.kind, each.pa, each.size, each.owner) for each in self.areas()]
        holds([(each.kind, each.pa, each.size, each.owner) for each in areas] == wanted, "tables of the ITS are not where they were")

    def destinations(self, left: Left) -> dict[int, int]:
        """The processor of each device, by source."""
        return {each.device: each.collection for each in left.records(f"its/{NAME}/lpis", FORMAT)}
