# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A handover as the text that ``inspect`` prints: one line a thing, its path first, so that grep finds it and a path can be copied.

::

    kho                     kho-v4 fdt_pa=0x2300000 memory_map_pa=0x2305000
    metadata                previous_release=7.3.4 kexec_count=1
    subtree/LUO             luo-v5 pa=0x23e2000 size=32
    luo/session/vm-alpha    files=3
    luo/session/vm-alpha/1  memfd-v2 size=4096 pos=0 seals=SEAL nr_folios=1 data_pa=0x285f000

The words are the keys of the JSON document.
"""

from __future__ import annotations

from devstate.cli.document import PAGE
from devstate.report.printable import printable, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from devstate.cli.document import Depth
    from devstate.cli.place import Selection
    from devstate.codec.record import Record
    from devstate.handover.model import Handover, PreservedFile, Problem
    from devstate.handover.state import Part
    from devstate.layout.model import Layout

    Line = tuple[str, str]

WIDTH_MAX = 48
"""Characters that paths are padded to at most: a session name alone may have 63."""

RECORDS_MAX = 64
"""Records of one part that --raw shows; `devstate decode --part` shows all."""

ABSENT_MAX = 4
"""Places "not in the capture" that are named; the others are counted."""


def tree_lines(chosen: Selection, problems: Sequence[Problem], depth: Depth) -> Iterator[str]:
    """The lines for the chosen parts; a line that starts with blanks belongs to the one before."""
    lines = [(printable(path), text) for section in chosen.sections for path, text in _SECTIONS[section](chosen, depth)]
    width = max((len(path) for path, _ in lines if len(path) <= WIDTH_MAX), default=0)
    for path, text in lines:
        yield f"{path:{width}}  {text}" if path else f"    {text}"
    yield from problem_lines(problems)


def human(size: int) -> str:
    """`` (1.5 GiB)`` for sizes that need it, nothing for small ones."""
    for exponent, unit in ((60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB")):
        if size >= 1 << exponent:
            return f" ({size / (1 << exponent):.4g} {unit})"
    return ""


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """The problems, what is merely not in the capture last and in one line."""
    absent = [problem for problem in problems if problem.code == "not-in-memory"]
    for problem in problems:
        if problem.code == "not-in-memory" and len(absent) > 1:
            continue
        place = ": ".join(part for part in (problem.path, None if problem.pa is None else f"{problem.pa:#x}") if part)
        text = f"problem[{problem.code}] {place + ': ' if place else ''}{problem.message}"
        text += f"; expected {problem.expected}" if problem.expected is not None else ""
        yield printable(text + (f"; found {problem.found}" if problem.found is not None else ""))
    if len(absent) > 1:
        named = list(dict.fromkeys(problem.path or "?" for problem in absent))
        more = f" and {len(named) - ABSENT_MAX} more" if len(named) > ABSENT_MAX else ""
        yield printable(f"problem[not-in-memory] {len(absent)} parts are not in the capture: {', '.join(named[:ABSENT_MAX])}{more}")


def _words(*pairs: tuple[str, object]) -> str:
    """``key=value`` for what is known; numbers stay decimal, texts are quoted where needed."""
    return " ".join(f"{key}={quoted(value) if isinstance(value, str) else value}" for key, value in pairs if value is not None)


def _pa(value: int | None) -> str | None:
    return None if value is None else f"{value:#x}"


def _size(value: int | None) -> str:
    return "size=?" if value is None else f"size={value}{human(value)}"


def _kho(chosen: Selection, depth: Depth) -> Iterator[Line]:
    handover = chosen.handover
    words = _words(("fdt_pa", _pa(handover.fdt_pa)), ("memory_map_pa", _pa(handover.memory_map_pa)))
    yield "kho", f"{quoted(handover.compatible or '?')} {words}".rstrip()
    if depth.raw and handover.fdt is not None:
        for path, node in handover.fdt.walk():
            for name, value in node.properties.items():
                yield "", f"{printable(path)} {printable(name)} = <{bytes(value).hex()}>"


def _metadata(chosen: Selection, depth: Depth) -> Iterator[Line]:
    metadata = chosen.handover.metadata
    if metadata is None:
        yield "metadata", "none"
        return
    yield "metadata", _words(("previous_release", metadata.previous_release), ("kexec_count", metadata.kexec_count))


def _subtrees(chosen: Selection, depth: Depth) -> Iterator[Line]:
    for subtree in chosen.subtrees:
        yield f"subtree/{subtree.name}", f"{subtree.format or 'unknown format'} {_words(('pa', _pa(subtree.pa)), ('size', subtree.size))}"
        if depth.raw and subtree.blob is not None:
            from devstate.report.record import hexdump_lines

            yield from (("", line) for line in hexdump_lines(subtree.blob, subtree.pa or 0))


def _luo(chosen: Selection, depth: Depth) -> Iterator[Line]:
    handover, luo = chosen.handover, chosen.handover.luo
    if luo is None:
        yield "luo", "none"
        return
    counts = (("sessions", len(luo.sessions)), ("files", len(handover.files)), ("flbs", len(luo.flbs)))
    layout = handover.registry.layout(luo.format, handover.environment)
    if chosen.kind not in ("session", "file", "flb"):
        yield "luo", f"{luo.compatible} {_words(('liveupdate_num', luo.liveupdate_num), *counts)}"
        yield from _record(depth, layout, luo.record, luo.pa)
    for session, files in chosen.sessions:
        if chosen.kind != "file":
            owner = f"({printable(session.owner)}) " if session.owner is not None else ""
            yield session.path, f"{owner}files={len(session.files)}"
            yield from _record(depth, layout, session.record, session.pa)
        for file in files:
            yield file.path, _file(handover, file, depth)
            yield from _record(depth, layout, file.record, file.pa)
            if file.layout is not None:
                yield from _record(depth, file.layout, file.body, file.data_pa)
    for flb in chosen.flbs:
        yield flb.path, f"{flb.format or 'unknown format'} count={flb.count} data={flb.data:#x}"
        yield from _record(depth, layout, flb.record, flb.pa)


def _file(handover: Handover, file: PreservedFile, depth: Depth) -> str:
    label = f"({printable(file.label)}) " if file.label is not None else ""
    known = quoted(file.compatible) if file.format is not None else f"{quoted(file.compatible)} (unknown format)"
    words = [known, _size(file.size)] if file.size is not None else [known]
    seals = _seals(file)
    words.append(_words(("pos", file.pos), ("seals", seals), ("nr_folios", file.nr_folios), ("data_pa", _pa(file.data_pa))))
    if depth.hash is not None:
        words.append(f"sha256={depth.hash.of(handover, file) or '?'}")
    return label + " ".join(words)


def _seals(file: PreservedFile) -> str | None:
    """The seals by name; bits without one in hex."""
    if file.seals is None or file.layout is None:
        return None
    field = file.layout.struct().field("seals")
    names = [name for name, bit in field.names if file.seals >> bit & 1]
    unknown = file.seals & ~field.known_bits
    return "|".join([*names, *([hex(unknown)] if unknown else [])]) or "none"


def _record(depth: Depth, layout: Layout, record: Record | None, pa: int | None) -> Iterator[Line]:
    if not depth.raw or record is None:
        return
    from devstate.report.record import record_lines

    yield "", f"{record.layout.name} at {_pa(pa) or '?'}"
    for line in record_lines(layout, record):
        yield "", f"    {line}"


def _memblock(chosen: Selection, depth: Depth) -> Iterator[Line]:
    for region in chosen.regions:
        yield f"memblock/{region.name}", f"start={region.start:#x} {_size(region.size)}"


def _state(chosen: Selection, depth: Depth) -> Iterator[Line]:
    for part in chosen.parts:
        known = quoted(part.format) if part.format else "no compatible"
        size = None if part.data is None else len(part.data)
        words = (("struct", part.struct), ("count", part.count), ("place", part.place or None), ("pa", _pa(part.pa)), ("size", size))
        yield part.path, f"{known} {_words(*words)}"
        if depth.raw and part.layout is not None and part.data is not None:
            yield from _part(depth, part, part.layout)


def _part(depth: Depth, part: Part, layout: Layout) -> Iterator[Line]:
    """The records of a part, and those that they lead to."""
    if part.is_tagged:
        from devstate.codec.tagged_text import tagged_to_json

        for name, value in tagged_to_json(layout, part.tagged()).items():
            yield "", f"    {printable(name)} = {quoted(str(value))}"
        return
    for number, record in enumerate(part.records()[:RECORDS_MAX]):
        yield from _record(depth, layout, record, None if part.pa is None else part.pa + number * record.layout.size)
    for linked in part.linked:
        yield linked.path, f"struct={linked.struct} count={len(linked.rows)}"
        for pa, record in linked.rows[:RECORDS_MAX]:
            yield from _record(depth, layout, record, pa)


def _preserved(chosen: Selection, depth: Depth) -> Iterator[Line]:
    preserved = chosen.handover.preserved
    if preserved is None:
        yield "preserved", "not known"
        return
    found = preserved.map
    yield "preserved", f"pages={found.bytes // PAGE} bytes={found.bytes}{human(found.bytes)} ranges={len(found)}"
    for order, blocks in sorted(found.orders.items()):
        yield "preserved", f"order={order} blocks={blocks} block_size={found.page_size << order}"
    if depth.pages:
        for start, size in found.ranges():
            yield "", f"{start:#x} {size}"


def _scratch(chosen: Selection, depth: Depth) -> Iterator[Line]:
    areas = chosen.handover.scratch
    if areas is None:
        yield "scratch", "not known"
    for start, size in areas or ():
        yield "scratch", f"start={start:#x} {_size(size)}"


_SECTIONS: dict[str, Callable[[Selection, Depth], Iterator[Line]]] = {
    "kho": _kho,
    "metadata": _metadata,
    "subtrees": _subtrees,
    "luo": _luo,
    "memblock": _memblock,
    "preserved": _preserved,
    "scratch": _scratch,
    "state": _state,
}
