# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The driver of a rehearsed device, in two versions; what it leaves is a record that its own compatible names.

::

    ring-v1    compatible, device u32, stamps u32 (low half of the count)
    ring-v2    compatible, device u32, stamps u64, faults u64

Version 2 reads what version 1 left; version 1 does not read version 2, unless the kernel that hands over writes for it (``writes``).
"""

from __future__ import annotations

import errno

from devstate.errors import LiveUpdateError
from devstate.rehearsal.machine import FAULTS, STAMPS, Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.luo.devices import Device


class Bus:
    """A bus that has nothing of its own to keep."""

    def prepare(self, device: Device) -> None:
        """Nothing to do."""

    def freeze(self, device: Device) -> None:
        """Nothing to do."""

    def cancel(self, device: Device) -> None:
        """Nothing to do."""

    def finish(self, device: Device) -> None:
        """Nothing to do."""


class Driver(Bus):
    """A driver of ``version`` 1 or 2 for device ``number``."""

    def __init__(self, version: int, number: int, machine: Machine) -> None:
        self.version, self.number, self.machine = version, number, machine

    def freeze(self, device: Device) -> None:
        """Write down how far the device was. It goes on: the count can only grow."""
        stamps = self.machine.counter(self.number, STAMPS)
        if self.version == 1:
            device.payload = {"compatible": "ring-v1", "device": self.number, "stamps": stamps & 0xFFFFFFFF}
        else:
            faults = self.machine.counter(self.number, FAULTS)
            device.payload = {"compatible": "ring-v2", "device": self.number, "stamps": stamps, "faults": faults}

    def restore(self, device: Device) -> None:
        """Take up what the old driver left. ENOENT for a version that this one does not read, EINVAL when the device is behind it."""
        left = device.payload
        compatible = left.get("compatible") if isinstance(left, dict) else None
        if compatible not in ("ring-v1", "ring-v2")[: self.version]:
            raise LiveUpdateError(errno.ENOENT, f"{device.name}: a driver of version {self.version} does not read {compatible}")
        now = self.machine.counter(self.number, STAMPS)
        if left.get("device") != self.number or not isinstance(left.get("stamps"), int) or left["stamps"] > now:
            raise LiveUpdateError(errno.EINVAL, f"{device.name}: the device is not where its driver left it")
