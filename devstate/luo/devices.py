# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``dev_liveupdate``: devices on buses with drivers, and which of them stay alive across the jump.

::

    host bridge  <- bus: requested with every device below it        down: children before parents, driver before bus
      `- port                                                        up:   children before parents, driver before bus
          |- nvme0   requested                                       restore: parents before children
          `- nic0    -

A device can be requested in the state normal only, and only if its driver and its bus, and those of all its ancestors, take part; the
ancestors then go along. ``preserved`` is set when both callbacks of a device were well; it is carried across the jump, which the RFC left
open. ``reclaimed`` is set by whoever takes the device back in the new kernel; finish warns of what nobody took, and resets it.

Source: the RFC of 20 March 2025 (drivers/base and include/linux/dev_liveupdate.h there).
"""

from __future__ import annotations

import errno

from devstate.errors import LiveUpdateError
from devstate.frozen import frozen
from devstate.luo.engine import NONE, Engine, Phase
from devstate.luo.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

OPS = ("prepare", "freeze", "finish", "cancel")
MAX_DEPTH = (1 << 28) - 1
"""The RFC keeps a device's depth in 28 bits."""

PREPARE = Phase("prepare", "prepare", "cancel", undo_backwards=True)
FREEZE = Phase("freeze", "freeze", blackout=True)
CANCEL = Phase("cancel", "cancel", unwind=NONE, newest_first=True)
RESTORE = Phase("restore", "restore", blackout=True)
FINISH = Phase("finish", "finish", unwind=NONE)


class Device:
    """A device. ``driver`` and ``bus`` are objects with prepare, freeze, finish and cancel, each called with the device; None when they
    take no part. A driver may have ``restore(device)`` too: it is called before anybody can reclaim the device.
    """

    __slots__ = ("bus", "driver", "name", "parent", "payload", "preserved", "reclaimed", "requested")

    def __init__(self, name: str, parent: Device | None = None, *, driver: Any = None, bus: Any = None) -> None:
        self.name, self.parent, self.driver, self.bus = name, parent, driver, bus
        self.requested = self.preserved = self.reclaimed = False
        self.payload: Any = None

    def ancestors(self) -> Iterable[Device]:
        """Its parent first, the root last. EINVAL for a tree that bites its tail."""
        seen = {id(self)}
        device = self.parent
        while device is not None:
            if id(device) in seen:
                raise LiveUpdateError(errno.EINVAL, f"{self.name} is its own ancestor")
            seen.add(id(device))
            yield device
            device = device.parent

    @property
    def path(self) -> str:
        """Names from the root down, with ``/`` between them."""
        return "/".join([each.name for each in [self, *self.ancestors()]][::-1])

    @property
    def depth(self) -> int:
        """Devices above it."""
        return sum(1 for _ in self.ancestors())

    def takes_part(self) -> bool:
        """Whether its driver and its bus have all callbacks."""
        return all(callable(getattr(side, op, None)) for side in (self.driver, self.bus) for op in OPS)


@frozen
class DeviceState:
    """What the jump carries of a device: where it is, and what its driver left."""

    path: str
    depth: int
    requested: bool
    payload: Any


class _Side:
    """A driver or a bus for one device, as a participant."""

    __slots__ = ("_device", "_ops", "name")

    def __init__(self, device: Device, ops: Any, what: str) -> None:
        self._device, self._ops, self.name = device, ops, f"{device.path} ({what})"

    def __getattr__(self, op: str) -> Callable[[], Any]:
        method = getattr(self._ops, op)
        return lambda: method(self._device)


class Devices:
    """All devices of a machine, as one participant of the orchestrator. ``state`` is asked for before a request is changed."""

    name = "devices"

    def __init__(self, devices: Iterable[Device] = (), *, engine: Engine | None = None, state: Callable[[], State] | None = None) -> None:
        self.engine = engine or Engine()
        self.state = state or (lambda: State.NORMAL)
        self._by_path: dict[str, Device] = {}
        self._list: list[Device] = []
        self._alone: list[Device] = []
        for device in devices:
            self.add(device)

    def __iter__(self) -> Any:
        return iter(self._by_path.values())

    def add(self, device: Device) -> None:
        """A device appears. EEXIST when its path is taken, EINVAL when it is its own ancestor."""
        if self._by_path.setdefault(device.path, device) is not device:
            raise LiveUpdateError(errno.EEXIST, f"there is a device {device.path}")

    def device(self, path: str) -> Device:
        """ENODEV when there is none."""
        found = self._by_path.get(path)
        if found is None:
            raise LiveUpdateError(errno.ENODEV, f"no device {path}")
        return found

    def request(self, device: Device, wanted: bool = True) -> None:
        """Ask for a device to stay alive, or not any more. EBUSY outside of the state normal, EINVAL when it cannot."""
        if self.state() is not State.NORMAL:
            raise LiveUpdateError(errno.EBUSY, f"requests are made in the state normal, not {self.state()}")
        if wanted:
            for each in (device, *device.ancestors()):
                if not each.takes_part():
                    raise LiveUpdateError(errno.EINVAL, f"driver or bus of {each.path} take no part in live updates")
        device.requested = wanted

    def going(self) -> list[Device]:
        """Requested devices and all their ancestors, children before parents."""
        return _with_ancestors(device for device in self if device.requested)

    def prepare(self) -> None:
        """Both callbacks of each device. The error of the first that failed, after everything before it was cancelled, last first."""
        self._list = self.going()
        done: list[Device] = []
        for device in self._list:
            try:
                self.call(PREPARE, device)
            except LiveUpdateError:
                self._give_up(done)
                raise
            device.preserved = True
            done.append(device)

    def freeze(self) -> None:
        """As prepare(), in the blackout, over the same devices. A failure is cancelled by the orchestrator, for everyone."""
        for device in self._list:
            self.call(FREEZE, device)

    def cancel(self) -> None:
        """Take everything back, last first."""
        self._give_up([device for device in self._list if device.preserved])

    def _give_up(self, done: list[Device]) -> None:
        for device in reversed(done):
            self.call(CANCEL, device)
            device.preserved = False
        self._list = []

    def preserve(self, device: Device) -> None:
        """One device, as a file of the merged design: its own callbacks; its ancestors come along without theirs, as in the PCI core."""
        self.call(PREPARE, device)
        self._alone = [*(each for each in self._alone if each is not device), device]
        self._keep()

    def unpreserve(self, device: Device) -> None:
        """Take one device back, and those of its ancestors that no other needs."""
        self.call(CANCEL, device)
        self._alone = [each for each in self._alone if each is not device]
        self._keep()

    def _keep(self) -> None:
        for each in self._list:
            each.preserved = False
        self._list = _with_ancestors(self._alone)
        for each in self._list:
            each.preserved = True

    def call(self, phase: Phase, device: Device) -> None:
        """One phase of one device: its driver, then its bus."""
        self.engine.run(phase, _sides(device))

    def take_up(self, device: Device, phase: Phase = RESTORE) -> None:
        """In the new kernel: let one device's driver take up what was left of it."""
        self.engine.run(phase, [_Side(device, device.driver, "driver")])

    def saved(self) -> tuple[DeviceState, ...]:
        """What the jump carries: one entry for each preserved device, parents first."""
        return tuple([DeviceState(each.path, each.depth, each.requested, each.payload) for each in reversed(self._list) if each.preserved])

    def receive(self, states: Iterable[DeviceState], *, drivers: bool = True) -> None:
        """In the new kernel: mark what was carried, and let drivers take it up (unless each does so when its file is retrieved), parents
        first. ENODEV for a device that is not there."""
        for state in sorted(states, key=lambda each: (each.depth, each.path)):
            device = self.device(state.path)
            device.preserved, device.requested, device.payload = True, state.requested, state.payload
            if drivers:
                self.take_up(device)

    def reclaim(self, device: Device) -> None:
        """A user space took the device back. EINVAL for one that did not come along, EBUSY for one that was taken."""
        if not device.preserved:
            raise LiveUpdateError(errno.EINVAL, f"{device.path} did not come along")
        if device.reclaimed:
            raise LiveUpdateError(errno.EBUSY, f"{device.path} was reclaimed before")
        device.reclaimed = True

    def finish(self) -> None:
        """The update is over: children before parents. What nobody reclaimed is warned of, and reset like all others."""
        for device in sorted((each for each in self if each.preserved), key=lambda each: (-each.depth, each.path)):
            if device.requested and not device.reclaimed:
                self.engine.warnings.append(f"finish: {device.path}: nobody reclaimed it")
            self.let_go(device)

    def let_go(self, device: Device) -> None:
        """The update is over for one device."""
        self.call(FINISH, device)
        device.requested = device.preserved = device.reclaimed = False
        device.payload = None


def _with_ancestors(devices: Iterable[Device]) -> list[Device]:
    """These and all their ancestors, children before parents."""
    found = {id(each): each for device in devices for each in (device, *device.ancestors())}
    return sorted(found.values(), key=lambda device: (-device.depth, device.path))


def _sides(device: Device) -> list[_Side]:
    """Driver, then bus: the order in which they are called. What is undone, is undone the other way round."""
    return [_Side(device, device.driver, "driver"), _Side(device, device.bus, "bus")]
