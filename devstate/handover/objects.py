# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Objects of the subtree ``devstate`` that are a head and arrays beside it: IOMMU units, interrupts, ITSs, machines with devices.

::

    iommu { NAME { state: ds_iommu_unit; domains: ds_iommu_domain[]; ... }; };

Only parts in the very layout that the registry has for their compatible are understood; any other can be decoded, and is not judged.
"""

from __future__ import annotations

from devstate.errors import DevstateError
from devstate.frozen import frozen
from devstate.layout.baseline import fingerprint
from devstate.layout.plain import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.codec.record import Record
    from devstate.handover.interrupts.model import Interrupts
    from devstate.handover.iommu.model import Unit
    from devstate.handover.model import Handover
    from devstate.handover.state import Part

IOMMU, INTERRUPTS, ITS, DEVICES, KVM = "devstate iommu", "devstate interrupts", "devstate its", "devstate devices", "devstate kvm"
"""Where the schemas say that they are found."""

COUNTED = {
    IOMMU: ("tables", "domains", "attachments", "windows"),
    INTERRUPTS: ("vectors", "pins", "affinities", "masks", "routes", "irqfds", "posted"),
    ITS: ("areas", "lpis"),
}
"""Parts that the head of an object counts, in fields of their names."""

UNITS_MAX = 256
"""Units of one handover: more than any machine has."""


@frozen
class PartsObject:
    """One object at ``path``: its head, and its arrays by the name of the part. ``pa`` is where the head stands, where known."""

    path: str
    pa: int | None
    head: Record
    parts: dict[str, tuple[Record, ...]]


def has_objects(handover: Handover, where: str) -> bool:
    """Whether there is any part of this subsystem, sound or not: cheap to ask."""
    prefix = where.replace(" ", "/") + "/"
    return handover.state is not None and any(part.path.startswith(prefix) for part in handover.state.parts)


def objects_of(handover: Handover, where: str) -> Iterator[PartsObject]:
    """The objects whose head is sound and in a layout that is known, in the order of the tree. Parts that are not are left out."""
    if handover.state is None:
        return
    roots = {}
    for name in handover.registry.found_by(where):
        layout = handover.registry.layout(name, handover.environment)
        roots[fingerprint(to_plain(layout))] = layout.root
    beside: dict[str, list[Part]] = {}
    for part in handover.state.parts:
        beside.setdefault(part.path.rpartition("/")[0], []).append(part)
    for part in handover.state.parts:
        if part.struct not in (None, roots.get(part.fingerprint)) or part.fingerprint not in roots or part.count is not None:
            continue
        head = _records(part)
        if len(head) == 1:
            arrays = {
                each.path.rpartition("/")[2]: _records(each) for each in beside.get(part.path, ()) if each.fingerprint == part.fingerprint
            }
            yield PartsObject(part.path, part.pa, head[0], arrays)


def _records(part: Part) -> tuple[Record, ...]:
    try:
        return tuple(part.records())
    except DevstateError:
        return ()  # a problem already


def interrupts_of(handover: Handover) -> list[tuple[PartsObject, Interrupts]]:
    """Every object of interrupts, with its records."""
    from devstate.handover.interrupts.model import Interrupts
    from devstate.handover.text import c_string

    return [(each, Interrupts.of(c_string(each.head.name)[0], each.parts)) for each in objects_of(handover, INTERRUPTS)]


def units_of(handover: Handover) -> list[tuple[PartsObject, Unit | None]]:
    """Every IOMMU unit, as its tables in memory have it; None where its kind is not known, or its root table not in memory.

    All of them share one budget, and no page tables are walked.
    """
    from devstate.handover.iommu.read import read_unit
    from devstate.handover.iommu.state import KINDS, registers_of
    from devstate.handover.iommu.tables import Budget

    if handover.memory is None:
        return []
    kinds = {number: name for name, number in KINDS.items()}
    budget = Budget(handover.memory)
    found: list[tuple[PartsObject, Unit | None]] = []
    for each in objects_of(handover, IOMMU):
        if len(found) == UNITS_MAX:
            break
        kind = kinds.get(each.head.kind)
        unit = None
        if kind is not None:
            values, segment = registers_of(kind, each.head), each.head.segment & 0xFFFF
            unit = read_unit(handover.memory, kind, None, values, segment=segment, registry=handover.registry, budget=budget, walks=False)
            if not handover.memory.contains(unit.root, 8):
                unit = None
        found.append((each, unit))
    return found
