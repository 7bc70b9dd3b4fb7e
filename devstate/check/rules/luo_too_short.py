# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The LUO blob is shorter than its struct.

What       blob-size is less than the struct that the string stands for.
Why        An early initcall refuses it and panics.
Example    blob-size 24: "LUO state is too small (24 < 32)".
Instead    Register the whole struct.
Reference  luo_early_startup() in kernel/liveupdate/luo_core.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("luo-too-short", "The LUO blob is shorter than its struct", Severity.ERROR, Reaction.PANIC)
