# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every fault that a scenario can have, and what must come of it.

=============================  =======================================================================================================
fault                          must end as
=============================  =======================================================================================================
a callback of the old kernel   ``kept``: what was done is undone, the guest goes on; repaired, the same kernel then jumps. So with a
fails, or overruns its budget  journal that cannot be written; and with a callback that undoes, when something else has failed
a callback of the new kernel   ``refused``: nothing that was left is used. So with a participant, handler or shared object that the new
fails to restore or retrieve   kernel does not have
a callback of the new kernel   ``updated``, with a warning: the guest runs already, and finish must not fail; a session that cannot
fails to finish, or cannot     finish stays as it is
a kernel is killed             ``lost``: nothing was restored, the devices have done no harm. Killed when it has handed over, the old
                               kernel is not missed where the jump is its death
a byte of the handover flips   ``refused``, or ``updated`` when the byte says nothing; never anything else
a byte flips in what hardware  the same; the devices are at work with it before any kernel has looked, so harm that they do is seen, and
reads, and the new kernel too  does not count as wrong when the new kernel refuses (``devstate.rehearsal.live``)
a second update comes early    ``updated``: it is refused with EINVAL
=============================  =======================================================================================================

And always: no DMA is stopped, lost, or where it does not belong; no interrupt is lost or comes twice; no wrong restore.
"""

from __future__ import annotations

import random

from devstate.frozen import frozen
from devstate.rehearsal.drivers import load_driver
from devstate.rehearsal.live import LIVE
from devstate.rehearsal.run import DONE, KEPT, LOST, REFUSED, Fault, Result, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.rehearsal.scenario import DevicePlan, Scenario

RFC = {
    "memory": ("prepare", "freeze", "restore"),
    "kvm": ("freeze", "cancel", "restore"),
    "iommu": ("prepare", "restore"),
    "interrupts": ("freeze", "restore"),
    "devices": ("prepare", "freeze", "cancel", "restore", "finish"),
}
FILE_OPS = ("can_preserve", "get_id", "preserve", "unpreserve", "freeze", "unfreeze", "retrieve", "can_finish", "finish")
SHARED_OPS = ("preserve", "unpreserve", "retrieve", "finish")
MERGED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("memory", "iommufd", "kvm", "interrupts", "vfio"), FILE_OPS),
    **dict.fromkeys(("iommu", "devices"), SHARED_OPS),
}
"""The callbacks that a rehearsal's participants have, as handlers and shared objects in the merged design."""

DRIVER = "driver"
"""Drivers of devices, where they have a callback that is nobody else's."""

OF_DEVICES = ("vfio", "devices")
"""Those that are called in the merged design only for devices."""

OLD_STEPS = ("prepared", "frozen", "build", "handed-over")
NEW_STEPS = ("open", "check", "restore", "restored", "finish")
"""Steps of a kernel's own, where it can be killed."""

NEW = ("restore", "rederive", "retrieve", "can_finish", "finish")
"""Ops of the new kernel."""

TAKING = ("restore", "rederive", "retrieve")
"""Ops of the blackout in the new kernel: without them, nothing is taken over."""

HARM = ("device ", "guest memory")
"""How that begins which a device does when its tables are damaged (``devstate.rehearsal.verify``)."""

STRUCTURES_MAX, LIVE_MAX = 64, 32
"""Structures in which bytes flip, the first and one anywhere; of more structures, some by chance. And of those that hardware reads."""


@frozen
class Tried:
    """A fault that was tried. ``right``: it ended as it must, and nothing was wrong."""

    fault: Fault
    expected: tuple[str, ...]
    result: Result

    @property
    def right(self) -> bool:
        """Whether all is as documented."""
        allowed = HARM if self.fault.how == "live" and self.result.ended == REFUSED else ()
        wrong = [each for each in self.result.wrong if not each.startswith(allowed)]
        return self.result.ended in self.expected and not wrong


def callbacks_of(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The callbacks that are made in a scenario, by participant."""
    drivers = {DRIVER: ("rederive",)} if any(_is_rederived(scenario, each) for each in scenario.devices) else {}
    if scenario.policy == "rfc":
        return RFC | drivers
    if any(each.requested and each.reclaim for each in scenario.devices):
        return MERGED | drivers
    return {name: ops for name, ops in MERGED.items() if name not in OF_DEVICES}


def _is_rederived(scenario: Scenario, plan: DevicePlan) -> bool:
    """Whether the first new kernel's driver of a device has to derive what it cannot read: what a newer one left."""
    if scenario.preflight != "rederive" or not (plan.requested and plan.reclaim):
        return False
    driver = load_driver(plan.driver)
    old, new = (driver.compatibles[version - 1] for version in plan.drivers[:2])
    return driver.derives() and plan.drivers[0] > plan.drivers[1] and old != new


def ends_of(fault: Fault, scenario: Scenario) -> tuple[str, ...]:
    """How a rehearsal with this fault may end."""
    if fault.how in ("flip", "live"):
        return REFUSED, DONE
    if fault.how == "kill":
        if fault.participant != "kernel" and fault.op in ("can_finish", "finish") and _is_stuck(scenario):
            return LOST, DONE  # whether it comes to this call
        return (DONE,) if fault.op == "handed-over" and scenario.jump == "kill" else (LOST,)
    if fault.how == "missing" or fault.op in TAKING:
        return (REFUSED,)
    if fault.op == "can_finish" and fault.hop + 1 < len(scenario.kernels):
        return (KEPT,)  # the next update cannot begin before the session has finished
    if fault.how in ("none", "early") or fault.op in NEW:
        return (DONE,)
    return (KEPT,)


def _is_stuck(scenario: Scenario) -> bool:
    """Whether the guest's session cannot finish, since nobody takes one of its devices."""
    return scenario.policy == "merged" and any(each.requested and not each.reclaim for each in scenario.devices)


def faults_of(scenario: Scenario, structures: tuple[tuple[int, int, str], ...] = ()) -> Iterator[Fault]:
    """Every fault."""
    budgets = dict(scenario.budgets)
    for participant, ops in callbacks_of(scenario).items():
        for op in ops:
            hop = int(op in NEW)
            yield Fault("fail", hop, op, participant)
            yield Fault("kill", hop, op, participant)
            if op in budgets:
                yield Fault("slow", hop, op, participant)
        if participant != DRIVER:
            yield Fault("missing", 1, "", participant)
    for step in (*OLD_STEPS, *NEW_STEPS):
        yield Fault("kill", int(step in NEW_STEPS), step, "kernel")
    yield Fault("early", 1)
    yield Fault("journal", 0)
    chance = random.Random(scenario.seed)
    live = [each for each in structures if each[2].startswith(LIVE)]
    other = [each for each in structures if not each[2].startswith(LIVE)]
    for how, places, most in (("flip", other, STRUCTURES_MAX), ("live", live, LIVE_MAX)):
        for pa, size, what in places if len(places) <= most else chance.sample(places, most):
            for offset in sorted({0, chance.randrange(size)}) if size else ():
                yield Fault(how, 0, what.removeprefix(LIVE), "", pa + offset)


def sweep(scenario: Scenario) -> Iterator[Tried]:
    """Try every fault of a scenario, one rehearsal each; the first is one without any."""
    clean = run(scenario, looks=True)
    yield Tried(Fault("none"), ends_of(Fault("none"), scenario), clean)
    for fault in faults_of(scenario, clean.structures):
        yield Tried(fault, ends_of(fault, scenario), run(scenario, fault))
