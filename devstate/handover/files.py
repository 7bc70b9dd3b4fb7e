# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Preserved files: from the handler string to the handler's own record and its page lists.

Which schema reads ``luo_file_ser.data`` is decided by the file's compatible alone, so posted and user schemas work as mainline
ones do. A field that the layout declares as a vmalloc array is followed to its page list.
"""

from __future__ import annotations

from devstate.handover.vmalloc import read_page_list
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.follow import Follow
    from devstate.handover.model import PreservedFile


def open_file(follow: Follow, file: PreservedFile) -> None:
    """Read what the file's handle leads to. An unknown handler leaves ``format`` None; a damaged record becomes a problem."""
    registry = follow.handover.registry
    names = registry.names(file.compatible)
    if not names:
        return
    layout = registry.layout(names[0], follow.handover.environment)
    file.format, file.layout = layout.name, layout
    if isinstance(layout.root, NodeLayout):
        return
    link = file.pa + file.record.layout.field("data").offset
    file.body = follow.record(layout, layout.root, file.data_pa, file.path, link)
    if file.body is None:
        return
    for field in layout.struct().fields:
        if field.target is not None and field.target.kind == "vmalloc":
            file.pages = read_page_list(follow, getattr(file.body, field.name), file.data_pa + field.offset, file.path)
            file.folio_layout = field.target.element
