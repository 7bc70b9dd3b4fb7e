# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An array has another length.

What       More or fewer elements of the same type, also from or to an open end, also the size of a bitmap that a link leads to.
Why        Who expects more reads behind the end, who expects fewer silently loses the rest.
Example    a bitmap of 512 bytes as one of 4096: the new kernel takes what follows for preserved pages.
Instead    Hand the length over beside the array; or publish a new version.
Reference  a2fff99f92da, which did this under kho-v1
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS109", "array-length-changed", Severity.ERROR, ("length",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
