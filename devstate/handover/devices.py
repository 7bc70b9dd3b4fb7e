# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge the device trees of the subtree ``devstate``: each device with its parent, and with what its driver left.

::

    devices[0]  pci0                parent none   depth 0
    devices[1]  pci0/nvme0          parent 0      depth 1     driver "nvme-v2"  <->  driver-1, compatible nvme-v2
"""

from __future__ import annotations

from devstate.handover.objects import DEVICES, objects_of
from devstate.handover.text import c_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from devstate.codec.record import Record
    from devstate.handover.model import Handover
    from devstate.handover.objects import PartsObject

    Fault: TypeAlias = tuple[str, int | None, str, object, object]

NO_PARENT = 0xFFFFFFFF
PRESERVED, RECLAIMED = 2, 4
DRIVER = "driver-"

HEAD = "ds_device_tree"
"""The struct that begins a machine."""


def verify_devices(handover: Handover) -> Iterator[Fault]:
    """(path, address, message, expected, found) of everything that does not hold together."""
    for each in objects_of(handover, DEVICES):
        if each.head.layout.name != HEAD:
            continue  # what a driver left
        devices = each.parts.get("devices", ())
        if each.head.devices != len(devices):
            yield f"{each.path}.devices", each.pa, "not as many devices as were said", each.head.devices, len(devices)
        yield from _tree(each, devices)
        yield from _drivers(handover, each, devices)


def _tree(machine: PartsObject, devices: tuple[Record, ...]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for at, device in enumerate(devices):
        path, name = f"{machine.path}/devices[{at}]", c_string(device.path)[0]
        if not name or name in seen:
            yield f"{path}.path", None, "a path that is not its own", "a path", name
        seen.setdefault(name, at)
        above = name.rpartition("/")[0]
        known = device.parent < at
        if known and c_string(devices[device.parent].path)[0] != above:
            yield f"{path}.parent", None, "its parent is not the one of its path", above, c_string(devices[device.parent].path)[0]
        elif known and device.depth != devices[device.parent].depth + 1:
            yield f"{path}.depth", None, "not one below its parent", devices[device.parent].depth + 1, device.depth
        elif not known and device.parent != NO_PARENT:
            yield f"{path}.parent", None, "its parent does not stand before it", f"0..{at - 1} or none" if at else "none", device.parent
        if device.flags & RECLAIMED and not device.flags & PRESERVED:
            yield f"{path}.flags", None, "reclaimed, and not preserved", None, f"{device.flags:#x}"


def _drivers(handover: Handover, machine: PartsObject, devices: tuple[Record, ...]) -> Iterator[Fault]:
    """Parts of drivers against the devices that they are of. A part of no device of the tree has nobody who takes it."""
    assert handover.state is not None  # there is a machine
    prefix = f"{machine.path}/{DRIVER}"
    left = {part.path.removeprefix(prefix): part for part in handover.state.parts if part.path.startswith(prefix)}
    for at, device in enumerate(devices):
        driver, part = c_string(device.driver)[0], left.pop(str(at), None)
        path = f"{machine.path}/devices[{at}].driver"
        if driver and part is None:
            yield path, None, "what its driver left is not there", f"{DRIVER}{at}", None
        elif part is not None and part.format != driver:
            yield path, part.pa, "what its driver left is of another compatible", driver or "nothing", part.format
    for name, part in left.items():
        if "/" not in name:
            yield part.path, part.pa, "what a driver left of a device that there is not", f"below {len(devices)}", name
