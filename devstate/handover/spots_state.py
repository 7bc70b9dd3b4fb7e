# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Places of the subtree ``devstate`` where something can be wrong, beside those that every devicetree has.

::

    /layouts/FINGERPRINT data          each value of the msgpack; sealed by the fingerprint, which stands wherever it is named
    /SUBSYSTEM/OBJECT layout, struct   texts
                      section, memory  offset or address, size, sum
                      the bytes        each field of the records, by the embedded layout; of a tagged map each value; of a page-table
                                       stream its heads, page lists and records; sealed by the sum of the frame, and those of the stream
                      links            each field of the records that they lead to, heads of blocks

A seal is a sum over bytes: who changes these can repair it, or not. Both must be noticed by somebody, or be harmless.
"""

from __future__ import annotations

from devstate.frozen import frozen, replace
from devstate.handover.map_spots import map_spots
from devstate.handover.spots import BLOCK_HEADER, Spot, record_spots
from devstate.handover.state import COMPATIBLE, LAYOUTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from devstate.fdt.model import Fdt
    from devstate.handover.model import Handover, Subtree
    from devstate.handover.state import Part
    from devstate.layout.model import Layout

    Pick: TypeAlias = Callable[[int], Iterable[int]]

FINGERPRINT = 16
STREAM = "page-table-stream"
FRAMES = {"section": "ds_section", "memory": "ds_memory"}
FRAME_SUM = 16
"""Where crc stands in both frames."""

CHUNKS_MAX = 4096
"""Chunks of one stream that are looked at: a gigabyte of tables."""


@frozen
class Seal:
    """A sum at every one of ``places`` over ``pieces`` of memory, (address, bytes), one behind the other. ``kind`` is crc32c or
    fingerprint, ``order`` the byte order of a crc32c.
    """

    path: str
    pieces: tuple[tuple[int, int], ...]
    places: tuple[int, ...]
    kind: str = "crc32c"
    order: str = "little"


def state_spots(handover: Handover, subtree: Subtree, pick: Pick) -> Iterator[Spot]:
    """The places, in the order of the tree."""
    state, fdt, base = handover.state, subtree.fdt, subtree.pa
    if state is None or fdt is None or base is None:
        return
    yield from _layouts(handover, fdt, base, pick)
    for part in state.parts:
        yield from _frame(handover, part, fdt, base)
        yield from _content(handover, part, pick)
        yield from _linked(handover, part, pick)


def _layouts(handover: Handover, fdt: Fdt, base: int, pick: Pick) -> Iterator[Spot]:
    node = fdt.root.child(LAYOUTS)
    named: dict[bytes, list[int]] = {}
    for _, each in fdt.walk():
        prop = each.property("layout")
        if prop is not None and prop.offset is not None and len(prop.value) == FINGERPRINT + 1:
            named.setdefault(prop.value[:-1], []).append(base + prop.offset)
    for child in node.children if node is not None else ():
        prop = child.property("data")
        path = f"devstate/{LAYOUTS}/{child.name}"
        if prop is None or prop.offset is None or child.offset is None or len(child.name) != FINGERPRINT:
            continue
        name = base + child.offset + 4
        yield Spot(name, FINGERPRINT, f"{path}@name", "sum", "big")
        places = (name, *named.get(child.name.encode("latin-1"), ()))
        seal = Seal(f"{path}@name", ((base + prop.offset, len(prop.value)),), places, "fingerprint")
        for spot in map_spots(prop.value, base + prop.offset, path, pick):
            yield replace(spot, seals=(seal,))


def _frame(handover: Handover, part: Part, fdt: Fdt, base: int) -> Iterator[Spot]:
    """The texts of a part, and where its bytes are said to be."""
    node = fdt.root
    for step in part.path.split("/")[1:]:
        found = node.child(step)
        if found is None:
            return
        node = found
    for key in ("layout", "struct"):
        prop = node.property(key)
        if prop is not None and prop.offset is not None and prop.value:
            yield Spot(base + prop.offset, len(prop.value), f"{part.path}.{key}", "text", "big")
    if part.place in FRAMES and part.link is not None:
        (name,) = handover.registry.names(COMPATIBLE)
        layout = handover.registry.layout(name, handover.environment)
        for spot in record_spots(layout, FRAMES[part.place], part.link, f"{part.path}.{part.place}"):
            yield replace(spot, what="sum") if spot.path.endswith(".crc") else spot


def _content(handover: Handover, part: Part, pick: Pick) -> Iterator[Spot]:
    """The bytes of a part, each place with the seals around it, innermost first."""
    if part.data is None or part.pa is None:
        return
    seals: tuple[Seal, ...] = ()
    if part.place in FRAMES and part.link is not None:
        piece = ((part.pa, len(part.data)),)
        seals = (Seal(f"{part.path}.{part.place}.crc", piece, (part.link + FRAME_SUM,), order=handover.environment.byte_order),)
    if part.is_tagged and part.layout is not None:
        found = map_spots(bytes(part.data), part.pa, part.path, pick)
    elif part.layout is not None:
        found = _records(part, part.layout, pick)
    elif part.format == STREAM:
        found = _stream(handover, part, pick)
    else:
        found = iter([Spot(part.pa, min(8, len(part.data)), part.path, "raw", handover.environment.byte_order)] if len(part.data) else [])
    for spot in found:
        yield replace(spot, seals=(*spot.seals, *seals)) if seals else spot


def _records(part: Part, layout: Layout, pick: Pick) -> Iterator[Spot]:
    assert part.pa is not None and part.data is not None  # _content() asked
    struct = layout.struct(part.struct)
    if part.count is None:
        yield from record_spots(layout, struct.name, part.pa, part.path, pick=pick, size=len(part.data))
        return
    for at in pick(part.count):
        peers = [part.pa + each * struct.size for each in (at - 1, at + 1) if 0 <= each < part.count]
        yield from record_spots(layout, struct.name, part.pa + at * struct.size, f"{part.path}[{at}]", peers, pick)


def _linked(handover: Handover, part: Part, pick: Pick) -> Iterator[Spot]:
    for linked in part.linked:
        addresses = [pa for pa, _ in linked.rows]
        for at in pick(len(addresses)):
            assert part.layout is not None  # it leads there
            peers = addresses[max(at - 1, 0) : at + 2]
            yield from record_spots(part.layout, linked.struct, addresses[at], f"{linked.path}[{at}]", peers, pick)
        if linked.kind == "blocks":
            head = handover.registry.find(BLOCK_HEADER, handover.environment)
            blocks = [claim.start for claim in handover.claims.items if claim.path == linked.path]
            for at in pick(len(blocks)):
                yield from record_spots(head, head.struct().name, blocks[at], f"{linked.path}@block")


def _stream(handover: Handover, part: Part, pick: Pick) -> Iterator[Spot]:
    """A page-table stream: docs/page-table-stream.md."""
    assert part.pa is not None and part.data is not None  # _content() asked
    layout, data, pa = handover.registry.layout(STREAM, handover.environment), part.data, part.pa
    head, chunk, tail = (layout.struct(name) for name in ("ds_pages_header", "ds_pages_chunk", "ds_pages_trailer"))
    if len(data) < head.size + tail.size:
        return
    end = pa + len(data) - tail.size
    starts: list[int] = []
    at = head.size
    while at + chunk.size <= len(data) - tail.size and len(starts) < CHUNKS_MAX:
        starts.append(at)
        at += chunk.size + int.from_bytes(data[at + 16 : at + 20], "little")
    sums = (pa + head.field("crc").offset, *(pa + start + chunk.field("crc").offset for start in starts))
    chain = Seal(f"{part.path}@tail.chain", tuple((each, 4) for each in sums), (end + tail.field("chain").offset,))
    last = Seal(f"{part.path}@tail.crc", ((end, tail.field("crc").offset),), (end + tail.field("crc").offset,))
    first = Seal(f"{part.path}@head.crc", ((pa, head.field("crc").offset),), sums[:1])
    for spot in record_spots(layout, head.name, pa, f"{part.path}@head", pick=pick):
        yield _sealed(spot, first, chain, last)
    for number in pick(len(starts)):
        start, path = pa + starts[number], f"{part.path}@chunk[{number}]"
        size = int.from_bytes(data[starts[number] + 16 : starts[number] + 20], "little")
        mine = Seal(f"{path}.crc", ((start, chunk.field("crc").offset),), (start + chunk.field("crc").offset,))
        body = Seal(f"{path}.body_crc", ((start + chunk.size, size),), (start + chunk.field("body_crc").offset,))
        for spot in record_spots(layout, chunk.name, start, path, pick=pick):
            yield _sealed(spot, mine, chain, last)
        for word in pick(size // 8):
            where = start + chunk.size + 8 * word
            yield Spot(where, 8, f"{path}.body[{8 * word}]", "number", "little", seals=(body, mine, chain, last))
    for spot in record_spots(layout, tail.name, end, f"{part.path}@tail", pick=pick):
        yield _sealed(spot, last)


def _sealed(spot: Spot, *seals: Seal) -> Spot:
    """With the seals around it; a sum is its own class, and is sealed by those behind its own."""
    name = spot.path.rpartition(".")[2]
    if name in ("crc", "body_crc", "chain"):
        return replace(spot, what="sum", seals=tuple(seal for seal in seals if seal.path != spot.path))
    return replace(spot, seals=seals)
