# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The FLB area's page count is wrong.

What       pgcnt is not the number of pages of the area.
Why        Nobody reads it today; a reader that does would free or map the wrong pages.
Example    pgcnt = 9, the area has 1.
Instead    Write 1.
Reference  include/linux/kho/abi/luo.h, luo_flb_header_ser
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("flb-pages", "The FLB area's page count is wrong", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """The area is one page in every published form."""
    luo = context.handover.luo
    if luo is not None and luo.flb_header is not None and luo.flb_header[1].get("pgcnt", 1) != 1:
        pa, header = luo.flb_header
        yield RULE.finding(context.handover, "the FLB area has another number of pages", pa, "luo/flb.pgcnt", 1, header["pgcnt"])
