# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The driver of a rehearsed device, in two versions; what it leaves is a record of ``rehearsed-ring-v1`` or ``-v2``.

A driver reads what its own version left, and what older ones left, by the converters of the registry. One of version 1 does not read
what version 2 left: a converter down would have to run in the kernel that hands over.
"""

from __future__ import annotations

import errno

from devstate.errors import EncodeError, LiveUpdateError
from devstate.layout.converting import convert
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.rehearsal.machine import FAULTS, STAMPS, Machine
from devstate.rehearsal.state import values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.codec.record import Record
    from devstate.luo.devices import Device

FAMILY = "rehearsed-ring-v"


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
    """A driver of ``version`` 1 or 2 for device ``number``. ``left`` is what it leaves, as (compatible, values)."""

    def __init__(self, version: int, number: int, machine: Machine) -> None:
        self.version, self.number, self.machine = version, number, machine

    @property
    def compatible(self) -> str:
        """What it leaves."""
        return f"{FAMILY}{self.version}"

    def freeze(self, device: Device) -> None:
        """Write down how far the device was. It goes on: the count can only grow."""
        stamps, faults = (self.machine.counter(self.number, which) for which in (STAMPS, FAULTS))
        more = {"stamps": stamps & 0xFFFFFFFF} if self.version == 1 else {"padding": 0, "stamps": stamps, "faults": faults}
        device.payload = (self.compatible, {"device": self.number, **more})

    def restore(self, device: Device) -> None:
        """Take up what the old driver left, ``payload`` being its compatible and record. ENOENT for a version that this one does not read,
        EINVAL when the device is not where it was left."""
        compatible, record = device.payload
        values = self.converted(device.name, compatible, record)
        now = self.machine.counter(self.number, STAMPS)
        if values["device"] != self.number or values["stamps"] > now:
            raise LiveUpdateError(errno.EINVAL, f"{device.name}: the device is not where its driver left it")

    def converted(self, name: str, compatible: str, record: Record) -> dict[str, Any]:
        """The record in the form of this version."""
        registry, environment = Registry.shipped(), Environment()
        steps = registry.chain(compatible, self.compatible) if compatible.startswith(FAMILY) else None
        if steps is None or any(step.down for step in steps):
            raise LiveUpdateError(errno.ENOENT, f"{name}: a driver of version {self.version} does not read {compatible or 'nothing'}")
        values = values_of(record)
        for step in steps:
            try:
                old, new = (registry.layout(each, environment) for each in (step.source, step.target))
                values, _ = convert(step, old, new, values)
            except EncodeError as error:
                raise LiveUpdateError(errno.EINVAL, f"{name}: {error}") from error
        return values
