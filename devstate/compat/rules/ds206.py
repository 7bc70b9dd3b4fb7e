# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Something became required, or may be absent now.

What       A node or property came or went, or a reader can no longer do without it.
Why        A reader that misses what it needs refuses all of it.
Example    the node luo-flb, needed by 7.0 and not written by 6.19: the early initcall panics, though both say luo-v1.
Instead    Let a new node be absent; or publish a new version.
Reference  cab056f2aae7; blob-size of kho-v3
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS206", "presence-changed", Severity.ERROR, ("presence",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
