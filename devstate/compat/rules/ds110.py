# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The elements of an array have another size.

What       A struct that stands in a row grew or shrank at its end.
Why        By itself that would be harmless for one side; in a row every element but the first is read from a wrong place.
Example    luo_session_ser of 64 bytes, then 80: the second session starts inside the first.
Instead    Hand the stride over; or publish a new version.
Reference  0153094d03df to cc4adab164b7, luo-session-v1 to v2
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS110", "array-stride-changed", Severity.ERROR, ("stride",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
