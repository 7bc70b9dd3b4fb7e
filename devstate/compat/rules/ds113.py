# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A field has another name, or another meaning.

What       The bytes are read as before. Either only the name changed, or the declared unit did; a layout cannot tell a new name from
           another field that took the place.
Why        A name is on no wire; a unit is: 4096 bytes are not 4096 pages.
Example    len in bytes becomes len in pages.
Instead    Rename freely. For another meaning take another field, or publish a new version.
Reference  pci-v2 to pci-v3, which only changed what refcount counts
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS113", "field-renamed-or-repurposed", Severity.INFO, ("renamed", "repurposed"), bump=False, category="SOURCE")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}" + ("; if that is another thing now, it needs a new version" if change.kind == "renamed" else "")
