# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bytes of a part of the subtree devstate are damaged.

What       A section lies outside of the room behind the tree or in another one, or the crc32c of a section or of memory does not fit.
Why        What is restored from it is something else than what was saved.
Example    memory/vm0/extents: crc32c 0x8a9136aa is recorded, 0x113fdb5c found.
Instead    Write sections in order, count the bytes that are there, and change them no more.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("state-section", "Bytes of a part of the subtree devstate are damaged", Severity.ERROR, Reaction.ACCEPTED)
