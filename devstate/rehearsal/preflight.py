# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pre-flight: everything that can be known before anything is asked of anybody. Nothing is left half-done when it says no.

- will the next kernel read what this one writes? (``compat.predict``, for the formats that are really carried)
- will its drivers read what these leave? (the converters of the registry; or do they derive it by themselves?)
- is the handover sound? (it is built into memory of nobody's, and ``check`` looks at it)
- can devices reach memory that would not be preserved? (``prove``, on every domain)

and what it will cost: bytes of metadata, and how long the building took.
"""

from __future__ import annotations

import time

from devstate.check.run import check
from devstate.compat.manifest import release_manifest
from devstate.compat.predict import FILES, ROOT, Carried, Verdict, predict
from devstate.errors import DevstateError
from devstate.finding import Severity
from devstate.frozen import frozen
from devstate.handover.build import build
from devstate.handover.open import open_memory
from devstate.memory.arena import Arena
from devstate.pagetable.coverage import Coverage
from devstate.pagetable.prove import prove
from devstate.rehearsal.drivers import load_driver
from devstate.rehearsal.machine import BASE, PAGE
from devstate.rehearsal.outgoing import kept, spec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.spec import Spec
    from devstate.layout.registry import Registry
    from devstate.luo.devices import Device
    from devstate.rehearsal.kernel import Kernel


@frozen
class Preflight:
    """``reasons`` against the jump, in words; ``droppable`` are devices without which there is none; ``derived`` are those that the next
    drivers derive by themselves. ``metadata`` in bytes, ``building`` in nanoseconds: what is to be expected in the blackout.
    """

    reasons: tuple[str, ...]
    droppable: tuple[Device, ...]
    derived: tuple[Device, ...]
    metadata: int
    building: int


def preflight(kernel: Kernel) -> Preflight:
    """Look at all of it. Never raises for what it finds."""
    registry = kernel.registry
    old, new = kernel.scenario.kernels[kernel.hop], kernel.scenario.kernels[kernel.hop + 1]
    unread = [device for device in kernel.devices.going() if not _reads(kernel, device)]
    derived = tuple([device for device in unread if kernel.scenario.preflight == "rederive" and device.driver.derives()])
    dropped = tuple([device for device in unread if device not in derived])
    reasons = [f"{device.name}: its next driver does not read what this one leaves" for device in dropped]
    start, metadata = time.perf_counter_ns(), 0
    try:
        spec = spec_of(kernel)
        reasons += _formats(spec, old, new, registry)
        found, metadata = _handover(kernel, spec)
        reasons += found
    except DevstateError as error:
        reasons.append(str(error))
    return Preflight(tuple(reasons), dropped if len(reasons) == len(dropped) else (), derived, metadata, time.perf_counter_ns() - start)


def _reads(kernel: Kernel, device: Device) -> bool:
    plan = next((each for each in kernel.scenario.devices if each.name == device.name), None)
    if plan is None:  # the root
        return True
    old, new = (load_driver(plan.driver)(plan.drivers[hop], 0, kernel.machine, kernel.registry) for hop in (kernel.hop, kernel.hop + 1))
    return new.reads(old.compatible)


def _formats(spec: Spec, old: str, new: str, registry: Registry) -> Iterator[str]:
    met = [(ROOT, spec.forms.kho)]
    met += [("KHO subtree LUO", spec.forms.luo)] if spec.sessions and spec.forms.luo is not None else []
    met += [(FILES, spec.forms.memfd)] if spec.sessions and spec.forms.memfd is not None else []
    prediction = predict(release_manifest(registry, old), release_manifest(registry, new), registry, carried=Carried(tuple(met)))
    for component in prediction.components:
        if component.verdict is Verdict.BLOCK:
            yield f"{component.name}: kernel {new}: {component.reaction}: {'; '.join(text for _, text in component.reasons)}"
    yield from prediction.incomplete


def _handover(kernel: Kernel, spec: Spec) -> tuple[list[str], int]:
    """What is wrong with the handover, built into memory of its own; and how many bytes it is, the guest's left out."""
    arena = Arena(BASE, kernel.machine.size, source="pre-flight")
    for pa in kept(kernel):
        arena.reserve(pa, PAGE)
    arena.reserve(*kernel.machine.scratch)
    built = build(spec, arena, kernel.registry)
    memory = arena.view()
    handover = open_memory(memory, fdt=built.fdt_pa, scratch=built.scratch, registry=kernel.registry)
    reasons = [f"{each.rule}: {each.message}" for each in check(handover).findings if each.severity is Severity.ERROR]
    assert handover.preserved is not None  # it was built
    coverage = Coverage(handover.preserved.map, [kernel.machine.scratch])
    for number, table in kernel.iommu.tables.items():
        if not prove(table, coverage):
            reasons.append(f"device {number} can reach memory that is not preserved")
    return reasons, sum(region.size for region in memory.regions) - kernel.guest.size
