# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO's devicetree lacks something.

What       A property or node of luo-v1 or luo-v2 is missing, has a wrong length or another compatible.
Why        An early initcall refuses it and panics. 7.0 made the node luo-flb mandatory under the same string: a handover of 6.19
           panics it.
Example    luo-v1 without the node luo-flb, read by 7.0.
Instead    Jump to a kernel of the form that was written.
Reference  cab056f2aae7, kernel/liveupdate/luo_core.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("luo-property", "LUO's devicetree lacks something", Severity.ERROR, Reaction.PANIC)
