# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The device tree of a handover does not hold together.

What       A device stands before its parent, at another depth than below it, or twice; there are not as many as were said; what a driver
           left is not there, is of another compatible, or is of a device that there is not; a device is reclaimed that was not preserved.
Why        The new kernel gives a driver the state of another device, or none, while the device goes on.
Example    devices[2] says nvme-v2, and driver-2 is in nvme-v1.
Instead    Write parents first, and the tree and the drivers' parts together, when all drivers have frozen.
Reference  schemas/project/devices.py
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.objects import DEVICES, has_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("device-tree", "The device tree of a handover does not hold together", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Each machine, by its records."""
    if not has_objects(context.handover, DEVICES):
        return
    from devstate.handover.devices import verify_devices

    for path, pa, message, expected, found in verify_devices(context.handover):
        yield RULE.finding(context.handover, message, pa, path, expected, found)
