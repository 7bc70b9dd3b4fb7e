# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A devicetree became a struct, or the other way round.

What       The outermost form changed.
Why        A devicetree is known by its magic, so its reader refuses. A struct is known by nothing but a version at its start.
Example    memfd-v1, posted as a devicetree and merged as a struct under the same string.
Instead    Publish a new version.
Reference  cf071b3536df, luo-v2 to luo-v3
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS403", "encoding-changed", Severity.ERROR, ("encoding",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
