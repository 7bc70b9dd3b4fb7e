# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A part of the subtree devstate is not of its form.

What       A part has no bytes or several places for them, a layout that is not there, or bytes that its layout cannot read.
Why        The state of the object is lost for whoever takes it over.
Example    memory/vm0/extents says 12 structs of 32 bytes and has 350 bytes.
Instead    One of state, section and memory, with layout, struct and count that fit.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("state-part", "A part of the subtree devstate is not of its form", Severity.ERROR, Reaction.ACCEPTED)
