# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A handover as the document that ``inspect --json`` writes (docs/inspect.schema.json, docs/json.md).

Every key of a section is always there; what is not known is null, what there is none of is an empty list. A path leaves out whole
sections; ``--pages``, ``--raw`` and ``--hash`` add keys. Addresses are "0x...", everything else that counts is a number.
"""

from __future__ import annotations

from devstate.report.json import address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from devstate.cli.place import Selection
    from devstate.codec.record import Record
    from devstate.handover.model import Handover, Luo, PreservedFile, Problem, Session
    from devstate.handover.state import Part
    from devstate.layout.model import Layout

PAGE = 4096
"""``preserved.pages`` counts pages of this size, whatever the kernel's own is."""

HASHED_TIMES = 4
HASHED_MIN = 1 << 30
"""Bytes of files that are hashed: a page belongs to one file, so this many times the captured memory is enough, and a GiB for holes."""


class Depth:
    """How much of each thing is wanted: page ranges, raw records, and hashes of contents, which ``hash`` gives when it is not None."""

    __slots__ = ("hash", "pages", "raw")

    def __init__(self, *, pages: bool = False, raw: bool = False, hash: Hashes | None = None) -> None:
        self.pages = pages
        self.raw = raw
        self.hash = hash


class Hashes:
    """Hashes of the contents of files, as long as they do not claim many times the memory that is there: time stays linear in it."""

    __slots__ = ("left",)

    def __init__(self, handover: Handover) -> None:
        self.left = HASHED_MIN + HASHED_TIMES * (handover.memory.size if handover.memory is not None else 0)

    def of(self, handover: Handover, file: PreservedFile) -> str | None:
        """SHA-256 of the content; None when that is not in the capture, when the file has none, or when files claim too much."""
        from devstate.errors import DecodeError
        from devstate.handover.content import file_sha256

        if file.size is None or file.size > self.left:
            return None
        self.left -= file.size
        try:
            return file_sha256(handover, file)
        except DecodeError:
            return None


def document(chosen: Selection, problems: Sequence[Problem], depth: Depth) -> dict[str, Any]:
    """The document for the chosen parts."""
    handover = chosen.handover
    made: dict[str, Any] = {"kho": _kho(handover)}
    for section in chosen.sections:
        if section != "kho":
            made[section] = _SECTIONS[section](chosen, depth)
    made["problems"] = [problem_row(problem) for problem in problems]
    return made


def problem_row(problem: Problem) -> dict[str, Any]:
    """One problem as a JSON object."""
    return {
        "code": problem.code,
        "message": problem.message,
        "pa": address(problem.pa),
        "path": problem.path,
        "expected": problem.expected,
        "found": problem.found,
    }


def _kho(handover: Handover) -> dict[str, Any]:
    return {
        "compatible": handover.compatible or None,
        "fdt_pa": address(handover.fdt_pa),
        "memory_map_pa": address(handover.memory_map_pa),
    }


def _metadata(chosen: Selection, depth: Depth) -> dict[str, Any]:
    metadata = chosen.handover.metadata
    return {
        "previous_release": metadata.previous_release if metadata is not None else None,
        "kexec_count": metadata.kexec_count if metadata is not None else None,
    }


def _subtrees(chosen: Selection, depth: Depth) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "pa": address(each.pa), "size": each.size, "format": each.format}
        | ({"blob": None if each.blob is None else each.blob.hex()} if depth.raw else {})
        for each in chosen.subtrees
    ]


def _luo(chosen: Selection, depth: Depth) -> dict[str, Any]:
    luo = chosen.handover.luo
    return {
        "compatible": luo.compatible if luo is not None else None,
        "liveupdate_num": luo.liveupdate_num if luo is not None else None,
        "sessions": [_session(chosen.handover, luo, session, files, depth) for session, files in chosen.sessions if luo is not None],
        "flbs": [
            {"name": flb.name, "data": address(flb.data), "count": flb.count, "format": flb.format}
            | (_raw(chosen.handover, luo, flb.record) if depth.raw and luo is not None else {})
            for flb in chosen.flbs
        ],
    } | (_raw(chosen.handover, luo, luo.record) if depth.raw and luo is not None else {})


def _session(handover: Handover, luo: Luo, session: Session, files: list[PreservedFile], depth: Depth) -> dict[str, Any]:
    row: dict[str, Any] = {"name": session.name, "owner": session.owner, "files": [_file(handover, luo, file, depth) for file in files]}
    return row | _raw(handover, luo, session.record) if depth.raw else row


def _file(handover: Handover, luo: Luo, file: PreservedFile, depth: Depth) -> dict[str, Any]:
    row: dict[str, Any] = {
        "token": file.token,
        "label": file.label,
        "compatible": file.compatible,
        "data_pa": address(file.data_pa),
        "size": file.size,
        "pos": file.pos,
        "seals": file.seals,
        "nr_folios": file.nr_folios,
        "format": file.format,
    }
    if depth.hash is not None:
        row["sha256"] = depth.hash.of(handover, file)
    if depth.raw:
        row |= _raw(handover, luo, file.record)
        row["body"] = None if file.body is None or file.layout is None else shown(file.layout, file.body)
    return row


def _raw(handover: Handover, luo: Luo, record: Record | None) -> dict[str, Any]:
    layout = handover.registry.layout(luo.format, handover.environment)
    return {"record": None if record is None else shown(layout, record)}


def shown(layout: Layout, record: Record) -> dict[str, Any]:
    """A record in the form of docs/json.md."""
    from devstate.codec.text import to_json

    return to_json(layout, record)


def _memblock(chosen: Selection, depth: Depth) -> dict[str, Any]:
    return {"regions": [{"name": each.name, "start": address(each.start), "size": each.size} for each in chosen.regions]}


def _state(chosen: Selection, depth: Depth) -> list[dict[str, Any]]:
    return [_part(part, depth) for part in chosen.parts]


def _part(part: Part, depth: Depth) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": part.path,
        "compatible": part.format or None,
        "layout": part.fingerprint or None,
        "name": part.layout.name if part.layout is not None else None,
        "struct": part.struct,
        "count": part.count,
        "place": part.place or None,
        "pa": address(part.pa),
        "size": None if part.data is None else len(part.data),
    }
    if depth.raw and part.layout is not None and part.data is not None:
        if part.is_tagged:
            from devstate.codec.tagged_text import tagged_to_json

            row["records"] = [tagged_to_json(part.layout, part.tagged())]
            return row
        row["records"] = [shown(part.layout, record) for record in part.records()]
        if part.linked:
            row["linked"] = [
                {"path": each.path, "struct": each.struct, "pa": address(each.rows[0][0] if each.rows else None),
                 "records": [shown(part.layout, record) for _, record in each.rows]}
                for each in part.linked
            ]  # fmt: skip
    return row


def _preserved(chosen: Selection, depth: Depth) -> dict[str, Any]:
    preserved = chosen.handover.preserved
    if preserved is None:
        return {"pages": None, "bytes": None, "orders": {}} | ({"ranges": []} if depth.pages else {})
    total = preserved.map.bytes
    row: dict[str, Any] = {"pages": total // PAGE, "bytes": total, "orders": {str(k): v for k, v in sorted(preserved.map.orders.items())}}
    if depth.pages:
        row["ranges"] = [[hex(start), size] for start, size in preserved.map.ranges()]
    return row


def _scratch(chosen: Selection, depth: Depth) -> dict[str, Any]:
    areas = chosen.handover.scratch
    return {"areas": None if areas is None else [[hex(start), size] for start, size in areas]}


_SECTIONS: dict[str, Callable[[Selection, Depth], Any]] = {
    "metadata": _metadata,
    "subtrees": _subtrees,
    "luo": _luo,
    "memblock": _memblock,
    "preserved": _preserved,
    "scratch": _scratch,
    "state": _state,
}
