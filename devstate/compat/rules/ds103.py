# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A field came at the end.

What       A new field stands behind all that were there.
Why        The new kernel reads it from an old record that ends before it. An old kernel does not look that far.
Example    u32 kexec_flags behind kexec_count: the old record has 73 bytes, the new reader wants 77.
Instead    Hand over the size of the record and give the field a default; or publish a new version.
Reference  blob-size of kho-v3, which makes such a check possible
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS103", "field-appended", Severity.ERROR, ("appended",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
