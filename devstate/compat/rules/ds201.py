# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A value or a bit is no longer known.

What       The new version does not know a value or a bit that the old one writes.
Why        The new kernel refuses state that has it.
Example    a reader without MEMFD_LUO_FOLIO_DIRTY refuses every dirty page.
Instead    Keep reading it; stop writing it.
Reference  MEMFD_LUO_ALL_SEALS: retrieve fails with EOPNOTSUPP for a seal outside
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS201", "enum-or-flag-removed", Severity.ERROR, ("name-removed",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
