# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A session's name is empty or stands twice.

What       Two sessions have one name, or one has none.
Why        The second one cannot be inserted (EEXIST) and every open of /dev/liveupdate fails. An empty name is accepted, but
           nobody can have created it.
Example    two sessions "vm-alpha".
Instead    Refuse the second name when it is created.
Reference  luo_session_deserialize() in kernel/liveupdate/luo_session.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("session-name", "A session's name is empty or stands twice", Severity.ERROR, Reaction.OPEN_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Compare names as the kernel does: 63 bytes of them."""
    handover = context.handover
    seen: dict[bytes, str] = {}
    for session in handover.luo.sessions if handover.luo is not None else ():
        name = bytes(session.record.name).partition(b"\0")[0][:63]
        pa = field_pa(session.pa, session.record, "name")
        if name in seen:
            yield RULE.finding(handover, "two sessions have this name", pa, session.path, "a name of its own", session.name)
        elif not name:
            yield RULE.finding(
                handover,
                "a session has no name",
                pa,
                session.path,
                "1..63 bytes",
                "nothing",
                reaction=Reaction.ACCEPTED,
                severity=Severity.WARNING,
            )
        seen[name] = session.path
