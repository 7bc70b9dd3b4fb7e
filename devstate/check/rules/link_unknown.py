# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A link of a kind that devstate does not follow.

What       A posted format uses a kind of link for which there is no walk yet.
Why        What stands behind it was not looked at, and counts as unowned.
Example    a kho_xarray.
Instead    Check it by hand.
Reference  devstate.handover.follow
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("link-unknown", "A link of a kind that devstate does not follow", Severity.INFO, Reaction.ACCEPTED)
