# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Devices as parts of the subtree ``devstate``: the tree of each machine, and what the driver of each device left.

::

    DeviceSpec  pci0          --> ds_device[0]  parent none
    DeviceSpec  pci0/nvme0    --> ds_device[1]  parent 0, depth 1     driver-1 in the format of its driver
"""

from __future__ import annotations

from devstate.errors import EncodeError
from devstate.frozen import replace
from devstate.handover.build_links import text
from devstate.handover.devices import DRIVER, NO_PARENT
from devstate.handover.spec import PartSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.build_links import Links
    from devstate.handover.spec import DeviceSpec

PLACE = "devstate devices"
"""Where the schema of device trees says that it is found."""

ROW = "ds_device"
FLAGS = {"requested": 1, "preserved": 2, "reclaimed": 4}
PHASES = {"normal": 0, "prepared": 1, "frozen": 2, "updated": 3}
"""Numbers of devices-v1 by the words of a spec."""


def device_parts(links: Links, devices: tuple[DeviceSpec, ...]) -> Iterator[PartSpec]:
    """The parts of all machines. EncodeError, with the place in the spec, for a parent that does not stand before its child."""
    named = links.registry.found_by(PLACE)
    form = next(name for name in named if any(each.name == ROW for each in links.registry.layout(name, links.environment).structs))
    machines: dict[str, list[tuple[int, DeviceSpec]]] = {}
    for number, device in enumerate(devices):
        machines.setdefault(device.machine, []).append((number, device))
    for machine, rows in machines.items():
        path = f"devices/{machine}"
        yield PartSpec(path, form, ({"devices": len(rows), "flags": 0},))
        places = {device.path: at for at, (_, device) in enumerate(rows)}
        depths: dict[str, int] = {}
        tree = []
        for at, (number, device) in enumerate(rows):
            above = device.path.rpartition("/")[0]
            if above and places.get(above, at) >= at:
                raise EncodeError("its parent does not stand before it", path=f"devices[{number}].path", expected=above, found=device.path)
            depths[device.path] = depths[above] + 1 if above else 0
            tree.append({
                "path": text(device.path, 128, f"devices[{number}].path"), "parent": places[above] if above else NO_PARENT,
                "depth": depths[device.path], "bus": text(device.bus, 32, f"devices[{number}].bus"),
                "driver": text(device.driver, 48, f"devices[{number}].driver"), "flags": sum(FLAGS[each] for each in set(device.flags)),
                "phase": PHASES[device.phase],
            })  # fmt: skip
        yield PartSpec(f"{path}/devices", form, tuple(tree), ROW, many=True)
        for at, (_, device) in enumerate(rows):
            if device.left is not None:
                yield replace(device.left, path=f"{path}/{DRIVER}{at}")
