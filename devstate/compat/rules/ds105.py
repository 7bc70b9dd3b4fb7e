# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The compiler lays the struct out in another way.

What       The same fields, but packing or alignment moved them or changed the size.
Why        A missing __packed puts padding between fields, or behind the last one: readers are off by it, arrays at every element.
Example    {u64 a; u32 b} without __packed: 16 bytes in place of 12.
Instead    Write __packed, or name all padding; assert the size.
Reference  pstore_ser, where a hole of 4 bytes follows version
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS105", "size-or-packing-changed", Severity.ERROR, ("packing",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
