# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An area has more entries than it can hold.

What       The count of a contiguous area (sessions and files of luo-v1 to v3, FLBs) is larger than the area.
Why        The kernel does not check: it reads on past the area.
Example    luo_flb_header_ser.count = 64 on 4K pages.
Instead    Refuse the entry that does not fit.
Reference  kernel/liveupdate/luo_session.c, luo_flb.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("area-count", "An area has more entries than it can hold", Severity.ERROR, Reaction.OPEN_FAILS)


def reaction(context: Context, problem: Problem) -> Reaction:
    """FLBs are looked up by name, past the end if need be; sessions and files fail the open."""
    return Reaction.ACCEPTED if (problem.path or "").startswith("luo/flb") else Reaction.OPEN_FAILS
