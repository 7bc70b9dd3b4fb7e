# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An integer has another size.

What       A field is wider or narrower than it was; also the storage of an enum.
Why        The reader takes neighbours for a part of it, or loses its upper half; what follows moves.
Example    u64 nr_devices as u32: 2 devices and a domain 1 are read as 0x100000002 devices.
Instead    Take reserved bytes for the wider one and keep the old one; or publish a new version.
Reference  pci_ser under pci-v1, u64 counters that became u32
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS106", "field-resized", Severity.ERROR, ("resized",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
