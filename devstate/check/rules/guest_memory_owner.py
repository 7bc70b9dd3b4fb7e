# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Guest memory belongs to nobody who keeps it.

What       An extent names an owner that is not there, lies outside of its owner's pages, or must not move and has no owner.
Why        The pages are given back when nobody retrieves them, while the guest, or a device, still uses them.
Example    extents[3] is of owner 2, file 7 of session vm-alpha; the handover has no such file.
Instead    Describe memory by the file, region or device that preserves it.
Reference  docs/project-format.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.errors import DecodeError
from devstate.finding import Reaction, Severity
from devstate.handover.content import file_runs
from devstate.handover.guests import DEVICE, FILE, NO_OWNER, PINNED, REGION, guests_of, owner_of
from devstate.handover.model import PreservedFile
from devstate.handover.text import c_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.guests import Guest
    from devstate.handover.model import Handover

RULE = Rule("guest-memory-owner", "Guest memory belongs to nobody who keeps it", Severity.ERROR, Reaction.SILENT_WRONG)

TOLD_MAX = 16


def check(context: Context) -> Iterator[Finding]:
    """Each owner of each guest with the extents that name it."""
    handover = context.handover
    for guest in guests_of(handover):
        for index, message, expected, found in _wrong(handover, guest):
            yield RULE.finding(handover, message, guest.extent_pa(index), f"{guest.path}/extents[{index}]", expected, found)


def _wrong(handover: Handover, guest: Guest) -> Iterator[tuple[int, str, str, str]]:
    """(index, message, expected, found) of the first extents that are wrong, by each of the rules."""
    import numpy as np

    owner, flags = guest.extents["owner"], guest.extents["flags"]
    for index in np.flatnonzero((owner != NO_OWNER) & (owner >= len(guest.owners)))[:TOLD_MAX].tolist():
        yield index, "an extent of an owner that is not there", f"below {len(guest.owners)}", str(int(owner[index]))
    for index in np.flatnonzero((owner == NO_OWNER) & ((flags & PINNED) != 0))[:TOLD_MAX].tolist():
        yield index, "memory that must not move and that nobody keeps", "an owner", "none"
    for number, each in enumerate(guest.owners[:NO_OWNER]):
        mine = np.flatnonzero(owner == number)
        if len(mine) == 0 or each.kind == DEVICE:
            continue
        name = f"{_KINDS.get(each.kind, 'something')} {c_string(each.name)[0]!r}" + (f" {each.token}" if each.kind == FILE else "")
        edges = _edges(handover, each)
        if edges is None:
            yield int(mine[0]), f"its owner {number}, {name}, is not in this handover", "a preserved file or region", "nothing"
            continue
        for index in mine[~_inside(guest, mine, edges)][:TOLD_MAX].tolist():
            pa, size = int(guest.extents["pa"][index]), int(guest.extents["size"][index])
            yield index, f"memory that is not its owner's, {name}", "pages of its own", f"{size:#x} bytes at {pa:#x}"


_KINDS = {FILE: "file of session", REGION: "region"}


def _edges(handover: Handover, owner: Any) -> Any:
    """The ranges that an owner has, as sorted edges that do not touch; None when it is not there."""
    import numpy as np

    found = owner_of(handover, owner)
    if found is None:
        return None
    if not isinstance(found, PreservedFile):
        return np.array([found.start, found.start + found.size], np.uint64)
    try:
        runs = file_runs(handover, found)
    except DecodeError:
        return np.array([], np.uint64)  # other rules say what is wrong with it
    page = np.uint64(handover.environment.page_size)
    order = np.argsort(runs.pa, kind="stable")
    starts, ends = runs.pa[order], (runs.pa + runs.pages * page)[order]
    new = np.append(True, starts[1:] > np.maximum.accumulate(ends)[:-1])[: len(starts)]
    last = np.append(np.flatnonzero(new)[1:] - 1, len(starts) - 1)[: int(new.sum())]
    return np.column_stack((starts[new], np.maximum.accumulate(ends)[last])).ravel() if len(starts) else np.array([], np.uint64)


def _inside(guest: Guest, which: Any, edges: Any) -> Any:
    """Whether each of these extents is inside of one range."""
    import numpy as np

    pa, size = (guest.extents[name][which].astype(np.uint64) for name in ("pa", "size"))
    at = np.searchsorted(edges, pa, side="right")
    ends = np.append(edges, np.uint64(0))[np.minimum(at, len(edges))]
    return (at % 2 == 1) & (size <= ends - pa)
