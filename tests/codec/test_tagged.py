# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tagged maps: one form for one value, what is unknown is kept, what is wrong is refused with its path, and nothing else is raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.__main__ import main
from devstate.codec.tagged import DEPTH_MAX, TAGGED_MAX, Tagged, decode_tagged, encode_tagged, first_fault_tagged, validate_tagged
from devstate.codec.tagged_text import tagged_from_json, tagged_to_json
from devstate.errors import DecodeError, EncodeError, LimitError, SchemaError, TruncatedError, UsageError
from devstate.layout.lower import lower
from devstate.layout.model import Layout
from devstate.layout.plain import layout_from_plain, to_plain
from devstate.schema import S16, U8, U16, U64, About, Array, Chars, Flags, FlexArray, Opaque, Phys, Raw, Schema, Struct
from devstate.testing.proof import strategies


def schema(*fields: Any, encoding: str = "tagged") -> Schema:
    """A schema around fields."""
    root = Struct("settings", *fields, packed=True)
    return Schema(name="settings", doc="for tests", source="tests", status="project", root=root, encoding=encoding)


QUEUE = Struct("queue", "number" / U16 * About(tag=1), "weight" / S16 * About(tag=2, optional=True, default=1), packed=True)
FIELDS = (
    "name" / Chars(8) * About(tag=1),
    "mtu" / U16 * About(tag=2, optional=True, default=1500),
    "flags" / Flags(U64, UP=0, LOUD=5) * About(tag=7),
    "key" / Raw(4) * About(tag=300, optional=True),
    "pair" / Array(2, U8) * About(tag=9, optional=True),
    "queues" / FlexArray(QUEUE) * About(tag=4),
)
LAYOUT = lower(schema(*FIELDS))
PLAIN: dict[int, Any] = {1: b"eth0", 2: 9000, 4: [{1: 3}, {1: 4, 2: -2, 99: "kept"}], 7: 33, 50: [None, 1.5, {"a": b""}], 300: b"abcd"}


def packed(plain: Any) -> bytes:
    """The bytes, keys in order."""
    data: bytes = msgpack.packb(plain)
    return data


def test_values_defaults_and_what_is_unknown() -> None:
    """By name, of full length; a field that is absent has its default; numbers that the reader does not know stand aside."""
    record = decode_tagged(LAYOUT, packed(PLAIN))
    assert (b"eth0\0\0\0\0", 9000, b"abcd") == (record["name"], record["mtu"], record["key"])
    assert ([3, 4], [1, -2]) == ([queue["number"] for queue in record["queues"]], [queue["weight"] for queue in record["queues"]])
    assert ({50: packed(PLAIN[50])}, {99: packed("kept")}) == (record.unknown, record["queues"][1].unknown)
    assert record["pair"] is None and "pair" not in record.values
    assert packed(PLAIN) == encode_tagged(LAYOUT, record)
    least = {"name": bytes(8), "flags": 0, "queues": []}
    assert packed({1: b"", 4: [], 7: 0}) == encode_tagged(LAYOUT, least)
    assert 1500 == decode_tagged(LAYOUT, encode_tagged(LAYOUT, least))["mtu"]


LATER = st.dictionaries(st.integers(400, 500), st.one_of(st.none(), st.integers(-9, 9), st.text()), max_size=3)


@settings(max_examples=100, deadline=None)
@given(strategies(LAYOUT)["settings"], LATER)
def test_there_and_back(values: dict[str, Any], unknown: dict[int, Any]) -> None:
    """What the generated strategy draws, with fields of a later version beside."""
    data = encode_tagged(LAYOUT, values)
    later = packed(dict(sorted((msgpack.unpackb(data, strict_map_key=False) | unknown).items())))
    record = decode_tagged(LAYOUT, later)
    assert record == tagged_from_json(LAYOUT, json.loads(json.dumps(tagged_to_json(LAYOUT, record))))
    assert ({tag: packed(each) for tag, each in unknown.items()}, later) == (dict(record.unknown), encode_tagged(LAYOUT, record))
    assert values == {name: [dict(each.values) for each in value] if name == "queues" else value for name, value in record.values.items()}


def test_every_prefix_and_flip() -> None:
    """Refused by an error of ours, or a record of just these bytes."""
    data = packed(PLAIN)
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            decode_tagged(LAYOUT, data[:end])
    for bit in range(8 * len(data)):
        turned = bytearray(data)
        turned[bit // 8] ^= 1 << bit % 8
        try:
            record = decode_tagged(LAYOUT, bytes(turned))
        except DecodeError:
            continue
        assert bytes(turned) == encode_tagged(LAYOUT, record)


@settings(max_examples=300, deadline=None)
@example(b"\xc1")
@example(b"\x81\x01\xd4\xff\x00")
@example(b"\x84" + packed({1: b"a", 4: [], 7: 0})[1:] + b"\x09\xc7\x0c\xff" + b"\xff" * 12)
@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    """Nothing but errors of ours, and what is accepted has one form."""
    try:
        record = decode_tagged(LAYOUT, data)
    except DecodeError:
        return
    assert data == encode_tagged(LAYOUT, record)


@pytest.mark.parametrize(
    ("plain", "path", "text"),
    [
        ([1], "settings", "the fields of settings; found array"),
        ({1: b"a", 7: 0}, "settings.queues", "missing"),
        (PLAIN | {2: 65536}, "settings.mtu", "0..65535"),
        (PLAIN | {2: True}, "settings.mtu", "expected int; found bool"),
        (PLAIN | {1: "eth0"}, "settings.name", "expected bin; found str"),
        (PLAIN | {1: b"12345678"}, "settings.name", "fewer than 8 bytes"),
        (PLAIN | {1: b"a\0b"}, "settings.name", "without NUL"),
        (PLAIN | {300: b"abc"}, "settings.key", "4 bytes"),
        (PLAIN | {4: [{2: 1}]}, "settings.queues.number", "missing"),
        (PLAIN | {4: {}}, "settings.queues", "expected array; found map"),
        (PLAIN | {0: 1}, "settings", "not the number of a field"),
        (PLAIN | {1 << 16: 1}, "settings", "not the number of a field"),
        (PLAIN | {"x": 1}, "settings", "not the number of a field"),
    ],
)
def test_what_is_wrong_is_named(plain: Any, path: str, text: str) -> None:
    """With the field's path."""
    with pytest.raises(DecodeError) as caught:
        decode_tagged(LAYOUT, packed(plain), source="a.bin")
    assert path == caught.value.path and text in str(caught.value) and "a.bin" in str(caught.value)


def test_one_form_only() -> None:
    """Keys out of order, a long form of a number, one key twice, bytes behind the end."""
    for data, text in (
        (packed(PLAIN | {2: 1, 60: 1, 55: 1}), "one form"),
        (packed(dict(reversed(list(PLAIN.items())))), "name: this field is missing"),
        (packed(PLAIN | {50: {"b": 1, "a": 1}}), "one form"),
        (packed(PLAIN | {50: [{1: 1, 2: 2}]}).replace(b"\x82\x01\x01\x02", b"\x82\x01\x01\x01"), "twice"),
        (packed(PLAIN).replace(b"\x07\x21", b"\x07\xcc\x21"), "one form"),
        (b"\x82\x01\xc4\x01a\x01\xc4\x01b", "twice"),
        (packed(PLAIN) + b"\0", "behind the record"),
    ):
        with pytest.raises(DecodeError, match=text):
            decode_tagged(LAYOUT, data)
    with pytest.raises(TruncatedError):
        decode_tagged(LAYOUT, packed(PLAIN)[:-1])


def test_limits() -> None:
    """At each, and one above: depth, bytes."""

    def nested(levels: int) -> bytes:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return packed(PLAIN | {50: value})

    assert decode_tagged(LAYOUT, nested(DEPTH_MAX - 1)).unknown
    with pytest.raises(LimitError, match="nested"):
        decode_tagged(LAYOUT, nested(DEPTH_MAX))
    with pytest.raises(LimitError, match="nested"):
        decode_tagged(LAYOUT, b"\x84" + packed({1: b"a", 4: [], 7: 0})[1:] + b"\x32" + b"\x91" * 5000 + b"\0")
    room = TAGGED_MAX - len(packed(PLAIN | {50: b""})) - 3
    full = packed(PLAIN | {50: bytes(room)})
    assert TAGGED_MAX == len(full) and decode_tagged(LAYOUT, full).unknown
    with pytest.raises(LimitError, match="too long"):
        decode_tagged(LAYOUT, full + b"\0")
    with pytest.raises(EncodeError, match="too long"):
        encode_tagged(LAYOUT, {"name": bytes(8), "flags": 0, "queues": [{"number": 40000}] * 300_000})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": b"short"}, "settings.name"), ({"name": b"x" * 8}, "settings.name"), ({"mtu": -1}, "settings.mtu"),
        ({"more": 1}, "settings"),
        ({"queues": [{"weight": 1}]}, r"settings.queues.number"), ({"queues": 5}, "settings.queues"), ({"pair": [1]}, "settings.pair"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(change: dict[str, Any], path: str) -> None:
    """With the field's path."""
    with pytest.raises(EncodeError) as caught:
        encode_tagged(LAYOUT, {"name": bytes(8), "flags": 0, "queues": []} | change)
    assert path == caught.value.path


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: schema("a" / U8), "has a tag"),
        (lambda: schema("a" / U8 * About(tag=1), "b" / U8 * About(tag=1)), "twice"),
        (lambda: schema("a" / Phys(Opaque()) * About(tag=1)), "no links"),
        (lambda: schema("a" / U8 * About(tag=1), encoding="packed"), "only fields of a tagged map"),
        (lambda: schema("a" / U8 * About(tag=0)), "a tag is"),
        (lambda: schema("a" / U8 * About(tag=1 << 16)), "a tag is"),
        (lambda: schema("a" / U8, encoding="cbor"), "unknown encoding"),
    ],
)
def test_schemas_that_are_refused(made: Any, text: str) -> None:
    """When they are loaded or lowered."""
    with pytest.raises(SchemaError, match=text):
        lower(made())


@pytest.mark.parametrize(
    ("shown", "path"),
    [
        ([], "settings"), ({"name": 5}, "settings.name"), ({"queues": [{"weight": "x"}]}, "settings.queues.weight"),
        ({"nothing": 1}, "settings.nothing"), ({"unknown": {"x": {"msgpack": "01"}}}, "settings.unknown"),
        ({"unknown": {"99": {"msgpack": "zz"}}}, "settings.unknown"), ({"unknown": {"99": 1}}, "settings.unknown"),
    ],
)  # fmt: skip
def test_json_that_is_none(shown: Any, path: str) -> None:
    """With the path."""
    with pytest.raises(EncodeError) as caught:
        tagged_from_json(LAYOUT, shown)
    assert path == caught.value.path


def test_the_verbs_take_them(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """decode and encode, of the example's settings: there and back, with a field that is not known."""
    drivers = str(Path(__file__).parents[2] / "examples" / "drivers")
    data = packed({1: b"eth0", 4: 1, 6: [{1: 7, 2: b"seven"}], 77: "later"})
    (tmp_path / "a.bin").write_bytes(data)
    words = ["--as", "example-network-settings-v1", "--schemas", drivers]
    assert 0 == main(["decode", *words, str(tmp_path / "a.bin")])
    shown = capfdbinary.readouterr().out
    vlans, unknown = [{"vlan": 7, "name": "seven"}], {"77": {"msgpack": "a56c61746572"}}
    assert {"name": "eth0", "features": ["CHECKSUM"], "vlans": vlans, "unknown": unknown} == json.loads(shown)
    (tmp_path / "a.json").write_bytes(shown)
    assert 0 == main(["encode", *words, "-o", str(tmp_path / "b.bin"), str(tmp_path / "a.json")])
    assert data == (tmp_path / "b.bin").read_bytes()
    assert 2 == main(["decode", *words, "--array", str(tmp_path / "a.json")])


def test_layouts_keep_tags() -> None:
    """Through the plain form; packed layouts are not tagged maps."""
    again = layout_from_plain(to_plain(LAYOUT))
    assert LAYOUT == again and [1, 2, 7, 300, 9, 4] == [field.tag for field in again.struct().fields]
    plain: Layout = lower(schema("a" / U8, encoding="packed"))
    with pytest.raises(UsageError, match="no tagged map"):
        encode_tagged(plain, {"a": 1})


def test_values_that_no_reader_may_use() -> None:
    """decode keeps them, validate refuses them with their rule and place; a struct inside is read alone as well."""
    data = packed(PLAIN | {7: 2})
    assert 2 == decode_tagged(LAYOUT, data)["flags"]
    with pytest.raises(DecodeError, match=r"settings.flags: breaks the rule 'flags'; expected what flags allows; found 2"):
        validate_tagged(LAYOUT, data)
    fault = first_fault_tagged(LAYOUT, data)
    assert fault is not None and ("flags", data.index(b"\x07\x02") + 1) == (fault.rule, fault.offset)
    assert validate_tagged(LAYOUT, packed(PLAIN)) == decode_tagged(LAYOUT, packed(PLAIN))
    assert -2 == decode_tagged(LAYOUT, packed({1: 4, 2: -2}), "queue")["weight"]
    assert packed({1: 4}) == encode_tagged(LAYOUT, {"number": 4}, "queue")
    with pytest.raises(UsageError, match="no struct nothing"):
        decode_tagged(LAYOUT, b"", "nothing")


@pytest.mark.parametrize("unknown", [{0: b"\x01"}, {1: b"\x01"}, {50: b""}, {50: b"\x01\x01"}, {50: b"\xcc\x01"}, {50: b"\x81\x90\x01"}])
def test_unknown_fields_that_cannot_be_written(unknown: dict[int, bytes]) -> None:
    """No tag, one that is known, bytes that are no value in its one form."""
    record = decode_tagged(LAYOUT, packed(PLAIN))
    with pytest.raises(EncodeError):
        encode_tagged(LAYOUT, Tagged(record.struct, record.values, unknown))
