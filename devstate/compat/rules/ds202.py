# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A value or a bit is new.

What       The new version writes a value or a bit that the old one does not know.
Why        An old kernel refuses state that has it: the way back is gone as soon as it is used.
Example    one more seal in MEMFD_LUO_ALL_SEALS.
Instead    Let readers ignore what may be ignored, by a mask in the record; or publish a new version.
Reference  mm/memfd_luo.c, which refuses unknown seals
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS202", "enum-or-flag-added", Severity.ERROR, ("name-added",), category="ROLLBACK")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
