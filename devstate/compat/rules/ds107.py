# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A field of the same size is read in another way.

What       Sign, byte order or kind of a field changed: s32 and u32, le64 and be64, a number and raw bytes, a kernel pointer and an address.
Why        The same bytes are another value.
Example    s32 nid -1 is read as node 4294967295.
Instead    Keep the type; publish a new version if it was wrong.
Reference  luo_file_ser.data, u64 that became a union with a pointer: same kind, no harm
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS107", "field-retyped", Severity.ERROR, ("retyped",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}" + ("; the same bytes are read alike" if not change.wire else "")
