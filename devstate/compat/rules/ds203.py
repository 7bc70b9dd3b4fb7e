# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A value or a bit stands for something else.

What       A name has another number, or a number another name.
Why        Both kernels take one thing for another.
Example    DIRTY and UPTODATE change places: clean pages are thrown away.
Instead    New names get new numbers; those of dead names stay empty.
Reference  MEMFD_LUO_FOLIO_DIRTY and _UPTODATE, bits 0 and 1 of a folio
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS203", "enum-or-flag-renumbered", Severity.ERROR, ("name-renumbered",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
