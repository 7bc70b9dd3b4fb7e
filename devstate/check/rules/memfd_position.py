# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A file position that the kernel drops.

What       pos is negative as a signed number, or behind the end of the file.
Why        vfs_setpos() refuses a negative one and nobody looks: the position is 0 after the jump, as it was in most files. One behind
           the end is taken over, and hardly the one that the file had.
Example    pos = 0xffffffffffffffff.
Instead    Store the position of the file.
Reference  memfd_luo_retrieve() in mm/memfd_luo.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("memfd-position", "A file position that the kernel drops", Severity.WARNING, Reaction.SILENT_WRONG)


LARGEST = (1 << 63) - 1
"""MAX_LFS_FILESIZE."""


def check(context: Context) -> Iterator[Finding]:
    """Compare with the largest position."""
    for file in context.bodies():
        if file.pos is not None and file.pos > LARGEST and file.body is not None:
            pa = field_pa(file.data_pa, file.body, "pos")
            message, where = "the position is negative", f"{file.path}.pos"
            yield RULE.finding(context.handover, message, pa, where, f"0..{LARGEST}", file.pos, reaction=Reaction.ACCEPTED)
        elif file.pos is not None and file.size is not None and file.pos > file.size and file.body is not None:
            pa = field_pa(file.data_pa, file.body, "pos")
            yield RULE.finding(context.handover, "the position is behind the end", pa, f"{file.path}.pos", f"0..{file.size}", file.pos)
