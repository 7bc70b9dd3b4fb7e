# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A node or property has another name or size.

What       What a reader looks up by name is called otherwise, or its payload has another length.
Why        It is not found, or refused for its length: the reader does without all of it.
Example    property fdt of a subtree becomes preserved-data; linux,kho-scratch of /chosen becomes linux,kho-bootmem.
Instead    Write both names for a release; or publish a new version.
Reference  3f2ad90060f6 (kho-v1 to kho-v2); 1f18d7401651 (7.4, where no version covers it)
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS401", "node-or-property-changed", Severity.ERROR, ("node",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
