# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A field is gone.

What       A field that the old version had is not in the new one, or only reserved bytes are in its place.
Why        Everything behind it moves up, and each side reads its neighbours. At the end only the old reader is hurt: it reads behind the
           last byte.
Example    memfd_luo_ser without size: nr_folios stands at 8, where the old kernel reads size.
Instead    Leave the field, call it reserved, write 0; or publish a new version.
Reference  "any change to the FDT structure, properties or structs requires a new compatible": the contract in include/linux/kho/abi/*.h
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS101", "field-removed", Severity.ERROR, ("removed",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
