# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A driver author's driver, for the tests."""

from __future__ import annotations

import errno
from typing import Any

from devstate.codec.record import Record
from devstate.errors import LiveUpdateError
from devstate.luo.devices import Device
from devstate.luo.handlers import FileArgs
from devstate.rehearsal.drivers import Driver
from devstate.rehearsal.handlers import DeviceHandler
from devstate.rehearsal.world import World


class Toy(Driver):
    """It keeps a level."""

    compatibles = ("toy-v1", "toy-v2")

    def save(self, device: Device) -> dict[str, Any]:
        """The level is 7."""
        return {"level": 7} if self.version == 1 else {"level": 7, "padding": 0, "millis": 1234}

    def load(self, device: Device, values: dict[str, Any]) -> None:
        """What came along must be the level, and in version 2 a time, 0 when the old one had none."""
        if values["level"] != 7 or values.get("millis", 0) not in (0, 1234):
            raise LiveUpdateError(errno.EINVAL, f"the level is {values['level']}")


class Forgetful(Toy):
    """It takes nothing."""

    def load(self, device: Device, values: dict[str, Any]) -> None:
        """Never."""
        raise LiveUpdateError(errno.EIO, "the toy is broken")


class Knowing(Toy):
    """It finds out by itself what it cannot read."""

    def derive(self, device: Device, record: Record | None, world: World) -> None:
        """The newer form is known, though not to this version; the device is at work, its interrupt has a place."""
        if record is None or (record.level, record.millis) != (7, 1234):
            raise LiveUpdateError(errno.EINVAL, "the newer record is not there")
        if world.place is None or world.table is None or (world.newest() or 0) + 1 < self.stamps() - 1000:
            raise LiveUpdateError(errno.EINVAL, "the device is not at work")


class Helpless(Toy):
    """It looks, and finds nothing."""

    def derive(self, device: Device, record: Record | None, world: World) -> None:
        """Nothing."""
        raise LiveUpdateError(errno.ENODATA, "the device does not say where it is")


class ShyFiles(DeviceHandler):
    """File handlers of one's own."""

    def preserve(self, args: FileArgs) -> None:
        """Never."""
        raise LiveUpdateError(errno.EPERM, "the toy is shy")


class Shy(Toy):
    """It has file handlers of its own."""

    handler = ShyFiles


class Broken(Toy):
    """It has a bug."""

    def save(self, device: Device) -> dict[str, Any]:
        """A field that the schema does not have."""
        return {"levle": 7}
