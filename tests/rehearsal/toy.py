# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A driver author's driver, for the tests."""

from __future__ import annotations

import errno
from typing import Any

from devstate.errors import LiveUpdateError
from devstate.luo.devices import Device
from devstate.rehearsal.drivers import Driver


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


class Broken(Toy):
    """It has a bug."""

    def save(self, device: Device) -> dict[str, Any]:
        """A field that the schema does not have."""
        return {"levle": 7}
