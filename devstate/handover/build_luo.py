# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO's part of a handover into memory, in every published form; the writing twin of ``luo``.

The forms differ in how sessions and files are reached (areas, chains, through a devicetree or a struct): what the layout's links
declare is built, so there is one writer.
"""

from __future__ import annotations

from devstate.codec.encode import encode
from devstate.errors import EncodeError
from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import SEQUENTIAL, write
from devstate.handover.build_files import build_file
from devstate.handover.build_links import text
from devstate.layout.model import NodeLayout, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from devstate.handover.build_links import Links
    from devstate.handover.spec import SessionSpec
    from devstate.layout.model import Layout

    Entries = Mapping[str, Sequence[Mapping[str, Any]]]

SESSIONS, FLBS = "luo/session", "luo/flb"
"""Places, and paths in a handover, of the two areas."""


def build_luo(links: Links, name: str) -> bytes:
    """LUO's own blob, in the form called ``name``. EncodeError for what the form has no place for."""
    spec = links.spec
    layout = links.registry.layout(name, links.environment)
    memfd = links.registry.layout(spec.forms.memfd, links.environment) if spec.forms.memfd is not None else None
    entries: Entries = {
        SESSIONS: [_session(links, layout, memfd, session) for session in spec.sessions],
        FLBS: [{"name": text(flb.name, 48, f"{FLBS}/{flb.name}"), "data": flb.data, "count": flb.count} for flb in spec.flbs],
    }
    root = layout.root
    blob = _tree(links, layout, root, entries) if isinstance(root, NodeLayout) else _struct(links, layout, root, entries)
    for place, records in entries.items():
        if records and f"{place}/0" not in links.room.placed:
            raise EncodeError(f"the form {layout.name} has no place for them", path=place)
    return blob


def _session(links: Links, layout: Layout, memfd: Layout | None, session: SessionSpec) -> Mapping[str, Any]:
    """A luo_session_ser: its files in a struct of their own, in itself, or not at all."""
    place = f"{SESSIONS}/{session.name}"
    name = {"name": text(session.name, 64, place)}
    for struct, inside in (("luo_file_set_ser", True), ("luo_session_ser", False)):
        fields = next((each.fields for each in layout.structs if each.name == struct), ())
        target = next((each.target for each in fields if each.name == "files"), None)
        if target is not None:
            records = [build_file(links, memfd, file, f"{place}/{file.token}") for file in session.files]
            files = links.link(layout, target, records, f"{place}/files")
            counted = {"files": files, "count": len(records)}
            return name | ({"file_set_ser": counted} if inside else {"pgcnt": 1 if files else 0} | counted)
    if session.files:
        raise EncodeError(f"sessions of the form {layout.name} have no files", path=place)
    return name


def _tree(links: Links, layout: Layout, root: NodeLayout, entries: Entries) -> bytes:
    properties = {"compatible": text(layout.compatible)}
    for prop in root.properties:
        value = links.spec.liveupdate_num
        if prop.target is not None and isinstance(prop.target.element, StructType):
            value = links.room.put("luo/ser", _struct(links, layout, prop.target.element.struct, entries))
        properties[prop.name] = links.number(value)
    nodes = []
    for child in root.children:
        (prop,) = child.properties
        assert prop.target is not None  # a node of LUO is a link
        place = SESSIONS if child.name == "luo-session" else FLBS
        pa = links.link(layout, prop.target, entries[place], place)
        nodes.append(Node(child.name, {"compatible": text(child.compatible), prop.name: links.number(pa)}))
    return write(Fdt(Node("", properties, nodes)), SEQUENTIAL)


def _struct(links: Links, layout: Layout, name: str, entries: Entries) -> bytes:
    value: dict[str, Any] = {"liveupdate_num": links.spec.liveupdate_num}
    for each in layout.struct(name).fields:
        if each.name == "compatible":
            value["compatible"] = text(layout.compatible, each.size)
        elif each.target is not None:
            place = SESSIONS if each.name == "sessions_pa" else FLBS
            value[each.name] = links.link(layout, each.target, entries[place], place)
    return encode(layout, value, name)
