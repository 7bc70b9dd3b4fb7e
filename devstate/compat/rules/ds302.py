# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An old version came back.

What       The version is lower than it was, or one that an earlier release used for other bytes.
Why        Kernels of that time take the bytes for what they know.
Example    luo-v5, released with chains of blocks, stands for something else.
Instead    Count upwards; a published version is frozen.
Reference  kho-v1, which named four forms
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.versions import split_number, version_of
from devstate.finding import Outcome, Severity
from devstate.layout.plain import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS302", "version-reused-or-decreased", Severity.ERROR)


def check(comparison: Comparison) -> Iterator[Finding]:
    """Compare the version with its predecessor's and with those before."""
    old, new = comparison.old, comparison.new
    if old is None or new is None or version_of(old) == version_of(new):
        return
    was, now = version_of(old) or "", version_of(new) or ""
    refused = Outcome.REFUSED, Outcome.REFUSED
    (head, number), (other, later) = split_number(was), split_number(now)
    if head == other and number is not None and later is not None and later < number:
        yield RULE.finding(f"{now} comes after {was}", new.name, *refused)
    if now and any(version_of(each) == now and to_plain(each.structs) != to_plain(new.structs) for each in comparison.ancestors):
        yield RULE.finding(f"{now} was published before {was}, and its bytes were others", new.name, *refused)
