# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A string has no NUL.

What       A fixed-size string field is filled to its last byte.
Why        Readers cut or overrun it: a name is cut to 63 characters, a handler string matches no handler.
Example    previous_release = 65 times "r".
Instead    Leave room for the NUL.
Reference  strscpy() and strcmp() in the readers under kernel/liveupdate
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.check.strings import text_fields
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("string-unterminated", "A string has no NUL", Severity.WARNING, Reaction.ACCEPTED)


REACTIONS = {"compatible": Reaction.OPEN_FAILS, "name": Reaction.RETRIEVE_FAILS}
"""In sessions and files: no handler has such a string, and who asks for the session by the name that it was created with gets ENOENT."""


def check(context: Context) -> Iterator[Finding]:
    """Look at every text field of every record that LUO and KHO read."""
    for text in text_fields(context.handover):
        if b"\0" not in text.raw:
            reaction = REACTIONS.get(text.name, Reaction.ACCEPTED) if text.path.startswith("luo/session") else Reaction.ACCEPTED
            severity = Severity.WARNING if reaction is Reaction.ACCEPTED else Severity.ERROR
            found = f"{len(text.raw)} bytes without one"
            yield RULE.finding(
                context.handover,
                "the string is not terminated",
                text.pa,
                f"{text.path}.{text.name}",
                "a NUL",
                found,
                reaction=reaction,
                severity=severity,
            )
