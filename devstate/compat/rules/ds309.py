# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The version is no longer where readers look for it.

What       The field that carries the version moved, or has another size.
Why        A reader compares other bytes with its own version: with a number it may even find it. A longer string moves all that follows.
Example    compatible is as long as its string, rounded up to 8: luo-v5;block-v1 moves every field of luo_ser by 8.
Instead    Give the version a fixed place and size, and never touch it.
Reference  luo_ser, whose compatible has ALIGN(sizeof(string), 8) bytes
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS309", "header-prefix-moved", Severity.ERROR, ("header",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
