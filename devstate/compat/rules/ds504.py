# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""There is nothing to compare with.

What       A type, a baseline, a page size or a whole side is not there.
Why        What nobody looked at is not compatible; it is unknown.
Example    luo_file_ser is not in the BTF of a kernel without LUO.
Instead    Bring the evidence, or name what to compare. The exit status is 3.
Reference  kernels without CONFIG_DEBUG_INFO_BTF
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.finding import Finding

RULE = Rule("DS504", "evidence-missing", Severity.ERROR, bump=False, category="SOURCE")


def missing(what: str, subject: str) -> Finding:
    """The finding for one thing that is not there."""
    return RULE.finding(what, subject)
