# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Interrupts: each device has one, which goes to a place of its own by the tables of the unit, or of the controller beside it."""

from __future__ import annotations

import errno

from devstate.errors import DecodeError, LiveUpdateError
from devstate.handover.spec import PartSpec
from devstate.rehearsal.domains import Iommu, source_of
from devstate.rehearsal.guest import GUEST
from devstate.rehearsal.state import NONE, Left, chars, holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.rehearsal.units.unit import Place

FORMAT = "interrupts-v1"
MSIX, ENABLED, EXTENDED_IDS = 2, 1, 1
"""Numbers of interrupts-v1's names."""


class Interrupts:
    """The place of each device's interrupt."""

    name = "interrupts"
    takes = ("interrupts", "its")
    """The subsystems of the handover that are its own."""

    def __init__(self, iommu: Iommu) -> None:
        self.iommu = iommu
        self.places: dict[int, Place] = {}

    def route(self, devices: list[int], vcpus: int) -> None:
        """At a cold boot: a place for each of the devices that do DMA."""
        self.places = {number: self.iommu.kind.place(index, vcpus) for index, number in enumerate(devices)}

    def freeze(self) -> None:
        """What comes in the blackout waits, where there is something to wait in."""
        self.iommu.unit.mask(self.places.values(), True)

    def release(self) -> None:
        """The guest runs: what waited may come."""
        self.iommu.unit.mask(self.places.values(), False)

    def hardware(self, number: int) -> dict[str, Any]:
        """What is programmed into a device, and where its interrupt is expected."""
        source = source_of(number)
        return {"source": source, "message": self.iommu.unit.message(source), "route": list(self.places[number])}

    def parts(self) -> tuple[PartSpec, ...]:
        """The vectors of all devices, the entry that each leads to, and where that goes. The tables themselves are in place."""
        path, unit = f"interrupts/{GUEST}", self.iommu.unit
        vectors = [self._vector(number, place) for number, place in self.places.items()]
        affinities = [
            {
                "unit": 0, "entry": unit.entry_number(source_of(number)), "segment": 0, "source_id": source_of(number), "flags": 0,
                "apic_id": processor, "cpu": processor, "mask_first": 0, "mask_words": 0,
            }
            for number, (processor, _) in self.places.items()
            if unit.remaps
        ]  # fmt: skip
        head = {
            "name": chars(GUEST), "vectors": len(vectors), "pins": 0, "affinities": len(affinities), "masks": 0, "routes": 0, "irqfds": 0,
            "posted": 0, "flags": EXTENDED_IDS * unit.remaps, "vm": 0,
        }  # fmt: skip
        return (
            PartSpec(path, FORMAT, (head,)),
            PartSpec(f"{path}/vectors", FORMAT, tuple(vectors), "ds_msi_vector", many=True),
            PartSpec(f"{path}/affinities", FORMAT, tuple(affinities), "ds_irq_affinity", many=True),
            *unit.parts({source_of(number): place for number, place in self.places.items()}),
        )

    def _vector(self, number: int, place: Place) -> dict[str, int]:
        unit, source = self.iommu.unit, source_of(number)
        address, data = unit.message(source)
        return {
            "segment": 0, "source_id": source, "index": 0, "kind": MSIX, "flags": ENABLED, "address": address, "data": data,
            "unit": 0 if unit.remaps else NONE, "entry": unit.entry_number(source), "irq": place[1],
        }  # fmt: skip

    def restore(self, left: Left) -> None:
        """Each message leads to where it led, by an entry that is to the bit what it was: nothing was routed elsewhere meanwhile."""
        path, unit = f"interrupts/{GUEST}", self.iommu.unit
        vectors, affinities = left.records(f"{path}/vectors", FORMAT), left.records(f"{path}/affinities", FORMAT)
        head = left.record(path, FORMAT)
        holds((head.vectors, head.affinities) == (len(vectors), len(affinities)), "not as many vectors as were said")
        try:
            unit.restore(left)
            processors = {each.source_id: each.apic_id for each in affinities} | unit.destinations(left)
            for vector in vectors:
                source, message = vector.source_id, (vector.address, vector.data)
                holds(source in processors, f"no processor is said for device {source >> 3}")
                place = processors[source], vector.irq
                holds(message == unit.message(source), f"the message of device {source >> 3} leads elsewhere")
                found = unit.raised(source, message)
                holds(found == place, f"the interrupt of device {source >> 3} goes to {found}, not to {place}")
                holds(unit.sound(source, place), f"the interrupt entry of device {source >> 3} is not as it was left")
                self.places[source >> 3] = place
        except DecodeError as error:
            raise LiveUpdateError(errno.EINVAL, str(error)) from error
