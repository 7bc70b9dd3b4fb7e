# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The memory of guests as parts of the subtree ``devstate``: from ranges of files and regions to extents, where their pages were put.

::

    GuestSpec  0..1M  is file 1 of vm-alpha from 0 on      file 1: folios 0x5000_0000 x 200, 0x6000_0000 x 56
      --> ds_guest_extent  gpa 0 -> 0x5000_0000 x 200 pages, gpa 0xc8000 -> 0x6000_0000 x 56 pages, owner 0: FILE vm-alpha 1
"""

from __future__ import annotations

from itertools import pairwise

from devstate.errors import EncodeError
from devstate.frozen import frozen
from devstate.handover.build_links import text
from devstate.handover.spec import PartSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.handover.build_links import Links
    from devstate.handover.spec import FileSpec, GuestRange, GuestSpec

PLACE = "devstate memory"
"""Where the schema of guest memory says that it is found."""

FILE, REGION = 1, 2
NO_NODE = 0xFFFF_FFFF
FLAGS = {"shared": 1, "private": 2, "pinned": 4, "read-only": 8}
"""Bits of ds_guest_extent.flags by the words of a spec."""


@frozen
class Piece:
    """Bytes that follow each other in memory: ``offset`` in the file or region, ``shift`` log2 of the size of its pages."""

    offset: int
    pa: int
    size: int
    shift: int


def guest_parts(links: Links, guest: GuestSpec) -> Iterator[PartSpec]:
    """The three parts of one guest. EncodeError, with the place in the spec, for a range of what is not there, and for an unknown flag."""
    (name, *_) = links.registry.found_by(PLACE)
    owners: dict[tuple[int, str, int], int] = {}
    extents: list[dict[str, Any]] = []
    for at, each in enumerate(guest.ranges):
        path = f"guests/{guest.name}/{at}"
        key = (REGION, each.region, 0) if each.region is not None else (FILE, each.session or "", each.token)
        owner = owners.setdefault(key, len(owners))
        unknown = [word for word in each.flags if word not in FLAGS]
        if unknown:
            raise EncodeError("an unknown flag", path=path, expected=", ".join(FLAGS), found=unknown[0])
        flags = sum(FLAGS[word] for word in set(each.flags))
        common = {"node": NO_NODE if each.node is None else each.node, "owner": owner, "flags": flags}
        extents += [_extent(each, piece) | common for piece in _pieces(links, each, path)]
    extents.sort(key=lambda extent: extent["gpa"])
    size = sum(extent["size"] for extent in extents)
    head = {"name": guest.name, "bytes": size, "extents": len(extents), "owners": len(owners), "flags": 0}
    known = [{"kind": kind, "padding": 0, "name": _padded(who), "token": token} for kind, who, token in owners]
    place = f"memory/{guest.name}"
    yield PartSpec(place, name, (head | {"name": _padded(guest.name)},))
    yield PartSpec(f"{place}/owners", name, tuple(known), "ds_memory_owner", many=True)
    yield PartSpec(f"{place}/extents", name, tuple(extents), "ds_guest_extent", many=True)


def _padded(name: str) -> bytes:
    return text(name, 64, f"guests/{name}")


def _extent(wanted: GuestRange, piece: Piece) -> dict[str, Any]:
    return {"gpa": wanted.gpa + piece.offset - wanted.offset, "pa": piece.pa, "size": piece.size, "page_shift": piece.shift}


def _pieces(links: Links, wanted: GuestRange, path: str) -> Iterator[Piece]:
    """Where the bytes of a range are, cut to it."""
    end, at = wanted.offset + wanted.size, wanted.offset
    for piece in _all(links, wanted, path):
        first, last = max(piece.offset, at), min(piece.offset + piece.size, end)
        if first < last:
            if first != at:
                break
            small = min(piece.shift, _shift(first), _shift(last), _shift(piece.pa + first - piece.offset))
            yield Piece(first, piece.pa + first - piece.offset, last - first, small)
            at = last
    if at != end:
        expected, found = f"{wanted.size} bytes from {wanted.offset} on", f"{at - wanted.offset} bytes"
        raise EncodeError("not all of the range is in memory", path=path, expected=expected, found=found)


def _shift(address: int) -> int:
    return (address & -address).bit_length() - 1 if address else 64


def _all(links: Links, wanted: GuestRange, path: str) -> Iterator[Piece]:
    """Everything that the file or region has, in the order of its bytes."""
    page = links.page
    if wanted.region is not None:
        region = next((each for each in links.spec.regions if each.name == wanted.region), None)
        if region is None:
            raise EncodeError("there is no such region", path=path, found=wanted.region)
        yield Piece(0, links.room.placed[f"memblock/{region.name}"], region.size, _shift(page))
        return
    session = next((each for each in links.spec.sessions if each.name == wanted.session), None)
    file = next((each for each in session.files if each.token == wanted.token), None) if session is not None else None
    if file is None or file.handler is not None:
        raise EncodeError("there is no such file", path=path, found=f"{wanted.session}/{wanted.token}")
    yield from _folios(links, file, f"luo/session/{wanted.session}/{wanted.token}/folios")


def _folios(links: Links, file: FileSpec, place: str) -> Iterator[Piece]:
    page = links.page
    if file.folios is None:
        if file.size:
            order = max(file.order, links.room.lowest)
            size = -(-file.size // (page << order)) * (page << order)
            yield Piece(0, links.room.placed[place], size, _shift(page << order))
        return
    import numpy as np

    index, pfn, orders = (np.asarray(each, np.uint64) for each in (file.folios.index, file.folios.pfn, file.folios.order))
    pages = np.uint64(1) << orders
    new = (pfn[1:] != pfn[:-1] + pages[:-1]) | (index[1:] != index[:-1] + pages[:-1]) | (orders[1:] != orders[:-1])
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), len(index)] if len(index) else [0]
    for first, last in pairwise(edges):
        size = page << int(orders[first])
        yield Piece(int(index[first]) * page, int(pfn[first]) * page, size * (last - first), _shift(size))
