# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A part of the subtree devstate leads to memory that is not preserved.

What       A record has the address of a ring, a buffer or a table, and the preserved memory map does not cover it.
Why        The new kernel gives the page to somebody else, while the device goes on reading and writing it.
Example    queues[1].completions is 0x7f05000, which no bit preserves.
Instead    Preserve what a device uses before its address is handed over; declare registers of devices as numbers, not as links.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule(
    "state-memory", "A part of the subtree devstate leads to memory that is not preserved", Severity.WARNING, Reaction.SILENT_WRONG
)
