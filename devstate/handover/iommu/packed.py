# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Page tables of domains as streams beside the records: the parts ``tables-N`` of a unit's object (schemas/project/iommu.py).

``iommu-state-packed``  a stream that is not there, is damaged, or does not unpack to the tables that stand in memory
"""

from __future__ import annotations

from devstate.errors import DecodeError, EncodeError
from devstate.finding import Finding, Location, Severity
from devstate.handover.iommu.state import PACKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from devstate.codec.record import Record
    from devstate.handover.iommu.model import Domain, Unit
    from devstate.memory import PhysMemory
    from devstate.memory.arena import Arena

PAGE = 4096

STREAM = "page-table-stream"
"""The compatible of such a part: it has no records, and so no layout."""


def packed_tables(unit: Unit) -> dict[int, bytes]:
    """The stream of each domain, by its place among the domains of the unit. Tables that are not in memory are left out, with what is
    below them; a domain whose tables cannot be told apart in pages (they overlap: broken ones) has none.
    """
    import io

    from devstate.pagetable.pack import pack

    found = {}
    for place, domain in enumerate(unit.domains):
        out = io.BytesIO()
        try:
            pack(domain.stage.table, out, partial=True)
        except (DecodeError, EncodeError):
            continue
        found[place] = out.getvalue()
    return found


def verify_packed(streams: Mapping[int, bytes], unit: Unit) -> tuple[Finding, ...]:
    """Unpack each stream, and hold every page against the memory of its domain."""
    found = []
    for place, stream in streams.items():
        if place < len(unit.domains):
            found += _judged(unit, unit.domains[place], stream, f"tables-{place}")
        else:
            found.append(_finding(unit, "tables of a domain that there is not", None, f"tables-{place}"))
    return tuple(found)


def verify_streams(domains: Iterable[Record], streams: Mapping[int, bytes], unit: Unit) -> tuple[Finding, ...]:
    """The same of streams by the place of their domain among these records, which say who is PACKED."""
    real = {(each.domain_id, each.stage.table.top_table): each for each in unit.domains}
    found = []
    for place, record in enumerate(domains):
        domain, path = real.get((record.id, record.top_table)), f"tables-{place}"
        if not record.flags & PACKED or domain is None:
            continue  # a record of what the unit does not have is another finding
        if place in streams:
            found += _judged(unit, domain, streams[place], path)
        else:
            found.append(_finding(unit, "the domain is packed, and there is no stream of its tables", domain.stage.table.top_table, path))
    return tuple(found)


def _judged(unit: Unit, domain: Domain, stream: bytes, path: str) -> list[Finding]:
    """What is wrong with one stream."""
    from devstate.memory.arena import Arena
    from devstate.pagetable.unpack import unpack

    memory = domain.stage.table.memory
    arena = Arena(0, PAGE)  # every page comes to where it was, outside of the arena's own range
    try:
        unpack(stream, arena, limit=memory.size // PAGE + 1)
    except (DecodeError, EncodeError) as error:
        return [_finding(unit, f"the stream cannot be unpacked: {error.message}", error.pa, path)]
    pa = _difference(arena, memory)
    return [] if pa is None else [_finding(unit, "the tables in memory are not those of the stream", pa, path)]


def _difference(arena: Arena, memory: PhysMemory) -> int | None:
    """The first page that memory does not have, or has otherwise."""
    for region in arena.view().regions:
        for at in range(0, region.size, PAGE):
            pa = region.start + at
            if not memory.contains(pa, PAGE) or memory.read(pa, PAGE) != region.data[at : at + PAGE]:
                return pa
    return None


def _finding(unit: Unit, message: str, pa: int | None, path: str) -> Finding:
    return Finding("iommu-state-packed", Severity.ERROR, message, Location(source=unit.source, pa=pa, path=path))
