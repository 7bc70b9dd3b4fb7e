# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the links of a part lead to, put into memory, and their addresses into its records; the writing twin of ``state_links``.

Everything has a place below that of the part: ``devstate/devices/machine/driver-0/queues/0``.
"""

from __future__ import annotations

from devstate.codec.convert import values_of
from devstate.codec.record import Record
from devstate.errors import EncodeError
from devstate.layout.model import ArrayType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from devstate.handover.build_links import Links
    from devstate.handover.spec import LinkSpec, PartSpec
    from devstate.layout.model import FieldLayout, Layout


def linked_records(links: Links, layout: Layout, part: PartSpec) -> Sequence[Any]:
    """The records of a part with the addresses of what they lead to. EncodeError for a place where nothing is."""
    if not part.links:
        return part.records
    struct = part.struct or str(layout.root)
    wanted = part.links if part.many else [_below(0, each) for each in part.links]
    return _filled(links, layout, struct, part.records, wanted, f"devstate/{part.path}", part.path)


def _below(at: int, link: LinkSpec) -> LinkSpec:
    """The same link of record ``at`` of several."""
    return type(link)((at, *link.field), link.records, link.links, link.place, link.offset)


def _filled(
    links: Links, layout: Layout, struct: str, records: Sequence[Any], wanted: Sequence[LinkSpec], place: str, path: str
) -> Sequence[Any]:
    rows = [values_of(each) if isinstance(each, Record) else each for each in records]
    for link in wanted:
        names = "/".join(str(each) for each in (link.field if len(rows) > 1 else link.field[1:]))
        field = field_at(layout, struct, link)
        pa = _address(links, layout, field, link, f"{place}/{names}", path)
        row: Any = rows[int(link.field[0])]
        for key in link.field[1:-1]:
            row = row[key]
        row[link.field[-1]] = pa
    return rows


def _address(links: Links, layout: Layout, field: FieldLayout, link: LinkSpec, place: str, path: str) -> int:
    if link.records is None:
        if link.place not in links.room.placed:
            known = sorted(each for each in links.room.placed if each.startswith(("memblock/", "luo/")) and each.count("/") != 2)
            expected = "a place that is built before, such as " + (", ".join(known[:4]) or "memblock/NAME")
            raise EncodeError("nothing is at this place", path=path, expected=expected, found=link.place)
        return links.room.placed[link.place] + link.offset
    assert field.target is not None  # the link was taken from it
    rows: Sequence[Any] = link.records
    if link.links:
        from devstate.handover.spec_links import entries_of

        rows = _filled(links, layout, entries_of(layout, field.target) or "", rows, link.links, place, path)
    return links.link(layout, field.target, rows, place)


def field_at(layout: Layout, struct: str, link: LinkSpec) -> FieldLayout:
    """The field that a link is of."""
    field, names = None, [each for each in link.field if isinstance(each, str)]
    for name in names:
        field = layout.struct(struct).field(name)
        kind = field.type
        while isinstance(kind, ArrayType):
            kind = kind.element
        struct = kind.struct if isinstance(kind, StructType) else struct
    assert field is not None  # a link has a name
    return field
