# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The capture says that it is not complete.

What       The note of a capture that devstate took lists what could not be taken, and why.
Why        What is not there was not checked; findings about it may be the capture's fault, not the handover's.
Example    no sessions: LUO serializes only inside the reboot.
Instead    Take the capture at the moment of the jump, from a dump of all memory.
Reference  docs/live.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("capture-missing", "The capture says that it is not complete", Severity.INFO, Reaction.ACCEPTED)
