# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reader accepts more, or less.

What       A maximum, a minimum or a fixed value that the reader holds the writer to changed.
Why        Who accepts less refuses what the other writes. Tightened, the upgrade fails; loosened, the way back.
Example    a session name of 64 bytes, then 48: longer names are refused.
Instead    Raise limits one release before they are used; lower them never.
Reference  KHO_MAX_BLOCKS, 819 sessions of luo-v1
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS204", "limit-changed", Severity.ERROR, ("limit",), category="READ")


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
