# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Writer and reader use different numbers.

What       A number that stands in no record but decides how it is read changed: the depth of a tree, a fixed value.
Why        The same root is walked another number of levels deep, and bits are taken for addresses.
Example    KHO_TREE_MAX_DEPTH 4, then 5, on 16K pages only.
Instead    Put the number into the record; or publish a new version.
Reference  d64b0372760e under kho-v3
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS207", "constant-changed", Severity.ERROR, ("constant",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
