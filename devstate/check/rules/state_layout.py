# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A layout in the subtree devstate cannot be trusted.

What       An embedded layout is damaged, too large, not the one that its name (its fingerprint) says, or of another page size or
           byte order.
Why        The parts that are written in it cannot be read by anybody who does not have its source.
Example    /layouts/3f0c... whose data has the fingerprint 91be...
Instead    Embed the layout as it is, once, named by its fingerprint.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("state-layout", "A layout in the subtree devstate cannot be trusted", Severity.ERROR, Reaction.ACCEPTED)
