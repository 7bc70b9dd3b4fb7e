# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Preserved files into memory: folios with their content, the array of folio records, the page list, the handler's record.

Works on columns: the time is that of writing the bytes, not of an object a folio.
"""

from __future__ import annotations

from itertools import pairwise

from devstate.codec.columns import dtype_of
from devstate.codec.encode import encode
from devstate.codec.plan import plan_of
from devstate.errors import EncodeError
from devstate.handover.build_links import text
from devstate.handover.spec import DIRTY, UPTODATE
from devstate.layout.model import IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.handover.build_links import Links
    from devstate.handover.spec import FileSpec, FolioColumns
    from devstate.layout.model import FieldLayout, Layout

    U64s = numpy.typing.NDArray[numpy.uint64]


def build_file(links: Links, layout: Layout | None, file: FileSpec, place: str) -> Mapping[str, Any]:
    """A luo_file_ser, and all that it leads to. EncodeError for a kernel that has no handler for it."""
    if file.handler is not None:
        data = file.data if file.record is None else links.room.put(place, file.record)
        return {"compatible": text(file.handler, 48, place), "data": data, "token": file.token}
    if layout is None:
        raise EncodeError("this kernel has no handler for memfds", path=place)
    area: FieldLayout | None = next((each for each in layout.struct().fields if each.target and each.target.kind == "vmalloc"), None)
    if area is None or area.target is None or not isinstance(area.target.element, StructType):
        raise EncodeError(f"files of the form {layout.name} cannot be built", path=place)
    if file.seals and not any(each.name == "seals" for each in layout.struct().fields):
        raise EncodeError(f"the form {layout.name} has no place for seals", path=f"{place}.seals", found=file.seals)
    index, pfn, flags = folios(links, file, place)
    records = folio_records(layout, area.target.element.struct, {"pfn": pfn, "flags": flags, "index": index})
    values: dict[str, Any] = {**file.fields, "pos": file.pos, "size": file.size, "seals": file.seals}
    body: dict[str, Any] = {each.name: values.get(each.name, 0) for each in layout.struct().fields if not each.gap}
    body |= {area.target.count or "nr_folios": len(index), area.name: links.page_list(layout, records, place)}
    pa = links.room.put(place, encode(layout, body))
    return {"compatible": text(layout.compatible, 48), "data": pa, "token": file.token}


def folios(links: Links, file: FileSpec, place: str) -> tuple[U64s, U64s, U64s]:
    """Put the content into memory: (index, page frame number, flags) of each folio."""
    import numpy as np

    page, room = links.page, links.room
    if file.folios is not None:
        return _pinned(links, file, file.folios, place)
    most = room.arena.end - room.arena.base
    if file.size > most:
        raise EncodeError("the file is larger than the arena", path=place, expected=f"at most {most:#x} bytes", found=f"{file.size:#x}")
    order = max(file.order, room.lowest)
    index = np.arange(0, -(-file.size // page), 1 << order, dtype=np.uint64)
    pa = 0
    if len(index):
        pa = room.blocks(f"{place}/folios", len(index), order)
        room.arena.write(pa, memoryview(file.content)[: file.size])
    return index, index + np.uint64(pa // page), np.where(index & np.uint64(1), DIRTY | UPTODATE, UPTODATE).astype(np.uint64)


def _pinned(links: Links, file: FileSpec, given: FolioColumns, place: str) -> tuple[U64s, U64s, U64s]:
    """Folios where the spec says that they are; those that follow each other, in memory and in order, are taken together."""
    import numpy as np

    index, pfn, flags, order = (np.asarray(each, np.uint64) for each in (given.index, given.pfn, given.flags, given.order))
    pages, page = np.uint64(1) << order, links.page
    new = np.ones(len(pfn), bool)
    new[1:] = (pfn[1:] != pfn[:-1] + pages[:-1]) | (order[1:] != order[:-1]) | (index[1:] != index[:-1] + pages[:-1])
    edges = [*np.flatnonzero(new).tolist(), len(pfn)]
    content = memoryview(file.content)
    for at, end in pairwise(edges):
        start = int(index[at]) * page
        links.room.fixed(f"{place}/folios", int(pfn[at]) * page, end - at, int(order[at]))
        links.room.arena.write(int(pfn[at]) * page, content[start : start + ((end - at) * page << int(order[at]))])
    return index, pfn, flags


def folio_records(layout: Layout, struct: str, columns: Mapping[str, U64s]) -> bytes:
    """Records from one column a field."""
    import numpy as np

    shape = layout.struct(struct)
    array = np.zeros(len(columns["pfn"]), dtype_of(plan_of(layout, struct)))
    for each in shape.fields:
        if each.name not in columns or not isinstance(each.type, IntType):
            raise EncodeError(f"folio records of the form {struct} cannot be built", path=each.name)
        if each.width is None:
            array[each.name] = columns[each.name]
        else:
            array[f"@{each.offset}"] |= (columns[each.name] << np.uint64(each.shift or 0)).astype(array.dtype[f"@{each.offset}"])
    return array.tobytes()
