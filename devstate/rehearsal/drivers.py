# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Drivers of rehearsed devices. One's own is a subclass of :class:`Driver`, named in the scenario (``driver = "module:Class"``).

::

    class Nic(Driver):
        compatibles = ("mynic-v1", "mynic-v2")            what version 1 leaves, what version 2 leaves

        def save(self, device):                           in the blackout: the values of a record of its own version
            return {"rings": 4, "head": self.stamps()}

        def load(self, device, values):                   in the new kernel: the values in the form of its own version
            self.rings = values["rings"]

A driver that can find out by itself where its device is may say so: it has a method ``derive``, which a scenario of ``preflight =
"rederive"`` calls where a record cannot be read.

A driver that keeps more than a record has pages of its own (``probe``, ``keep``): they are preserved, and a record leads there.

What is left is a record of that schema, typed and checked by its layout. A driver reads what its own version left, and what older ones
left, by the converters of the schemas; what a newer one left is refused, unless the one that hands over wrote the older form.
"""

from __future__ import annotations

import errno
import importlib

from devstate.errors import EncodeError, LiveUpdateError, UsageError
from devstate.layout.converting import convert
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.rehearsal.device import BATCH
from devstate.rehearsal.machine import FAULTS, PAGE, STAMPS, Machine
from devstate.rehearsal.state import values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.codec.record import Record
    from devstate.luo.devices import Device
    from devstate.memory.arena import Arena
    from devstate.rehearsal.world import World

TRIES = 8
"""How often a ring is looked at: the device may be in the middle of its newest stamp."""


class Bus:
    """A bus that has nothing of its own to keep."""

    name = "pci"

    def prepare(self, device: Device) -> None:
        """Nothing to do."""

    def freeze(self, device: Device) -> None:
        """Nothing to do."""

    def cancel(self, device: Device) -> None:
        """Nothing to do."""

    def finish(self, device: Device) -> None:
        """Nothing to do."""


class Driver(Bus):
    """A driver of ``version`` (from 1 on) for device ``number`` of a machine; ``registry`` knows its schemas. ``handler`` is the class of
    its file handlers in the merged design, a ``devstate.rehearsal.handlers.DeviceHandler`` of one's own; None: that one.
    """

    compatibles: tuple[str, ...] = ()
    handler: Any = None

    def __init__(self, version: int, number: int, machine: Machine, registry: Registry) -> None:
        self.version, self.number, self.machine, self.registry = version, number, machine, registry
        self.pages: list[int] = []
        self.world: World | None = None

    def probe(self, arena: Arena) -> None:
        """At a cold boot: set the device up. What must survive in memory is put there with :meth:`keep`."""

    def keep(self, arena: Arena, data: bytes) -> int:
        """Put bytes into preserved pages; their address."""
        pa = int(arena.alloc(len(data)))
        arena.write(pa, data)
        self.adopt(pa, len(data))
        return pa

    def adopt(self, pa: int, size: int) -> None:
        """Pages that came along are this driver's from now on, and stay preserved."""
        self.pages += range(pa // PAGE * PAGE, pa + size, PAGE)

    @property
    def compatible(self) -> str:
        """What it leaves."""
        return self.compatibles[self.version - 1]

    def save(self, device: Device) -> dict[str, Any]:
        """The values of the record that it leaves."""
        raise NotImplementedError

    def load(self, device: Device, values: dict[str, Any]) -> None:
        """Take up what was left, in the form of this version. LiveUpdateError for what it cannot go on from."""

    def derive(self, device: Device, record: Record | None, world: World) -> None:
        """In the new kernel, in place of ``load``: find out where the device is, whatever was left of it. ``record`` is what was left, in
        the form of the other version; None when this kernel does not know the format. LiveUpdateError when what is found cannot be.
        """
        raise NotImplementedError

    @classmethod
    def derives(cls) -> bool:
        """Whether drivers of this class do."""
        return cls.derive is not Driver.derive

    def stamps(self) -> int:
        """Writes that the device has done so far."""
        return self.machine.counter(self.number, STAMPS)

    def freeze(self, device: Device) -> None:
        """In the blackout: what is left of it."""
        device.payload = (self.compatible, self.save(device))

    def restore(self, device: Device) -> None:
        """In the new kernel: ``payload`` is compatible and record of what was left. ENOENT for what this version does not read."""
        compatible, record = device.payload
        self.load(device, self.converted(device.name, compatible, record))

    def rederive(self, device: Device) -> None:
        """In the new kernel, for what this version does not read."""
        assert self.world is not None  # whoever calls this has set it
        self.derive(device, device.payload[1], self.world)

    def reads(self, compatible: str) -> bool:
        """Whether this version reads what such a driver left."""
        steps = self.registry.chain(compatible, self.compatible)
        return steps is not None and not any(step.down for step in steps)

    def converted(self, name: str, compatible: str, record: Record) -> dict[str, Any]:
        """The record in the form of this version."""
        if not self.reads(compatible):
            raise LiveUpdateError(errno.ENOENT, f"{name}: a driver of version {self.version} does not read {compatible or 'nothing'}")
        values, environment = values_of(record), Environment()
        for step in self.registry.chain(compatible, self.compatible) or ():
            try:
                old, new = (self.registry.layout(each, environment) for each in (step.source, step.target))
                values, _ = convert(step, old, new, values)
            except EncodeError as error:
                raise LiveUpdateError(errno.EINVAL, f"{name}: {error}") from error
        return values


class RingDriver(Driver):
    """What devices have whose scenario names no driver: how far its ring was."""

    compatibles = ("rehearsed-ring-v1", "rehearsed-ring-v2")

    def save(self, device: Device) -> dict[str, Any]:
        """The device goes on: the count can only grow."""
        if self.version == 1:
            return {"device": self.number, "stamps": self.stamps() & 0xFFFFFFFF}
        return {"device": self.number, "padding": 0, "stamps": self.stamps(), "faults": self.machine.counter(self.number, FAULTS)}

    def load(self, device: Device, values: dict[str, Any]) -> None:
        """EINVAL when the device is not where it was left."""
        if values["device"] != self.number or values["stamps"] > self.stamps():
            raise LiveUpdateError(errno.EINVAL, f"{device.name}: the device is not where its driver left it")

    def derive(self, device: Device, record: Record | None, world: World) -> None:
        """The newest stamp in its ring says how far it is. EINVAL when that is not what the device counts."""
        for _ in range(TRIES):
            least, newest, most = self.stamps(), world.newest(), self.stamps() + BATCH
            if least <= (0 if newest is None else newest + 1) <= most:
                return
        raise LiveUpdateError(errno.EINVAL, f"{device.name}: {least} stamps are counted, the newest in the ring is {newest}")


def load_driver(name: str | None) -> type[Driver]:
    """The class of a driver, by ``module:Class``. UsageError when there is none of that name, or it is no driver."""
    if name is None:
        return RingDriver
    module, colon, cls = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), cls) if colon else None
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"the driver {name} cannot be loaded: {error}") from error
    if not isinstance(found, type) or not issubclass(found, Driver) or not found.compatibles:
        raise UsageError(f"{name} is no driver: expected module:Class, a devstate.rehearsal.drivers.Driver with compatibles")
    return found
