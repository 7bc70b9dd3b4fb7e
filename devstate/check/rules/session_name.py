# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A session's name is empty or stands twice.

What       Two sessions have one name, or one has none, or one that nobody types.
Why        The second one cannot be inserted (EEXIST) and every open of /dev/liveupdate fails. An empty name is accepted, but
           nobody can have created it: who asks for the session by its true name gets ENOENT. An entry that is all zeros is a
           count that is too high, and costs nothing.
Example    two sessions "vm-alpha".
Instead    Refuse the second name when it is created.
Reference  luo_session_deserialize() in kernel/liveupdate/luo_session.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, counts_at, field_pa
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
    seen: dict[bytes, int] = {}
    for session in handover.luo.sessions if handover.luo is not None else ():
        name = bytes(session.record.name).partition(b"\0")[0][:63]
        pa = field_pa(session.pa, session.record, "name")
        if name in seen:
            related = ((seen[name], "the first session of this name"), *counts_at(handover, pa))
            yield RULE.finding(
                handover, "two sessions have this name", pa, session.path, "a name of its own", session.name, related=related
            )
        elif not name:
            unused = session.file_set is not None and not session.file_set.files and not session.file_set.count
            yield RULE.finding(
                handover,
                "a session has no name",
                pa,
                session.path,
                "1..63 bytes",
                "nothing",
                reaction=Reaction.ACCEPTED if unused else Reaction.RETRIEVE_FAILS,
                severity=Severity.WARNING if unused else Severity.ERROR,
                related=counts_at(handover, pa),
            )
        elif not _is_text(name):
            yield RULE.finding(
                handover,
                "the name is no text: nobody will ask for this session",
                pa,
                session.path,
                "text",
                repr(name),
                reaction=Reaction.RETRIEVE_FAILS,
                severity=Severity.WARNING,
            )
        seen[name] = pa


def _is_text(name: bytes) -> bool:
    """Whether a program may have given this name: UTF-8 without control characters."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return False
    return not any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text)
