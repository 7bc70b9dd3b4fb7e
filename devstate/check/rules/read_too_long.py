# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A length is beyond any limit.

What       A size in the handover asks for more bytes than can be there.
Why        The kernel would map or copy that much.
Example    blob-size = 1 << 60.
Instead    Write the size of what you wrote.
Reference  devstate.memory.physmem.MAX_READ
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("read-too-long", "A length is beyond any limit", Severity.ERROR, Reaction.RETRIEVE_FAILS, by_moment=True)
