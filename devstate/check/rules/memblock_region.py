# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reserve_mem region is impossible.

What       A region is empty, not page-aligned, overlaps another or a scratch area, or leaves the address space.
Why        The kernel compares start with the alignment and size with the size on its command line, and nothing else: a region
           that is wrong and aligned is somebody else's memory.
Example    start 0xf991000 for a region of 64 KiB aligned to 64 KiB.
Instead    Hand over what memblock reserved.
Reference  reserve_mem_kho_revive() in mm/memblock.c
"""

from __future__ import annotations

from bisect import bisect_left

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.model import Region

RULE = Rule("memblock-region", "A reserve_mem region is impossible", Severity.ERROR, Reaction.REGION_WRONG)


def _goes_on(context: Context, region: Region) -> bool:
    """Whether what nobody owns touches the region: a region is preserved exactly."""
    owners = context.ownership.unowned
    before, behind = bisect_left(owners, region.start), bisect_left(owners, region.start + region.size)
    ends_there = before % 2 == 1 and owners[before] == region.start
    return ends_there or (behind % 2 == 0 and behind < len(owners) and owners[behind] == region.start + region.size)


def check(context: Context) -> Iterator[Finding]:
    """Each region by itself, then against its neighbour."""
    handover = context.handover
    page = handover.environment.page_size
    end, before = 0, ""
    overlaps = any(True for _ in context.problems("preserved-overlap"))
    for region in sorted(handover.regions, key=lambda each: each.start):
        if not region.size or region.size % page or region.start % page or region.start + region.size > 1 << 56:
            message = "the region is empty, not page-aligned, or beyond any memory"
            yield RULE.finding(handover, message, region.pa, region.path, "whole pages", f"{region.size:#x} bytes at {region.start:#x}")
        elif region.start < end:
            yield RULE.finding(
                handover, f"the region overlaps {before}", region.pa, region.path, f"a start at or above {end:#x}", f"{region.start:#x}"
            )
        elif not overlaps and _goes_on(context, region):
            message = "preserved memory that nobody owns goes on at an end of the region: it was larger"
            found = f"{region.size:#x} bytes at {region.start:#x}"
            yield RULE.finding(handover, message, region.pa, region.path, "all of what was preserved", found)
        if region.start + region.size > end:
            end, before = region.start + region.size, region.path
