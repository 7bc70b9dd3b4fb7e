# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A unit as parts of a build spec (docs/build.schema.json): the records of preserved state that its tables stand for."""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.text import to_json
from devstate.handover.iommu.state import FORMAT, STRUCTS, unit_state
from devstate.layout.model import Environment
from devstate.layout.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.handover.iommu.model import Unit


def parts(unit: Unit, name: str) -> list[dict[str, Any]]:
    """The parts of the object ``iommu/NAME``, records in the form that ``devstate decode`` prints."""
    layout = Registry.shipped().layout(FORMAT, Environment())
    found: list[dict[str, Any]] = []
    for part, rows in unit_state(unit, name).items():
        struct = STRUCTS[part]
        shown = [to_json(layout, decode(layout, encode(layout, row, struct), struct)) for row in rows]
        if part == "state":
            found.append({"path": f"iommu/{name}", "format": FORMAT, "record": shown[0]})
        else:
            found.append({"path": f"iommu/{name}/{part}", "format": FORMAT, "struct": struct, "records": shown})
    return found
