# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Reserved bytes or padding are in use.

What       A field took bytes that nobody used.
Why        The new kernel reads it from old records: right as long as old writers left zeros there. An old reader ignores it, or refuses
           what is not 0.
Example    reserved[4] becomes u32 gen; old records have generation 0.
Instead    Make 0 mean what the old state was, and publish a new version: the meaning changed.
Reference  pci-v1 to pci-v2, reserved became refcount
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS111", "reserved-space-used", Severity.WARNING, ("reserved-used",), category="ROLLBACK")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}" + (f"; {change.note}" if change.note else "")
