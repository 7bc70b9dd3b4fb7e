# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Guest memory in the subtree ``devstate``: who keeps what of each guest, and where. schemas/project/memory.py has the contract.

Only parts in the very layout that the registry has for their compatible are understood; any other can be decoded, and is not judged.
Extents are columns: a guest in small pages has a million.
"""

from __future__ import annotations

from devstate.codec.columns import Columns, columns
from devstate.codec.decode import decode, decode_array
from devstate.errors import DevstateError
from devstate.frozen import frozen
from devstate.handover.folios import merge_columns
from devstate.handover.text import c_string
from devstate.layout.baseline import fingerprint
from devstate.layout.plain import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from devstate.codec.record import Record
    from devstate.handover.model import Handover, PreservedFile, Region
    from devstate.handover.state import Part
    from devstate.layout.model import Layout

FOUND_BY = "devstate memory"
OWNERS, EXTENTS = "ds_memory_owner", "ds_guest_extent"

FILE, REGION, DEVICE = 1, 2, 3
"""Kinds of owners."""

SHARED, PRIVATE, PINNED = 1, 2, 4
"""Bits of the flags of an extent."""

NO_OWNER = 0xFFFF

END = 1 << 56
"""Beyond any memory."""


@frozen
class Guest:
    """One guest. ``pa`` is the address of the first extent, None when it is not known; ``stride`` the bytes of one."""

    path: str
    name: str
    head: Record
    owners: tuple[Record, ...]
    extents: Columns
    pa: int | None
    stride: int

    def extent_pa(self, index: int) -> int | None:
        """Where extent ``index`` stands."""
        return None if self.pa is None else self.pa + index * self.stride


def known_fingerprints(handover: Handover) -> dict[str, list[str]]:
    """Fingerprints of the layouts that the registry has, by compatible, for the compatibles of the parts."""
    registry, known = handover.registry, {}
    for format_ in {part.format for part in handover.state.parts if part.format} if handover.state is not None else ():
        layouts = [registry.layout(name, handover.environment) for name in registry.names(format_)]
        known[format_] = [fingerprint(to_plain(layout)) for layout in layouts]
    return known


def guests_of(handover: Handover) -> Iterator[Guest]:
    """The guests whose three parts are there, sound, and in a layout that is known."""
    state = handover.state
    if state is None:
        return
    layouts = {}
    for name in handover.registry.found_by(FOUND_BY):
        layout = handover.registry.layout(name, handover.environment)
        layouts[fingerprint(to_plain(layout))] = layout
    parts = {part.path: part for part in state.parts}
    for part in state.parts:
        layout_ = layouts.get(part.fingerprint)
        if layout_ is None or part.struct not in (None, layout_.root) or part.data is None or part.layout is None:
            continue
        owners, extents = parts.get(f"{part.path}/owners"), parts.get(f"{part.path}/extents")
        if owners is not None and extents is not None and _fits(owners, part, OWNERS) and _fits(extents, part, EXTENTS):
            yield from _guest(layout_, part, owners, extents)


def _fits(part: Part, head: Part, struct: str) -> bool:
    return part.fingerprint == head.fingerprint and part.struct == struct and part.count is not None and part.data is not None


def _guest(layout: Layout, part: Part, owners: Part, extents: Part) -> Iterator[Guest]:
    assert part.data is not None and owners.data is not None and extents.data is not None  # guests_of() asked
    try:
        head = decode(layout, part.data)
        known = decode_array(layout, OWNERS, owners.data, owners.count or 0)
        made = columns(layout, EXTENTS, extents.data)
    except DevstateError:
        return  # opening has said so
    yield Guest(part.path, c_string(head.name)[0], head, tuple(known), made, extents.pa, layout.struct(EXTENTS).size)


def kept_elsewhere(handover: Handover) -> array[int]:
    """Memory of guests that no file and no region has: their extents as merged edges."""
    import numpy as np

    starts, ends = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for guest in guests_of(handover):
        kinds = np.array([owner.kind for owner in guest.owners] + [DEVICE])
        owner = guest.extents["owner"]
        mine = kinds[np.minimum(owner, len(guest.owners))] == DEVICE
        pa, size = (guest.extents[name][mine].astype(np.uint64) for name in ("pa", "size"))
        sound = (pa < np.uint64(END)) & (size < np.uint64(END))
        starts.append(pa[sound])
        ends.append((pa + size)[sound])
    return merge_columns(np.concatenate(starts), np.concatenate(ends))


def owner_of(handover: Handover, owner: Record) -> PreservedFile | Region | None:
    """The file or region that an owner names; None when there is none, and for devices."""
    name = c_string(owner.name)[0]
    if owner.kind == REGION:
        return next((region for region in handover.regions if region.name == name), None)
    if owner.kind != FILE or handover.luo is None:
        return None
    files = [file for session in handover.luo.sessions if session.name == name for file in session.files]
    return next((file for file in files if file.token == owner.token), None)
