# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bit-fields share their unit in another way.

What       Width or place of bit-fields in one storage unit changed.
Why        Each side reads bits of a neighbour.
Example    pfn:52, flags:12 as pfn:54, flags:10: a dirty page lies 4 TiB higher.
Instead    Leave bits reserved, and take those; or publish a new version.
Reference  memfd_luo_folio_ser, posted once with pfn << 12 | flags under the same string
"""

from __future__ import annotations

from devstate.compat.rule import Rule, moved, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS108", "bitfield-changed", Severity.ERROR, ("bits",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}{moved(change)}"
