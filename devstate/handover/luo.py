# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO's part of a handover, in every published form: sessions, files, FLBs.

The forms differ in how sessions and files are reached (areas, chains, through a devicetree or a struct); what the layout's links
declare is followed, so there is one reader. The names of fields are the kernel's: ``sessions_pa``, ``file_set_ser``, ``files``.
"""

from __future__ import annotations

from devstate.handover.files import open_file
from devstate.handover.model import Flb, Luo, PreservedFile, Session
from devstate.handover.root import number
from devstate.handover.text import c_string
from devstate.layout.model import NodeLayout, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.codec.record import Record
    from devstate.handover.follow import Follow
    from devstate.handover.model import Subtree
    from devstate.layout.model import FieldLayout, Layout

PATH = "luo"
NUMBER = "liveupdate-number"
"""The property that counts live updates in the devicetree forms."""


def open_luo(follow: Follow, subtree: Subtree) -> Luo | None:
    """The orchestrator's state behind the subtree; None when its format is unknown. Damage becomes problems."""
    layout, blob = subtree.layout, subtree.blob
    if layout is None or blob is None:
        return None
    luo = Luo(layout.compatible or layout.name, layout.name, subtree.pa)
    links: dict[str, tuple[FieldLayout, int, int | None]] = {}
    if isinstance(layout.root, NodeLayout):
        _from_tree(follow, luo, subtree, layout, layout.root, links)
    elif len(blob) < layout.struct().size:
        follow.problem(
            "luo-too-short",
            "the LUO blob is shorter than its struct",
            subtree.size_pa,
            PATH,
            f"{layout.struct().size} bytes",
            f"{len(blob)} bytes",
        )
        return luo
    else:
        record = follow.decoded(layout, layout.struct().name, blob, subtree.pa, PATH)
        if record is not None:
            _from_struct(luo, layout, record, subtree.pa, links)
    _sessions(follow, luo, layout, links.get("sessions"))
    _flbs(follow, luo, layout, links.get("flbs"))
    return luo


def _from_struct(luo: Luo, layout: Layout, record: Record, pa: int | None, links: dict[str, tuple[FieldLayout, int, int | None]]) -> None:
    """Take number and links from luo_ser."""
    luo.record, luo.pa, luo.liveupdate_num = record, pa, record.liveupdate_num
    for name in ("sessions", "flbs"):
        field = record.layout.field(f"{name}_pa")
        links[name] = (field, getattr(record, field.name), None if pa is None else pa + field.offset)


def _from_tree(
    follow: Follow, luo: Luo, subtree: Subtree, layout: Layout, root: NodeLayout, links: dict[str, tuple[FieldLayout, int, int | None]]
) -> None:
    """Take number and links from the devicetree forms (luo-v1, luo-v2)."""
    assert subtree.fdt is not None  # a format with a NodeLayout was found in a tree
    for field in root.properties:
        value, at = number(follow, subtree.fdt.root, field, subtree.pa, "luo", "luo-property")
        if value is None:
            continue
        if field.name == NUMBER:
            luo.liveupdate_num = value
        elif field.target is None:
            continue
        elif field.target.element is not None and isinstance(field.target.element, StructType):
            record = follow.record(layout, field.target.element.struct, value, "luo", at)
            if record is not None:
                _from_struct(luo, layout, record, value, links)
    for child in root.children:
        link = _link_of_node(follow, subtree, child)
        if link is not None:
            links["sessions" if child.name == "luo-session" else "flbs"] = link


def _link_of_node(follow: Follow, subtree: Subtree, child: NodeLayout) -> tuple[FieldLayout, int, int | None] | None:
    """(property, where it leads, where it stands) of a node that leads to an area; None and a problem when it is not as it must be."""
    assert subtree.fdt is not None  # as in _from_tree()
    path, node = f"{PATH}/{child.name}", subtree.fdt.root.child(child.name)
    if node is None:
        if not child.optional:
            follow.problem("luo-property", f"the node {child.name} is missing", subtree.pa, path, child.compatible, "nothing")
        return None
    prop = node.property("compatible")
    strings = bytes(prop.value).split(b"\0") if prop is not None else []
    if child.compatible is not None and child.compatible.encode() not in strings[:-1]:
        at = subtree.pa if subtree.pa is None or prop is None or prop.offset is None else subtree.pa + prop.offset
        found = b", ".join(strings).decode("latin-1") or "nothing"
        follow.problem("luo-property", f"{child.name} has another compatible", at, path, child.compatible, found)
        return None
    target = child.properties[0].target if child.properties else None
    if target is None or target.kind != "counted":
        follow.problem("link-unknown", f"this form of {child.name} is not followed", subtree.pa, path)
        return None
    value, at = number(follow, node, child.properties[0], subtree.pa, path, "luo-property")
    return None if value is None else (child.properties[0], value, at)


def _sessions(follow: Follow, luo: Luo, layout: Layout, link: tuple[FieldLayout, int, int | None] | None) -> None:
    if link is None or link[0].target is None or not link[1]:
        return
    field, pa, at = link
    if field.target is not None and field.target.kind == "counted":
        _, records = follow.counted(layout, field.target, pa, "luo/session", at)
    else:
        records = follow.entries(layout, field.target, pa, None, "luo/session", at) if field.target is not None else []
    for where, record in records:
        name, _ = c_string(record.name)
        session = Session(where, record, name, f"luo/session/{name}")
        luo.sessions.append(session)
        _files(follow, layout, session)


def _files(follow: Follow, layout: Layout, session: Session) -> None:
    file_set = session.file_set
    if file_set is None or not file_set.files:
        return
    field = file_set.layout.field("files")
    if field.target is None:
        return
    link = session.file_set_pa + field.offset
    for where, record in follow.entries(layout, field.target, file_set.files, file_set.count, session.path, link):
        file = PreservedFile(where, record, f"{session.path}/{record.token}")
        file.compatible, _ = c_string(record.compatible)
        session.files.append(file)
        open_file(follow, file)


def _flbs(follow: Follow, luo: Luo, layout: Layout, link: tuple[FieldLayout, int, int | None] | None) -> None:
    if link is None or link[0].target is None or not link[1]:
        return
    field, pa, at = link
    assert field.target is not None  # asked above
    header, records = follow.counted(layout, field.target, pa, "luo/flb", at)
    luo.flb_header = (pa, header) if header else None
    for where, record in records:
        name, _ = c_string(record.name)
        known = follow.handover.registry.names(name)
        luo.flbs.append(Flb(name, record.data, record.count, where, f"luo/flb/{name}", record, known[0] if known else None))
