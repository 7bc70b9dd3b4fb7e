# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bytes behind the end of a string.

What       A fixed-size string field has bytes other than 0 behind its NUL.
Why        Readers stop at the NUL, so nothing happens; but the writer zeroes the field, so something else wrote there, or it
           leaks old memory.
Example    "luo-v5" NUL "X".
Instead    Zero the field before you copy the string.
Reference  strscpy_pad() in the writers under kernel/liveupdate
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

RULE = Rule("string-tail", "Bytes behind the end of a string", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Look at every text field of every record that LUO and KHO read."""
    for text in text_fields(context.handover):
        end = text.raw.find(b"\0")
        if end >= 0 and any(text.raw[end:]):
            at = end + next(index for index, byte in enumerate(text.raw[end:]) if byte)
            yield RULE.finding(
                context.handover,
                "bytes behind the end of the string",
                text.pa + at,
                f"{text.path}.{text.name}",
                "zeros",
                text.raw[end + 1 :].hex(),
            )
