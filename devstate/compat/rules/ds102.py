# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A field came in front of others.

What       A new field stands before fields that were there.
Why        What follows moves by its size: both kernels read one field for another, and nothing tells them.
Example    memfd-v2 puts seals and flags at 16, where memfd-v1 has nr_folios: a v1 reader takes seals | flags << 32 for the number of
           folios.
Instead    Append it, or take reserved bytes; or publish a new version.
Reference  8a552d68a86e, memfd-v1 to memfd-v2, which did bump
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS102", "field-inserted", Severity.ERROR, ("inserted",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
