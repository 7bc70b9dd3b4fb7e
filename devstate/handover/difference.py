# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What differs between two handovers, by field: never by byte offset, and never an address that merely moved.

A link (an address or handle) counts only as being there or not: two jumps of one machine put everything elsewhere. Names tell what
belongs together: subtrees, sessions, FLBs and regions by name, files by token; the n-th of a name that is not unique by its place.
"""

from __future__ import annotations

from devstate.codec.text import to_json
from devstate.frozen import frozen
from devstate.layout.model import StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeAlias, TypeVar

    from devstate.codec.record import Record
    from devstate.handover.model import Flb, Handover, Luo, PreservedFile, Region, Session, Subtree
    from devstate.handover.preserved import PreservedPages
    from devstate.layout.model import FieldLayout, Layout

    T = TypeVar("T")
    Value: TypeAlias = int | str | bool | None
    Hash: TypeAlias = Callable[[Handover, PreservedFile], str | None]

RANGES_MAX = 16
"""Ranges of preserved memory that are named in each direction; the totals count all of them."""


@frozen
class Difference:
    """``field`` of the thing at ``path`` has another value. ``present`` is True where the thing itself is there on one side only.

    None stands for a field that the format of that side does not have, or that could not be read.
    """

    path: str
    field: str
    old: Value
    new: Value


def differences(old: Handover, new: Handover, *, content: Hash | None = None) -> list[Difference]:
    """Everything that differs, in the order in which a handover is shown. ``content`` gives a file's hash, when contents count too."""
    rows = list(rows_of("kho", _root(old), _root(new)))
    rows += rows_of("metadata", _metadata(old), _metadata(new))
    for path, a, b in pairs(old.subtrees, new.subtrees, lambda each: f"subtree/{each.name}"):
        rows += present(path, a, b) or rows_of(path, _subtree(a), _subtree(b))
    rows += _luo(old, new, content)
    for path, c, d in pairs(old.regions, new.regions, lambda each: f"memblock/{each.name}"):
        rows += present(path, c, d) or rows_of(path, _region(c), _region(d))
    if old.scratch is not None and new.scratch is not None:
        rows += rows_of("scratch", _areas(old.scratch), _areas(new.scratch))
    if old.state is not None or new.state is not None:
        from devstate.handover.difference_state import state_differences

        rows += state_differences(old, new)
    rows += _preserved(old.preserved, new.preserved)
    return rows


def rows_of(path: str, old: dict[str, Value], new: dict[str, Value]) -> Iterator[Difference]:
    """The fields of one thing that differ, in the order of ``old``."""
    for field in dict.fromkeys([*old, *new]):
        if old.get(field) != new.get(field):
            yield Difference(path, field, old.get(field), new.get(field))


def present(path: str, old: object, new: object) -> list[Difference]:
    """The difference of what is there on one side only; none when it is on both, or on neither."""
    return [Difference(path, "present", old is not None, new is not None)] if (old is None) != (new is None) else []


def pairs(old: Iterable[T], new: Iterable[T], path_of: Callable[[T], str]) -> list[tuple[str, T | None, T | None]]:
    """(path, old, new) of what has one path on both sides, in the order of ``old``, then what only ``new`` has."""
    a, b = _by_path(old, path_of), _by_path(new, path_of)
    return [(path, a.get(path), b.get(path)) for path in dict.fromkeys([*a, *b])]


def _by_path(items: Iterable[T], path_of: Callable[[T], str]) -> dict[str, T]:
    found: dict[str, T] = {}
    times: dict[str, int] = {}
    for item in items:
        path = path_of(item)
        times[path] = count = times.get(path, 0) + 1
        found[path if count == 1 else f"{path}#{count}"] = item
    return found


def _root(handover: Handover) -> dict[str, Value]:
    environment = handover.environment
    return {"compatible": handover.compatible, "page_size": environment.page_size, "byte_order": environment.byte_order}


def _metadata(handover: Handover) -> dict[str, Value]:
    found = handover.metadata
    return {} if found is None else {"previous_release": found.previous_release, "kexec_count": found.kexec_count, "version": found.version}


def _subtree(subtree: Subtree | None) -> dict[str, Value]:
    if subtree is None:
        return {}
    row: dict[str, Value] = {"format": subtree.format, "size": subtree.size}
    if subtree.format is None and subtree.blob is not None:
        import hashlib

        row["sha256"] = hashlib.sha256(subtree.blob).hexdigest()
    return row


def _region(region: Region | None) -> dict[str, Value]:
    return {} if region is None else {"start": hex(region.start), "size": region.size}


def _luo(old: Handover, new: Handover, content: Hash | None) -> Iterator[Difference]:
    if old.luo is None or new.luo is None:
        yield from present("luo", old.luo, new.luo)
        return
    yield from rows_of("luo", _luo_row(old, old.luo), _luo_row(new, new.luo))
    for path, a, b in pairs(old.luo.sessions, new.luo.sessions, lambda session: session.path):
        yield from present(path, a, b) or _session(path, old, new, a, b, content)
    yield from rows_of("luo/flb", _flb_header(old.luo), _flb_header(new.luo))
    for path, c, d in pairs(old.luo.flbs, new.luo.flbs, lambda flb: flb.path):
        yield from present(path, c, d) or rows_of(path, _flb(old, old.luo, c), _flb(new, new.luo, d))


def _luo_row(handover: Handover, luo: Luo) -> dict[str, Value]:
    return {"compatible": luo.compatible, "liveupdate_num": luo.liveupdate_num} | record_fields(_layout(handover, luo), luo.record)


def _flb_header(luo: Luo) -> dict[str, Value]:
    return {} if luo.flb_header is None else {**luo.flb_header[1]}


def _layout(handover: Handover, luo: Luo) -> Layout:
    return handover.registry.layout(luo.format, handover.environment)


def _flb(handover: Handover, luo: Luo, flb: Flb | None) -> dict[str, Value]:
    return {} if flb is None else record_fields(_layout(handover, luo), flb.record)


def _session(
    path: str, old: Handover, new: Handover, a: Session | None, b: Session | None, content: Hash | None
) -> Iterator[Difference]:
    if a is None or b is None or old.luo is None or new.luo is None:
        return
    yield from rows_of(path, record_fields(_layout(old, old.luo), a.record), record_fields(_layout(new, new.luo), b.record))
    for where, c, d in pairs(a.files, b.files, lambda file: f"{path}/{file.token}"):
        if c is None or d is None:
            yield from present(where, c, d)
            continue
        sides = [_file(handover, file) for handover, file in ((old, c), (new, d))]
        yield from rows_of(where, *sides)
        if content is not None:
            yield from rows_of(where, {"sha256": content(old, c)}, {"sha256": content(new, d)})


def _file(handover: Handover, file: PreservedFile) -> dict[str, Value]:
    row: dict[str, Value] = {"compatible": file.compatible, "format": file.format}
    if file.format is not None:
        row["readable"] = file.body is not None
    if file.layout is not None and file.body is not None:
        row |= record_fields(file.layout, file.body)
    return row


def record_fields(layout: Layout, record: Record | None) -> dict[str, Value]:
    """The fields by dotted name, each in its JSON form; links as whether they lead anywhere."""
    if record is None:
        return {}
    row: dict[str, Value] = {}
    stack: list[tuple[str, FieldLayout | None, Any]] = [*_fields(layout, record.layout.name, to_json(layout, record), "")][::-1]
    while stack:
        name, field, shown = stack.pop()
        if field is not None and isinstance(field.type, StructType):
            stack += list(_fields(layout, field.type.struct, shown, f"{name}."))[::-1]
        elif field is not None and field.target is not None and not isinstance(shown, list | dict):
            row[name] = "set" if shown not in (0, "0x0") else "0"
        elif isinstance(shown, list) and (field is None or field.kind != "flags"):
            stack += [(f"{name}[{index}]", None, each) for index, each in enumerate(shown)][::-1]
        elif isinstance(shown, dict) and shown.keys() != {"hex"}:
            stack += [(f"{name}.{key}", None, each) for key, each in shown.items()][::-1]
        elif isinstance(shown, list):
            row[name] = "|".join(shown) or "none"
        else:
            row[name] = f"hex {shown['hex']}" if isinstance(shown, dict) else shown
    return row


def _fields(layout: Layout, struct: str, shown: dict[str, Any], prefix: str) -> Iterator[tuple[str, FieldLayout | None, Any]]:
    for field in layout.struct(struct).fields:
        if field.name in shown:
            yield prefix + field.name, field, shown[field.name]


def _areas(scratch: list[tuple[int, int]]) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for index, (start, size) in enumerate(scratch):
        row |= {f"{index}.start": hex(start), f"{index}.size": size}
    return row


def _preserved(old: PreservedPages | None, new: PreservedPages | None) -> Iterator[Difference]:
    if old is None or new is None:
        yield from present("preserved", old, new)
        return
    a, b = old.map, new.map
    if a.edges != b.edges:
        removed, added = _ranges_only_in_one(a.edges, b.edges)
        yield from rows_of("preserved", {"bytes": a.bytes}, {"bytes": b.bytes})
        yield from rows_of("preserved", {"removed": sum(removed[1]), "added": 0}, {"removed": 0, "added": sum(added[1])})
        for (starts, sizes), is_old in ((removed, True), (added, False)):
            for start, size in list(zip(starts, sizes, strict=True))[:RANGES_MAX]:
                yield Difference(f"preserved/{start:#x}", "bytes", size if is_old else 0, 0 if is_old else size)
    orders: list[dict[str, Value]] = [{f"order {order}": count for order, count in sorted(each.orders.items())} for each in (a, b)]
    yield from rows_of("preserved", *orders)


def _ranges_only_in_one(old: memoryview, new: memoryview) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
    """((starts, sizes) of what only ``old`` covers, the same of ``new``), from the sorted edges of disjoint ranges."""
    import numpy as np

    a, b = np.frombuffer(old, np.uint64), np.frombuffer(new, np.uint64)
    points = np.union1d(a, b)
    in_a = np.searchsorted(a, points, side="right") % 2 == 1
    in_b = np.searchsorted(b, points, side="right") % 2 == 1
    found = []
    for only in (in_a & ~in_b, in_b & ~in_a):
        # The last point ends everything, so nothing is covered there, and every start has an end.
        change = np.flatnonzero(np.diff(np.concatenate(([False], only)).astype(np.int8)))
        starts, ends = points[change[0::2]], points[change[1::2]]
        found.append((starts.tolist(), (ends - starts).tolist()))
    return found[0], found[1]
