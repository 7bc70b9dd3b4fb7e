# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two files of a session have one token.

What       A token stands twice in one session.
Why        The first entry wins: the second file cannot be reached, and the token that it should have gives ENOENT.
Example    tokens 1, 1, 3.
Instead    Refuse the second token when the file is preserved (the kernel does: EEXIST).
Reference  luo_retrieve_file() in kernel/liveupdate/luo_file.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, counts_at, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("file-token", "Two files of a session have one token", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Look for tokens that were met before in the session."""
    handover = context.handover
    for session in handover.luo.sessions if handover.luo is not None else ():
        seen: dict[int, int] = {}
        for file in session.files:
            if file.token in seen:
                pa = field_pa(file.pa, file.record, "token")
                related = ((seen[file.token], "the first file of this token"), *counts_at(handover, file.pa))
                yield RULE.finding(
                    handover,
                    "two files of the session have this token",
                    pa,
                    f"{file.path}.token",
                    "a token of its own",
                    file.token,
                    related=related,
                )
            seen[file.token] = field_pa(file.pa, file.record, "token")
