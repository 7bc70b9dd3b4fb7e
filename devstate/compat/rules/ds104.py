# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Fields changed places.

What       A field stands elsewhere among the others.
Why        Both kernels read one field for the other.
Example    count before next in the header of a block: 3 entries become the address 0x3.
Instead    Leave the order alone; publish a new version if it must change.
Reference  vfio_pci_core_device_ser, whose bdf and domain were swapped under vfio-pci-v1
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS104", "field-moved", Severity.ERROR, ("moved",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
