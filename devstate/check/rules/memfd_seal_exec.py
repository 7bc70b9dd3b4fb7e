# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""F_SEAL_EXEC brings other seals with it.

What       The file has F_SEAL_EXEC without SHRINK, GROW, WRITE and FUTURE_WRITE.
Why        The file is made anew with mode 0777, and adding F_SEAL_EXEC to an executable file implies those four: it comes back
           with more seals than it had.
Example    seals = SEAL, EXEC.
Instead    Preserve such files only when the further seals do no harm.
Reference  memfd_add_seals() in mm/memfd.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("memfd-seal-exec", "F_SEAL_EXEC brings other seals with it", Severity.WARNING, Reaction.SILENT_WRONG)


EXEC, IMPLIED = 0x20, 0x1E


def check(context: Context) -> Iterator[Finding]:
    """Look for EXEC without what it implies."""
    for file in context.bodies():
        seals = file.seals
        if seals is not None and seals & EXEC and seals & IMPLIED != IMPLIED and file.body is not None:
            pa = field_pa(file.data_pa, file.body, "seals")
            yield RULE.finding(
                context.handover,
                "F_SEAL_EXEC adds seals on retrieve",
                pa,
                f"{file.path}.seals",
                f"{seals | IMPLIED:#x} or no EXEC",
                f"{seals:#x}",
            )
