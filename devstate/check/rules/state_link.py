# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A link in the subtree devstate does not lead to what it should.

What       A driver's record leads to an area or chain that is not in memory, has another number of entries, comes back to itself or is
           larger than its area.
Why        Whoever takes the object over reads what stands there as its own queues or commands.
Example    nr_queues is 9 and the area of queues holds 8; the chain of commands has 3 entries where nr_commands says 4.
Instead    Write counts and addresses together, when nothing is added any more.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("state-link", "A link in the subtree devstate does not lead to what it should", Severity.ERROR, Reaction.RETRIEVE_FAILS)
