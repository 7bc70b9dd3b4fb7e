# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as a record of any shipped format: both decoders agree, and what decodes encodes and goes through JSON without a changed bit.

::

    | case u16 | record ...        case: which struct of which schema, for which page size and byte order
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

import devstate_schemas
from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.record import Record
from devstate.codec.reference import plain, reference_decode, reference_encode
from devstate.codec.text import from_json, to_json
from devstate.errors import DecodeError
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment, Layout, StructLayout, StructType, walk_types
from devstate.layout.plain import to_plain
from devstate.schema import Schema


class Case(NamedTuple):
    """One struct of one schema in one environment."""

    schema: Schema
    layout: Layout
    struct: str

    @property
    def shape(self) -> StructLayout:
        return self.layout.struct(self.struct)

    def __str__(self) -> str:
        environment = self.layout.environment
        return f"{self.schema.name}-{self.struct}-{environment.page_size}-{environment.byte_order}"


@cache
def shipped_cases() -> tuple[Case, ...]:
    """Every struct of every shipped schema for every page size and byte order; structs that are equal in all of that only once."""
    cases: dict[str, Case] = {}
    for schema in schemas_of(devstate_schemas):
        for page_size in PAGE_SIZES:
            for order in ("little", "big"):
                layout = lower(schema, Environment(page_size, order))
                for struct in layout.structs:
                    key = json.dumps([order, [to_plain(each) for each in _inside(layout, struct)]])
                    cases.setdefault(key, Case(schema, layout, struct.name))
    return tuple(cases.values())


def _inside(layout: Layout, struct: StructLayout) -> list[StructLayout]:
    """A struct and the structs embedded in it."""
    found = [struct]
    for each in found:
        for field in each.fields:
            found += [layout.struct(kind.struct) for kind in walk_types(field.type) if isinstance(kind, StructType)]
    return found


def agrees(case: Case, data: bytes) -> Record | None:
    """Both decoders refuse ``data``, or take it for the same record, which both encode to the same bytes. Returns the record."""
    environment = case.layout.environment
    try:
        expected = reference_decode(case.schema, data, environment, case.struct)
    except DecodeError:
        expected = None
    try:
        record = decode(case.layout, data, case.struct)
    except DecodeError as error:
        assert expected is None, f"only the reference accepts this: {error}"
        return None
    assert expected == plain(record)
    encoded = encode(case.layout, record, case.struct)
    assert data[: len(encoded)] == encoded
    assert encoded == reference_encode(case.schema, expected, environment, case.struct)
    return record


def survives_json(case: Case, record: Record) -> None:
    """Through JSON text and back: the same record, the same bytes."""
    shown: Any = json.loads(json.dumps(to_json(case.layout, record)))
    again = from_json(case.layout, shown, case.struct)
    assert record == again
    assert type(record) is type(again)
    assert encode(case.layout, record, case.struct) == encode(case.layout, again, case.struct)


def one_input(data: bytes) -> None:
    """The property. Whatever is raised here is a bug."""
    if len(data) < 2:
        return
    cases = shipped_cases()
    case = cases[int.from_bytes(data[:2], "little") % len(cases)]
    record = agrees(case, data[2:])
    if record is not None:
        survives_json(case, record)


def main() -> None:
    from driver import run

    sizes = [case.shape.size for case in shipped_cases()]
    run(one_input, [index.to_bytes(2, "little") + bytes(min(size, 1 << 12)) for index, size in enumerate(sizes)])


if __name__ == "__main__":
    main()
