# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts as plain data: JSON and msgpack carry them without loss, equal layouts are equal data, anything else is refused."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from codec.strategies import environments, schema_of, structs
from hypothesis import given, settings
from hypothesis import strategies as st

import devstate_schemas
from devstate.errors import DecodeError
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower
from devstate.layout.model import Environment
from devstate.layout.plain import layout_from_plain, to_plain
from devstate.schema import Schema, Struct

SHIPPED = list(schemas_of(devstate_schemas))


def check_round_trip(schema: Schema, environment: Environment) -> None:
    """Through JSON, through msgpack, and straight: the same layout."""
    layout = lower(schema, environment)
    plain = to_plain(layout)
    assert layout == layout_from_plain(plain)
    assert layout == layout_from_plain(json.loads(json.dumps(plain)))
    assert layout == layout_from_plain(msgpack.unpackb(msgpack.packb(plain)))
    assert plain == to_plain(layout_from_plain(plain))


@pytest.mark.parametrize("schema", SHIPPED, ids=lambda schema: schema.name)
@pytest.mark.parametrize("environment", [Environment(), Environment(65536, "big")], ids=str)
def test_shipped(schema: Schema, environment: Environment) -> None:
    """Every shipped layout survives."""
    check_round_trip(schema, environment)


@settings(max_examples=100, deadline=None)
@given(structs(), environments)
def test_drawn(root: Struct, environment: Environment) -> None:
    """Any layout survives."""
    check_round_trip(schema_of(root), environment)


def test_defaults_are_left_out() -> None:
    """What equals a default is not written, so that a new field of the IR does not change old baselines."""
    plain = to_plain(lower(next(schema for schema in SHIPPED if schema.name == "memfd-v2")))
    folio = next(struct for struct in plain["structs"] if struct["name"] == "memfd_luo_folio_ser")
    index = next(field for field in folio["fields"] if field["name"] == "index")
    assert {"name", "offset", "size", "type", "doc", "unit"} == set(index)


PLAIN = to_plain(lower(next(schema for schema in SHIPPED if schema.name == "luo-v5")))
JUNK: st.SearchStrategy[Any] = st.one_of(st.none(), st.integers(), st.text(max_size=4), st.lists(st.integers(), max_size=2), st.just({}))


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, {"is": "int"}, {"name": "x"}, {"odd": 1}])
def test_not_a_layout(junk: Any) -> None:
    """Data of another form is an error of ours."""
    with pytest.raises(DecodeError):
        layout_from_plain(junk)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged(data: st.DataObject) -> None:
    """One value of a layout's data replaced by anything: another layout, or an error of ours."""
    plain: Any = json.loads(json.dumps(PLAIN))
    place, key = _place(plain, data)
    place[key] = data.draw(JUNK)
    try:
        layout_from_plain(plain)
    except DecodeError as error:
        assert "not a layout" in str(error)


def _place(plain: Any, data: st.DataObject) -> tuple[Any, Any]:
    """A dict or list inside ``plain`` and one of its keys."""
    while True:
        key = data.draw(st.sampled_from(sorted(plain) if isinstance(plain, dict) else range(len(plain))))
        inner = plain[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            return plain, key
        plain = inner
