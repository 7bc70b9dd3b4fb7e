# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where one request of one device goes: through all of its stages."""

from __future__ import annotations

from devstate.handover.iommu.model import BLOCKED, NESTED, PASS_THROUGH
from devstate.pagetable.format import READ, WRITE
from devstate.pagetable.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.iommu.model import Device, Unit

ADDRESS_END = 1 << 64


def translation_of(unit: Unit, source_id: int, pasid: int | None = None) -> tuple[str, Device | None]:
    """How requests of a device are translated, and its entry where that leads somewhere. A device without any entry is blocked.

    ``pasid`` None: requests without one.
    """
    found = [each for each in unit.devices if each.source_id == source_id]
    chosen = [each for each in found if (each.plain if pasid is None else each.pasid == pasid)]
    if chosen:
        device = min(chosen, key=lambda each: each.plain) if pasid is not None else chosen[0]
        return device.translation, device
    if found:
        return BLOCKED, None
    for run in unit.runs:
        if run.source_id <= source_id < run.source_id + run.count:
            return run.translation, None
    return BLOCKED, None


def translate(unit: Unit, source_id: int, iova: int, pasid: int | None = None) -> Mapping | None:
    """Where ``iova`` goes: from there to the end of the smallest leaf on the way. None when it does not go anywhere."""
    kind, device = translation_of(unit, source_id, pasid)
    if kind == PASS_THROUGH:
        access = dict(device.details) if device is not None else {}
        attributes = READ * bool(access.get("read", True)) | WRITE * bool(access.get("write", True))
        return Mapping(iova, iova, ADDRESS_END - iova, attributes)
    if device is None:
        return None
    first = device.stages[:-1] if kind == NESTED else device.stages
    found = next((hit for stage in first if (hit := stage.table.translate(iova)) is not None), None)
    if found is None or kind != NESTED:
        return found
    second = device.stages[-1].table.translate(found.pa)
    if second is None:
        return None
    return Mapping(iova, second.pa, min(found.size, second.size), found.attributes & second.attributes)
