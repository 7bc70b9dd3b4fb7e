# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What differs in the subtree ``devstate``: part by part, by the fields of their embedded layouts, and in what their records lead to.

::

    devstate/iommu/dmar0/domains[3]  id             6 -> 7          one record of many, by its place
    devstate/memory/vm0/extents[7]   present        -               a record more or fewer, between those that are the same
    devstate/devices/machine/driver-1.queues[0] head    3 -> 4      what a link leads to

Where both sides have another layout, fields are compared by name.
"""

from __future__ import annotations

from devstate.codec.tagged_text import tagged_to_json
from devstate.handover.difference import Difference, pairs, present, record_fields, rows_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from devstate.codec.record import Record
    from devstate.handover.difference import Value
    from devstate.handover.model import Handover
    from devstate.handover.state import Part
    from devstate.handover.state_links import Linked
    from devstate.layout.model import Layout

ROWS_MAX = 64
"""Records of one array that are named; their number counts all."""

LOOKED_MAX = 1 << 16
"""Records of one array whose bytes differ that are looked at: most may differ in links alone."""


def state_differences(old: Handover, new: Handover) -> Iterator[Difference]:
    """Everything that differs, in the order of the tree."""
    a, b = (each.state.parts if each.state is not None else [] for each in (old, new))
    for path, one, other in pairs(a, b, lambda part: part.path):
        if one is None or other is None:
            yield from present(path, one, other)
        else:
            yield from _part(path, one, other)


def _part(path: str, one: Part, other: Part) -> Iterator[Difference]:
    yield from rows_of(path, _head(one), _head(other))
    if one.data is None or other.data is None:
        return
    if one.layout is None or other.layout is None:
        if one.layout is other.layout:  # bytes of no layout
            yield from rows_of(path, _digest(one), _digest(other))
        return
    if one.is_tagged or other.is_tagged:
        if one.is_tagged and other.is_tagged:
            yield from rows_of(path, *(_flat(tagged_to_json(each.layout, each.tagged())) for each in (one, other) if each.layout))
        return
    if one.count is None and other.count is None:
        fields = (record_fields(each.layout, each.records()[0]) for each in (one, other) if each.layout is not None)
        yield from rows_of(path, *fields)
    elif one.count is not None and other.count is not None:
        yield from _table(path, _Rows.of_part(one), _Rows.of_part(other))
    for where, first, second in pairs(one.linked, other.linked, lambda linked: linked.path):
        if first is None or second is None:
            yield from present(where, first, second)
        else:
            yield from _table(where, _Rows.of_linked(one, first), _Rows.of_linked(other, second))


def _head(part: Part) -> dict[str, Value]:
    row: dict[str, Value] = {"format": part.format or None, "layout": part.fingerprint or None, "struct": part.struct, "count": part.count}
    return row | {"readable": part.data is not None and (part.layout is not None or not part.fingerprint)}


def _digest(part: Part) -> dict[str, Value]:
    import hashlib

    assert part.data is not None  # _part() asked
    return {"size": len(part.data), "sha256": hashlib.sha256(part.data).hexdigest()}


def _flat(shown: dict[str, Any]) -> dict[str, Value]:
    """Values of nested dicts and lists by dotted name."""
    row: dict[str, Value] = {}
    stack: list[tuple[str, Any]] = [*shown.items()][::-1]
    while stack:
        name, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{name}.{key}", each) for key, each in value.items()][::-1]
        elif isinstance(value, list):
            stack += [(f"{name}[{at}]", each) for at, each in enumerate(value)][::-1]
        else:
            row[name] = value
    return row


class _Rows:
    """Records of one struct: ``keys`` are equal where the records are, ``record`` gives one."""

    def __init__(self, layout: Layout, keys: Sequence[Any], records: Sequence[Record] | None, part: Part | None) -> None:
        self.layout, self.keys, self.records, self.part = layout, keys, records, part

    @classmethod
    def of_part(cls, part: Part) -> _Rows:
        """Those of a part, decoded when they are asked for."""
        assert part.layout is not None and part.data is not None  # _part() asked
        size, data = part.layout.struct(part.struct).size, bytes(part.data)
        return cls(part.layout, [data[at : at + size] for at in range(0, len(data), size)], None, part)

    @classmethod
    def of_linked(cls, part: Part, linked: Linked) -> _Rows:
        """Those that a link leads to."""
        assert part.layout is not None  # _part() asked
        records = [record for _, record in linked.rows]
        return cls(part.layout, records, records, None)

    def fields(self, at: int) -> dict[str, Value]:
        """The fields of a record by dotted name."""
        from devstate.codec.decode import decode

        if self.records is not None:
            return record_fields(self.layout, self.records[at])
        assert self.part is not None  # of_part()
        return record_fields(self.layout, decode(self.layout, self.keys[at], self.part.struct))


def _table(path: str, one: _Rows, other: _Rows) -> Iterator[Difference]:
    """Records by their places; where one side has more of them, behind what is the same at the start and before what is at the end."""
    first, last = 0, 0
    short = min(len(one.keys), len(other.keys))
    if len(one.keys) != len(other.keys):
        while first < short and one.keys[first] == other.keys[first]:
            first += 1
        while last < short - first and one.keys[-1 - last] == other.keys[-1 - last]:
            last += 1
    named = total = looked = 0
    for at in range(first, short - last):
        if one.keys[at] == other.keys[at] or looked == LOOKED_MAX:
            continue
        looked += 1
        found = list(rows_of(f"{path}[{at}]", one.fields(at), other.fields(at)))
        total += bool(found)
        if found and named < ROWS_MAX:
            named += 1
            yield from found
    for rows, is_old in ((one, True), (other, False)):
        for at in range(short - last, len(rows.keys) - last):
            total += 1
            if named < ROWS_MAX:
                named += 1
                yield Difference(f"{path}[{at}]", "present", is_old, not is_old)
    if total > named:
        yield Difference(path, "records that differ", 0, total)
