# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Windows of preserved units held against what the domains map: see ``iommu-state-window`` of state.py.

A window that is RESERVED or for messages (MSI) is never mapped: what a device writes there does not reach memory, or is an interrupt. A
window for software (SOFTWARE_MSI) is where the kernel itself maps doorbells. A DIRECT window is mapped to itself, whole.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from devstate.handover.iommu.model import Domain, Unit

NONE = 0xFFFFFFFF
RESERVED, MSI, DIRECT = 1, 2, 4
"""Kinds of windows that mean something for mappings; a relaxable direct one may be dropped, so it is no claim."""


def window_faults(windows: Iterable[Mapping[str, Any]], unit: Unit) -> Iterator[tuple[str, str, str]]:
    """(path, message, what was found) of each window that a domain does not keep. Domains by place, as attachments name them."""
    for number, window in enumerate(windows):
        chosen = unit.domains if window["domain"] == NONE else unit.domains[window["domain"] : window["domain"] + 1]
        for domain in chosen:
            fault = _fault(window, domain)
            if fault is not None:
                yield f"window {number} at {window['start']:#x}, domain {domain.domain_id}", *fault


def _fault(window: Mapping[str, Any], domain: Domain) -> tuple[str, str] | None:
    if domain.walk is None or not window["size"] or window["kind"] not in (RESERVED, MSI, DIRECT):
        return None
    import numpy as np

    first, last = window["start"], window["start"] + window["size"] - 1
    rows = domain.walk.mappings.rows
    ends = rows[:, 0] + (rows[:, 2] - np.uint64(1))
    inside = rows[(rows[:, 0] <= np.uint64(min(last, (1 << 64) - 1))) & (ends >= np.uint64(first))]
    if window["kind"] != DIRECT:
        return None if not len(inside) else ("iovas that no mapping may use are mapped", f"from {int(inside[0, 0]):#x} on")
    moved = inside[inside[:, 0] != inside[:, 1]]
    if len(moved):
        return "a direct window is not mapped to itself", f"{int(moved[0, 0]):#x} to {int(moved[0, 1]):#x}"
    covered = sum(min(int(row[0]) + int(row[2]) - 1, last) - max(int(row[0]), first) + 1 for row in inside)
    return None if covered == window["size"] else ("a direct window is not mapped whole", f"{covered:#x} of {window['size']:#x} bytes")
