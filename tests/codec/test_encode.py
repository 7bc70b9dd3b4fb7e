# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""encode: what it takes, and what it refuses with the path of the field."""

from __future__ import annotations

import struct
from typing import Any

import pytest

import devstate.codec.encode as encode_module
from devstate.codec.decode import decode
from devstate.codec.encode import encode, encode_array
from devstate.errors import EncodeError, UsageError
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.schema import S8, S16, U8, U16, U32, U64, Array, Bits, Chars, FlexArray, Raw, Reserved, Struct, U32be, this

from .test_decode import layout_of, luo

ROOT = Struct(
    "root",
    "a" / U8,
    "b" / U32,
    "s" / S8,
    "rest" / Reserved(3),
    "text" / Chars(4),
    "low" / Bits(U16, 4),
    "high" / Bits(U16, 12),
    "rows" / Array(2, Struct("row", "x" / U8, "y" / U8)),
    "nr" / U32,
    "all" / FlexArray(U16, this.nr),
)
GOOD: dict[str, Any] = {
    "a": 1, "b": 2, "s": -1, "text": b"abc\0", "low": 3, "high": 4, "rows": [{"x": 5, "y": 6}, {"x": 7, "y": 8}], "nr": 2, "all": [9, 10],
}  # fmt: skip
WIRE = b"".join(
    (
        b"\x01",  # a
        b"\0\0\0",  # gap
        b"\x02\0\0\0",  # b
        b"\xff",  # s
        b"\0\0\0",  # rest
        b"abc\0",  # text
        b"\x43\0",  # low, high
        b"\x05\x06\x07\x08",  # rows
        b"\0\0",  # gap
        b"\x02\0\0\0",  # nr
        b"\x09\0\x0a\0",  # all
    )
)


def test_mapping() -> None:
    """A mapping of names to values; gaps and reserved bytes that it leaves out are zeros."""
    layout = layout_of(ROOT)
    assert WIRE == encode(layout, GOOD)
    assert WIRE == encode(layout, decode(layout, WIRE))
    assert WIRE.replace(b"\xff\0\0\0", b"\xffxyz") == encode(layout, GOOD | {"rest": b"xyz"})
    assert b"\x01\x11\x12\x13" == encode(layout, GOOD | {"_pad1": b"\x11\x12\x13"})[:4]


def test_changed_record() -> None:
    """A record's fields with one changed are a mapping that encodes."""
    layout = luo()
    record = decode(layout, bytes(64), "luo_file_ser")
    assert 7 == decode(layout, encode(layout, dict(record.fields()) | {"token": 7}, "luo_file_ser"), "luo_file_ser").token


@pytest.mark.parametrize(
    ("changes", "path", "expected", "found"),
    [
        ({"a": 256}, "root.a", "0..255", 256),
        ({"a": -1}, "root.a", "0..255", -1),
        ({"a": "1"}, "root.a", "0..255", "str"),
        ({"a": True}, "root.a", "0..255", "bool"),
        ({"a": None}, "root.a", "0..255", "NoneType"),
        ({"a": 1.0}, "root.a", "0..255", "float"),
        ({"b": 1 << 32}, "root.b", "0..4294967295", 1 << 32),
        ({"b": 1 << 5000}, "root.b", "0..4294967295", "a number of 5001 bits"),
        ({"s": 128}, "root.s", "-128..127", 128),
        ({"s": -129}, "root.s", "-128..127", -129),
        ({"text": b"abc"}, "root.text", "4 bytes", "3 bytes"),
        ({"text": b"abcde"}, "root.text", "4 bytes", "5 bytes"),
        ({"text": "abc\0"}, "root.text", "4 bytes", "str"),
        ({"rest": b"xy"}, "root.rest", "3 bytes", "2 bytes"),
        ({"_pad1": b"xy"}, "root._pad1", "3 bytes", "2 bytes"),
        ({"low": 16}, "root.low", "0..15", 16),
        ({"high": 4096}, "root.high", "0..4095", 4096),
        ({"high": -1}, "root.high", "0..4095", -1),
        ({"rows": [{"x": 5, "y": 6}]}, "root.rows", 2, 1),
        ({"rows": 7}, "root.rows", "2 elements", "int"),
        ({"rows": [{"x": 5, "y": 6}, 3]}, "root.rows[1]", "the fields of row", "int"),
        ({"rows": [{"x": 5, "y": 6}, {"x": 5, "y": 300}]}, "root.rows[1].y", "0..255", 300),
        ({"rows": [{"x": 5}, {"x": 5, "y": 3}]}, "root.rows[0].y", None, None),
        ({"rows": [{"x": 5, "y": 6, "z": 7}, {"x": 5, "y": 3}]}, "root.rows[0]", "fields of row", "z"),
        ({"nr": 3}, "root.all", 3, 2),
        ({"all": [1, 65536]}, "root.all[1]", "0..65535", 65536),
        ({"all": None}, "root.all", "2 elements", "NoneType"),
        ({"odd": 1}, "root", "fields of root", "odd"),
    ],
)
def test_refused(changes: dict[str, Any], path: str, expected: object, found: object) -> None:
    """Each wrong value is refused with the path of its field, what was expected and what was found."""
    with pytest.raises(EncodeError) as caught:
        encode(layout_of(ROOT), GOOD | changes)
    assert (path, expected, found) == (caught.value.path, caught.value.expected, caught.value.found)


@pytest.mark.parametrize("name", list(GOOD))
def test_missing(name: str) -> None:
    """A field without a value is refused, unless it is a gap or reserved."""
    with pytest.raises(EncodeError, match="missing") as caught:
        encode(layout_of(ROOT), {key: value for key, value in GOOD.items() if key != name})
    assert f"root.{name}" == caught.value.path


@pytest.mark.parametrize("value", [None, 5, b"bytes", [1, 2], "text", ()])
def test_not_a_record(value: Any) -> None:
    """Anything but a record or a mapping is refused."""
    with pytest.raises(EncodeError):
        encode(layout_of(ROOT), value)


def test_other_struct() -> None:
    """A record of another struct is refused by its names; one of the same struct in another layout is fine."""
    file = decode(luo(), bytes(64), "luo_file_ser")
    older = Registry.shipped().layout("luo-v4", Environment())
    assert bytes(64) == encode(older, file, "luo_file_ser")
    for other in ("luo_session_ser", "luo_flb_ser"):  # of another length, of the same
        with pytest.raises(EncodeError):
            encode(luo(), file, other)
    with pytest.raises(EncodeError):
        encode(luo(), type(file)((b"", 1)), "luo_file_ser")
    with pytest.raises(UsageError):
        encode(luo(), file, "nope")


def test_numbers_like_ints() -> None:
    """Subclasses of int and numpy integers are numbers, in either byte order."""
    numpy = pytest.importorskip("numpy")
    layout = layout_of(Struct("s", "a" / U32be, "b" / U64))
    assert struct.pack(">I", 5) + bytes(4) + struct.pack("<Q", 6) == encode(layout, {"a": numpy.uint8(5), "b": numpy.uint64(6)})


def test_other_order_out_of_range() -> None:
    """Explicit byte orders have the same range checks."""
    with pytest.raises(EncodeError):
        encode(layout_of(Struct("s", "a" / U32be)), {"a": 1 << 32})


def test_elements_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decode would refuse is not written: the limit is fine, one more is not."""
    monkeypatch.setattr(encode_module, "ELEMENTS_MAX", 3)
    layout = layout_of(Struct("s", "all" / FlexArray(S16)))
    assert 6 == len(encode(layout, {"all": (1, 2, 3)}))
    with pytest.raises(EncodeError):
        encode(layout, {"all": (1, 2, 3, 4)})


def test_nested_flexible() -> None:
    """A flexible struct as the last field, and structs as flexible elements, come back."""
    inner = Struct("inner", "nr" / U8, "all" / FlexArray(Struct("each", "a" / U16, "raw" / Raw(2)), this.nr))
    layout = layout_of(Struct("outer", "x" / U16, "tail" / inner))
    data = bytes.fromhex("0100") + bytes.fromhex("02ee") + bytes.fromhex("0300aabb") + bytes.fromhex("0400ccdd")
    assert data == encode(layout, decode(layout, data, exact=True))
    with pytest.raises(EncodeError) as caught:
        encode(layout, {"x": 1, "tail": {"nr": 1, "all": [{"a": 1, "raw": b"abc"}]}})
    assert "outer.tail.all[0].raw" == caught.value.path


def test_array() -> None:
    """Several records, one behind the other; an error says which one."""
    layout = luo()
    data = bytes(range(128))
    records = [decode(layout, data, "luo_file_ser", offset=at) for at in (0, 64)]
    assert data == encode_array(layout, "luo_file_ser", records)
    with pytest.raises(EncodeError) as caught:
        encode_array(layout, "luo_file_ser", [records[0], {}])
    assert "luo_file_ser[1].compatible" == caught.value.path
