# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A session's count of files and its files disagree.

What       count is not the number of entries that the chain holds, or there is a count and no chain.
Why        "File count mismatch": every open of /dev/liveupdate fails. Without a chain the session is there and its files are not:
           ENOENT.
Example    count 2, three entries.
Instead    Serialize the count from what was written.
Reference  luo_file_deserialize() in kernel/liveupdate/luo_file.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("session-files", "A session's count of files and its files disagree", Severity.ERROR, Reaction.OPEN_FAILS)


LISTED = 16
"""Blocks of a chain that are named."""


def check(context: Context) -> Iterator[Finding]:
    """Count the files of each session."""
    handover = context.handover
    for session in handover.luo.sessions if handover.luo is not None else ():
        file_set, outer = session.file_set, session.file_set_pa
        if file_set is None:
            continue
        if not file_set.files and file_set.count:
            message = "the session counts files and leads to none"
            pa = field_pa(outer, file_set, "files")
            yield RULE.finding(handover, message, pa, session.path, f"{file_set.count} files", "0x0", reaction=Reaction.RETRIEVE_FAILS)
        elif file_set.files and file_set.count != len(session.files) and (session.files or not file_set.count):
            pa = field_pa(outer, file_set, "count")
            yield RULE.finding(
                handover,
                "the session counts other files than it has",
                pa,
                session.path,
                f"{file_set.count} files",
                f"{len(session.files)} files",
                related=_blocks(context, file_set.files),
            )


def _blocks(context: Context, pa: int) -> tuple[tuple[int, str], ...]:
    """The counts of the blocks of the chain that starts at ``pa``."""
    claims, memory = context.handover.claims, context.handover.memory
    found: list[int] = []
    while memory is not None and len(found) < LISTED and pa not in found and claims.at(pa, "block") is not None and memory.contains(pa, 8):
        found.append(pa)
        pa = memory.u64(pa)
    return tuple((start + 8, "the count of a block") for start in found)
