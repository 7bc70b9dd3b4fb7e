# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The device tree of a rehearsal: who is requested, who goes along, and what each driver leaves."""

from __future__ import annotations

from devstate.errors import LiveUpdateError
from devstate.handover.spec import PartSpec
from devstate.luo.devices import RESTORE, Device, Devices, DeviceState
from devstate.luo.engine import Phase
from devstate.rehearsal.drivers import Bus, Driver, load_driver
from devstate.rehearsal.machine import Machine
from devstate.rehearsal.state import NONE, Left, chars, holds, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devstate.codec.record import Record
    from devstate.layout.registry import Registry
    from devstate.luo.engine import Engine
    from devstate.luo.states import State
    from devstate.memory.arena import Arena
    from devstate.rehearsal.scenario import Scenario
    from devstate.rehearsal.world import World

MACHINE = "machine"
REDERIVE = Phase("rederive", "rederive", blackout=True)
"""In place of restore, for a driver that cannot read what was left, and derives it."""
REQUESTED, PRESERVED, FROZEN = 1, 2, 2
"""Numbers of devices-v1's names."""


class RehearsedDevices(Devices):
    """The device tree of a scenario, in the kernel of one hop. ``in_files``: drivers take up what was left when the files of their devices
    are retrieved, not with the tree. ``world`` is asked what a device has in this kernel; ``rederived`` are those whose driver derived its
    state.
    """

    in_files = False
    world: Callable[[int], World]

    def __init__(
        self, scenario: Scenario, hop: int, machine: Machine, engine: Engine, state: Callable[[], State], registry: Registry
    ) -> None:
        super().__init__(engine=engine, state=state)
        self.scenario, self.hop = scenario, hop
        self.rederived: list[str] = []
        bus, root = Bus(), Device("root", driver=Bus(), bus=Bus())
        made: dict[str, Device] = {}
        waiting = list(enumerate(scenario.devices))
        while waiting:  # parents may stand behind their children
            for number, plan in [each for each in waiting if each[1].parent is None or each[1].parent in made]:
                driver = load_driver(plan.driver)(plan.drivers[hop], number, machine, registry)
                made[plan.name] = Device(plan.name, made[plan.parent] if plan.parent else root, driver=driver, bus=bus)
                waiting.remove((number, plan))
        for device in (root, *made.values()):
            self.add(device)

    def drivers(self) -> Iterator[Driver]:
        """Those of the devices of the scenario, in its order."""
        for device in self.planned():
            yield device.driver

    def probe(self, arena: Arena) -> None:
        """At a cold boot: every driver sets its device up."""
        for driver in self.drivers():
            driver.probe(arena)

    def ask(self) -> None:
        """User space asks for the devices that the scenario says: those that it has."""
        for plan, device in zip(self.scenario.devices, self.planned(), strict=True):
            self.request(device, plan.requested and (plan.reclaim or not self.hop))

    def take_back(self) -> None:
        """User space reclaims the devices that the scenario says."""
        for plan, device in zip(self.scenario.devices, self.planned(), strict=True):
            if device.preserved and plan.reclaim:
                self.reclaim(device)

    def planned(self) -> list[Device]:
        """The devices of the scenario, in its order."""
        return [next(device for device in self if device.name == plan.name) for plan in self.scenario.devices]

    def parts(self) -> tuple[PartSpec, ...]:
        """The devices that come along, and what each driver left."""
        path, form = f"devices/{MACHINE}", "devices-v1"
        states = self.saved()
        places = {state.path: place for place, state in enumerate(states)}
        rows = [
            {
                "path": chars(state.path, 128), "parent": places.get(state.path.rpartition("/")[0], NONE), "depth": state.depth,
                "bus": chars(Bus.name, 32), "driver": chars(state.payload[0] if state.payload else "", 48),
                "flags": PRESERVED | (REQUESTED if state.requested else 0), "phase": FROZEN,
            }
            for state in states
        ]  # fmt: skip
        drivers = [
            PartSpec(f"{path}/driver-{place}", state.payload[0], (state.payload[1],)) for place, state in enumerate(states) if state.payload
        ]
        head = PartSpec(path, form, ({"devices": len(rows), "flags": 0},))
        return (head, PartSpec(f"{path}/devices", form, tuple(rows), "ds_device", many=True), *drivers)

    def restore(self, left: Left) -> None:
        """Take it up, parents first. ENODEV for a device that is not here, else the error of the first driver that cannot."""
        path, form = f"devices/{MACHINE}", "devices-v1"
        rows = left.records(f"{path}/devices", form)
        holds(left.record(path, form).devices == len(rows), "not as many devices as were said")
        states = []
        for place, row in enumerate(rows):
            compatible, own = text_of(row.driver), f"{path}/driver-{place}"
            payload = (compatible, self._left(left, own, text_of(row.path), compatible)) if compatible else None
            states.append(DeviceState(text_of(row.path), row.depth, bool(row.flags & REQUESTED), payload))
        self.receive(states, drivers=not self.in_files)

    def rederives(self, device: Device, compatible: str) -> bool:
        """Whether a device's driver derives what it cannot read of a driver that left this."""
        return isinstance(device.driver, Driver) and self.derives(device.driver, compatible)

    def derives(self, driver: Driver, compatible: str) -> bool:
        """The same of a driver."""
        return self.scenario.preflight == "rederive" and driver.derives() and not driver.reads(compatible)

    def _left(self, left: Left, own: str, path: str, compatible: str) -> Record | None:
        """What a driver left; None when it cannot be read, and need not."""
        try:
            return left.record(own, compatible)
        except LiveUpdateError:
            if not self.rederives(self.device(path), compatible):
                raise
            return None

    def take_up(self, device: Device, phase: Phase = RESTORE) -> None:
        """By reading what was left; or, where the scenario wants it, by deriving it."""
        if device.payload is None or not self.rederives(device, device.payload[0]):
            super().take_up(device, phase)
            return
        device.driver.world = self.world(device.driver.number)
        super().take_up(device, REDERIVE)
        self.rederived.append(device.name)
