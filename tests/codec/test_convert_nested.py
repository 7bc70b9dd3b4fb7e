# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Converters in structs at any depth, and in tagged maps: what is carried, kept, absent, computed, and lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstate.__main__ import main
from devstate.codec.convert import Converted, convert_record, values_of
from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.tagged import Tagged, decode_tagged, encode_tagged
from devstate.errors import EncodeError, SchemaError
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.testing.proof import strategies
from devstate.testing.proof_tagged import packed, records

SCHEMA = """
from devstate.schema import *


def schema(name, root, encoding="packed", **more):
    more |= {"doc": "d", "source": "s", "status": "project", "found_by": "f", "carrier": "string"}
    return Schema(compatible=name, root=root, encoding=encoding, **more)


def deep(ring, name):
    group = Struct("group", "id" / U8, name / Array(2, Array(2, ring)), packed=True)
    return Struct("deep", "first" / ring, "groups" / FlexArray(group), packed=True)


ring1 = Struct("ring", "ms" / U32, "kind" / U8, packed=True)
ring2 = Struct("ring2", "us" / U64, "kind" / U8, "weight" / U8, packed=True)


def control(*fields, queue, rows):
    body = Struct("queue", "number" / U16 * About(tag=1), *queue, packed=True)
    return Struct("control", *fields, rows / FlexArray(body) * About(tag=9), packed=True)


one = control(
    "name" / Chars(8) * About(tag=1),
    "mtu" / U16 * About(tag=2, optional=True, default=1500),
    "seconds" / U16 * About(tag=3),
    "old" / U8 * About(tag=4, optional=True),
    queue=("weight" / U8 * About(tag=2, optional=True, default=1),),
    rows="queues",
)
two = control(
    "title" / Chars(16) * About(tag=1),
    "mtu" / U32 * About(tag=2, optional=True, default=9000),
    "ms" / U32 * About(tag=5),
    "speed" / U32 * About(tag=6, optional=True, default=10),
    "secret" / U32 * About(tag=7, optional=True, default=0),
    queue=("share" / U8 * About(tag=3), "color" / U8 * About(tag=4, optional=True)),
    rows="lanes",
)
SCHEMAS = [
    schema("deep-v1", deep(ring1, "rings")),
    schema("deep-v2", deep(ring2, "rows"), replaces="deep-v1"),
    schema("control-v1", one, "tagged"),
    schema("control-v2", two, "tagged", replaces="control-v1"),
    schema("flat-v1", Struct("flat", "name" / Chars(8), "mtu" / U16, packed=True)),
    schema("flat-v2", Struct("flat", "name" / Chars(8) * About(tag=1), "mtu" / U16 * About(tag=2, optional=True), packed=True),
           "tagged", replaces="flat-v1"),
]
CONVERTERS = [
    Converter(
        "deep-v1", "deep-v2",
        up={"group.rows": this.rings, "ring2.us": this.ms * 1000, "ring2.weight": 1},
        down={"group.rings": this.rows, "ring.ms": this.us // 1000},
        loses=("ring2.us", "ring2.weight"),
    ),
    Converter(
        "control-v1", "control-v2",
        up={"ms": this.seconds * 1000, "queue.share": this.weight},
        down={"seconds": this.ms // 1000, "queue.weight": this.share},
        loses=("ms", "secret"),
    ),
    Converter("flat-v1", "flat-v2"),
]
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file above."""
    made = tmp_path_factory.mktemp("nested") / "schemas.py"
    made.write_text(SCHEMA)
    return made


@pytest.fixture(scope="module")
def registry(path: Path) -> Registry:
    """Its formats and converters."""
    found = Registry()
    add_user_schemas(found, str(path))
    return found


def tagged(registry: Registry, name: str, plain: dict[int, Any]) -> Tagged:
    """The record of a map."""
    return decode_tagged(registry.layout(name, Environment()), packed(plain))


def moved(registry: Registry, source: str, target: str, record: Any) -> Converted:
    """The record in another form."""
    return convert_record(registry, source, target, record, Environment())


QUIET = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def test_structs_in_arrays_of_arrays(registry: Registry) -> None:
    """A converter of a struct is used wherever that struct stands, under fields of other names too; losses have their place."""
    old, new = (registry.layout(f"deep-v{version}", Environment()) for version in (1, 2))

    @QUIET
    @given(strategies(old)["deep"])
    def up(values: dict[str, Any]) -> None:
        record = decode(old, encode(old, values), exact=True)
        raised = moved(registry, "deep-v1", "deep-v2", record)
        was, now = values_of(record), values_of(raised.record)
        assert now["first"]["us"] == was["first"]["ms"] * 1000
        assert [[[each["us"] // 1000 for each in row] for row in group["rows"]] for group in now["groups"]] == [
            [[each["ms"] for each in row] for row in group["rings"]] for group in was["groups"]
        ]
        lowered = moved(registry, "deep-v2", "deep-v1", raised.record)
        assert (record, ()) == (lowered.record, lowered.losses)

    up()
    ring = {"us": 1000, "kind": 1, "weight": 1}
    rows = [[ring, ring], [ring, ring | {"us": 1001, "weight": 3}]]
    record = decode(new, encode(new, {"first": ring, "groups": [{"id": 1, "rows": rows}]}), exact=True)
    lost = [(loss.path, loss.field, loss.value) for _, loss in moved(registry, "deep-v2", "deep-v1", record).losses]
    assert [("groups[0].rows[1][1].us", "ring2.us", 1001), ("groups[0].rows[1][1].weight", "ring2.weight", 3)] == lost


def test_tagged_up(registry: Registry) -> None:
    """Same tag, other name: carried. Absent stays what it meant. Computed, renamed by a converter, in structs inside as well."""
    record = tagged(registry, "control-v1", {1: b"eth0", 3: 2, 4: 9, 9: [{1: 3, 2: 7}, {1: 4}], 50: "kept"})
    raised = moved(registry, "control-v1", "control-v2", record)
    assert raised.data == packed({1: b"eth0", 2: 1500, 4: 9, 5: 2000, 9: [{1: 3, 3: 7}, {1: 4, 3: 1}], 50: "kept"})
    back = moved(registry, "control-v2", "control-v1", raised.record)
    assert () == back.losses
    assert back.data == packed({1: b"eth0", 2: 1500, 3: 2, 4: 9, 9: [{1: 3, 2: 7}, {1: 4, 2: 1}], 50: "kept"})


def test_tagged_down_keeps_what_the_old_does_not_know(registry: Registry) -> None:
    """As an old reader would; unless the converter makes something of it, or loses it, which is told."""
    plain = {1: b"eth0", 5: 2001, 6: 40, 7: 5, 9: [{1: 3, 3: 7, 4: 2, 99: 1}]}
    lowered = moved(registry, "control-v2", "control-v1", tagged(registry, "control-v2", plain))
    assert lowered.data == packed({1: b"eth0", 2: 9000, 3: 2, 6: 40, 9: [{1: 3, 2: 7, 4: 2, 99: 1}]})
    assert [("ms", 2001), ("secret", 5)] == [(loss.path, loss.value) for _, loss in lowered.losses]
    again = moved(registry, "control-v1", "control-v2", lowered.record)
    assert again.data == packed({1: b"eth0", 2: 9000, 5: 2000, 6: 40, 9: [{1: 3, 3: 7, 4: 2, 99: 1}]})


def test_tagged_laws(registry: Registry) -> None:
    """down(up(x)) == x but for what absence meant, and a second way up gives the same as the first."""
    old = registry.layout("control-v1", Environment())

    @QUIET
    @given(records(old, old.struct(), strategies(old)["control"]))
    def holds(record: Tagged) -> None:
        strange = [tags for each in (record, *record.values["queues"]) for tags in each.unknown]
        if any(tag in (2, 3, 4, 5, 6, 7) for tag in strange):
            return  # a field of v2, with a value that may be none of v2's
        try:
            raised = moved(registry, "control-v1", "control-v2", record)
        except EncodeError:
            return
        lowered = moved(registry, "control-v2", "control-v1", raised.record)
        assert () == lowered.losses and isinstance(lowered.record, Tagged)
        assert record.unknown == lowered.record.unknown
        names = ("name", "mtu", "seconds", "old")
        assert [record[name] for name in names] == [lowered.record[name] for name in names]
        assert raised.data == moved(registry, "control-v1", "control-v2", lowered.record).data

    holds()


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ({1: b"eth0", 2: 70000, 5: 0, 9: []}, "mtu: the value does not fit into control-v1"),
        ({1: b"longer than 7", 5: 0, 9: []}, "name: the bytes do not fit"),
    ],
)
def test_what_cannot_be_carried(registry: Registry, plain: dict[int, Any], text: str) -> None:
    """Refused with the field, never cut."""
    with pytest.raises(EncodeError, match=text):
        moved(registry, "control-v2", "control-v1", tagged(registry, "control-v2", plain))


def test_a_kept_field_that_is_none(registry: Registry) -> None:
    """An unknown field of v1 that v2 knows as something else is refused, not guessed at."""
    with pytest.raises(EncodeError, match="speed: a field that control-v2 knows has another value there"):
        moved(registry, "control-v1", "control-v2", tagged(registry, "control-v1", {1: b"a", 3: 0, 6: "fast", 9: []}))


def test_from_packed_to_tagged_and_back(registry: Registry) -> None:
    """The encoding may change between versions; what is absent has no packed form."""
    flat, layout = registry.layout("flat-v1", Environment()), registry.layout("flat-v2", Environment())
    record = decode(flat, encode(flat, {"name": b"eth0\0\0\0\0", "mtu": 9}), exact=True)
    raised = moved(registry, "flat-v1", "flat-v2", record)
    assert raised.data == packed({1: b"eth0", 2: 9}) and record == moved(registry, "flat-v2", "flat-v1", raised.record).record
    with pytest.raises(EncodeError, match="mtu: flat-v2 has no value"):
        moved(registry, "flat-v2", "flat-v1", decode_tagged(layout, packed({1: b"eth0"})))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('up={"ms": this.seconds * 1000, "queue.share": this.weight},', "up={},", "has no ms: say what it is to be"),
        ('"queue.share": this.weight', '"queue.share": this.nothing', "has no this.nothing"),
        ('loses=("ms", "secret")', 'loses=("ms", "nothing")', "loses 'nothing'"),
        ('"group.rows": this.rings, ', "", "has no rows: say what it is to be"),
    ],
)
def test_what_is_no_converter(tmp_path: Path, old: str, new: str, text: str) -> None:
    """Called when the schemas are loaded."""
    assert 1 == SCHEMA.count(old)
    (tmp_path / "bad.py").write_text(SCHEMA.replace(old, new))
    with pytest.raises(SchemaError, match=text):
        add_user_schemas(Registry(), str(tmp_path / "bad.py"))


def test_the_verb(path: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """JSON and bytes; losses are refused, and told."""
    data = packed({1: b"eth0", 5: 2001, 6: 40, 9: [{1: 3, 3: 7}]})
    (tmp_path / "a.bin").write_bytes(data)
    words = ["--schemas", str(path), "--to", "control-v1"]
    assert 1 == main(["convert", "--as", "control-v2", str(tmp_path / "a.bin"), *words])
    assert b"lost: ms 2001: control-v1 does not keep it" in capfdbinary.readouterr().err
    assert 0 == main(["convert", "--as", "control-v2", str(tmp_path / "a.bin"), *words, "--allow-loss", "-o", str(tmp_path / "b.bin")])
    assert packed({1: b"eth0", 2: 9000, 3: 2, 6: 40, 9: [{1: 3, 2: 7}]}) == (tmp_path / "b.bin").read_bytes()
    capfdbinary.readouterr()
    assert 0 == main(["decode", "--as", "control-v2", "--schemas", str(path), str(tmp_path / "a.bin")])
    (tmp_path / "a.json").write_bytes(capfdbinary.readouterr().out)
    assert 0 == main(["convert", str(tmp_path / "a.json"), *words, "--allow-loss"])
    shown = json.loads(capfdbinary.readouterr().out)
    kept = {"6": {"msgpack": "28"}}
    assert {"name": "eth0", "mtu": 9000, "seconds": 2, "queues": [{"number": 3, "weight": 7}], "unknown": kept} == shown


@given(st.data())
@settings(max_examples=20, deadline=None, database=None)
def test_encode_takes_what_decode_gives(registry: Registry, data: st.DataObject) -> None:
    """Records with unknown fields, through their values."""
    from devstate.codec.tagged_values import tagged_record, tagged_values

    layout = registry.layout("control-v2", Environment())
    record = data.draw(records(layout, layout.struct(), strategies(layout)["control"]))
    again = tagged_record(layout, layout.struct(), tagged_values(record))
    assert record == again and encode_tagged(layout, record) == encode_tagged(layout, again)
