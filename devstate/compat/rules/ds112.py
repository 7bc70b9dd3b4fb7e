# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A union or the kind of a value changed.

What       A tag means another arm, an arm came or went, or a set of flags became a choice of one.
Why        The reader takes one thing for another; with a tag it can at least refuse an arm that it does not know.
Example    tag 2 was smmuv3, now it is amd: the bytes of the one are read as the other.
Instead    Give a new arm a new tag; never give an old tag to another arm.
Reference  the unions of iommu_hw_ser, chosen by type
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS112", "union-or-kind-changed", Severity.ERROR, ("union",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
