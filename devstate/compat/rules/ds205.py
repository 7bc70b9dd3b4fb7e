# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is absent means something else.

What       The value of an optional property that is not there changed.
Why        Old writers left it out and meant the old value.
Example    no order meant 0 and now means 9.
Instead    Write the value out; or publish a new version.
Reference  optional properties of the devicetree forms
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS205", "default-changed", Severity.ERROR, ("default",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
