# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A part has a published compatible and another layout.

What       The layout that a part embeds is not the one that its compatible stands for.
Why        A published compatible is frozen: a reader with its source reads other fields than were written.
Example    guest-memory-v1 with extents of 40 bytes.
Instead    A change gets a new compatible.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.guests import known_fingerprints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("state-format", "A part has a published compatible and another layout", Severity.ERROR, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Compare fingerprints, where the compatible is known."""
    handover = context.handover
    if handover.state is None:
        return
    known = known_fingerprints(handover)
    for part in handover.state.parts:
        wanted = known.get(part.format)
        if wanted and not part.fingerprint and part.place:
            yield RULE.finding(handover, f"{part.format} without its layout", part.link, part.path, " or ".join(wanted), "none")
        elif wanted and part.layout is not None and part.fingerprint not in wanted:
            message = f"{part.format} does not have this layout"
            yield RULE.finding(handover, message, part.link, part.path, " or ".join(wanted), part.fingerprint)
