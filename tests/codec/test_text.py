# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The JSON form: what each kind of field looks like, what is accepted back, what is refused. That nothing is lost is in test_records."""

from __future__ import annotations

from typing import Any

import pytest

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.text import from_json, to_json
from devstate.errors import EncodeError
from devstate.layout.model import Layout
from devstate.schema import (
    S32,
    U8,
    U16,
    U32,
    U64,
    About,
    Array,
    Chars,
    Enum,
    Flags,
    Opaque,
    Phys,
    Raw,
    Reserved,
    Struct,
    Token,
    Union,
    this,
)

from .test_decode import SESSION, layout_of, luo


def one(kind: Any, about: About | None = None) -> Layout:
    """A layout with one field ``f``."""
    return layout_of(Struct("s", "f" / kind * (about or About())))


FLAGS = Flags(U8, SEAL=0, WRITE=3)
SHOWN = [
    (U64, (1 << 64) - 1, (1 << 64) - 1),
    (S32, -5, -5),
    (Phys(Opaque()), 0x107E00000, "0x107e00000"),
    (Phys(Opaque()), 0, "0x0"),
    (Token("memfd-v2"), 7, 7),
    (FLAGS, 0, []),
    (FLAGS, 9, ["SEAL", "WRITE"]),
    (FLAGS, 0x8B, ["SEAL", "WRITE", "0x82"]),
    (Flags(S32, A=31), -1, -1),
    (Enum(U8, INTEL=1, AMD=2), 2, "AMD"),
    (Enum(U8, INTEL=1, AMD=2), 3, 3),
    (Chars(4), b"abc\0", "abc"),
    (Chars(4), b"\0\0\0\0", ""),
    (Chars(8), "é".encode() + bytes(6), "é"),
    (Chars(4), b"abcd", {"hex": "61626364"}),
    (Chars(4), b"a\0b\0", {"hex": "61006200"}),
    (Chars(4), b"a\n\0\0", {"hex": "610a0000"}),
    (Chars(4), b"\xff\0\0\0", {"hex": "ff000000"}),
    (Raw(2), b"ab", {"hex": "6162"}),
    (Reserved(2), b"ab", {"hex": "6162"}),
    (Array(2, U16), (1, 2), [1, 2]),
    (Array(2, Chars(2)), (b"a\0", b"bc"), ["a", {"hex": "6263"}]),
]


@pytest.mark.parametrize(("kind", "value", "shown"), SHOWN)
def test_shown(kind: Any, value: Any, shown: Any) -> None:
    """Each kind of field, as its JSON value and back."""
    layout = one(kind)
    record = decode(layout, encode(layout, {"f": value}))
    assert {"f": shown} == to_json(layout, record)
    assert record == from_json(layout, {"f": shown})


@pytest.mark.parametrize(
    ("hint", "value", "shown"),
    [("hex", 255, "0xff"), ("pa", 4096, "0x1000"), ("bdf", 0x3AFF, "3a:1f.7"), ("bdf", 0x10000, 0x10000), ("bytes", 5, 5), ("pfn", 5, 5)],
)
def test_hints(hint: str, value: int, shown: Any) -> None:
    """The display hint of a field decides, for arrays element by element."""
    layout = one(U32, About(hint=hint))
    assert {"f": shown} == to_json(layout, decode(layout, value.to_bytes(4, "little")))
    assert value == from_json(layout, {"f": shown}).f
    array = one(Array(2, U32), About(hint=hint))
    assert {"f": [shown, shown]} == to_json(array, decode(array, value.to_bytes(4, "little") * 2))
    assert (value, value) == from_json(array, {"f": [shown, shown]}).f


@pytest.mark.parametrize(
    ("kind", "shown", "value"),
    [
        (U8, "0x10", 16),
        (U8, "16", 16),
        (Phys(Opaque()), 4096, 4096),
        (FLAGS, 9, 9),
        (FLAGS, "0x9", 9),
        (FLAGS, ["0x1", "0x2"], 3),
        (Enum(U8, INTEL=1), "0x1", 1),
        (Enum(U8, INTEL=1), 1, 1),
        (Chars(4), {"hex": "61 62 63 00"}, b"abc\0"),
    ],
)
def test_also_accepted(kind: Any, shown: Any, value: Any) -> None:
    """Other spellings of the same value."""
    assert value == from_json(one(kind), {"f": shown}).f


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (U8, 256),
        (U8, "256"),
        (U8, "ten"),
        (U8, "9" * 5000),
        (U8, 1.0),
        (U8, True),
        (U8, None),
        (U8, [1]),
        (U8, {}),
        (FLAGS, ["SEEL"]),
        (FLAGS, [1]),
        (FLAGS, [None]),
        (FLAGS, ["0x100"]),
        (FLAGS, [10**5000]),
        (FLAGS, {"SEAL": 1}),
        (Enum(U8, INTEL=1), "AMD"),
        (Chars(4), "abcd"),
        (Chars(4), "a\0"),
        (Chars(4), "\ud800"),
        (Chars(4), 5),
        (Chars(4), {"hex": "61"}),
        (Chars(4), {"hex": "6x626300"}),
        (Chars(4), {"hex": 5}),
        (Chars(4), {"hex": None}),
        (Chars(4), {"hex": "61626300", "more": 1}),
        (Chars(4), {}),
        (Raw(2), "ab"),
        (Array(2, U8), [1]),
        (Array(2, U8), [1, 2, 3]),
        (Array(2, U8), "ab"),
        (Array(2, U8), {"0": 1}),
        (Struct("inner", "a" / U8), [1]),
        (Struct("inner", "a" / U8), {}),
        (Struct("inner", "a" / U8), {"a": 1, "b": 2}),
        (Union(a=(None, U8)), {"arm": "b", "value": 1}),
        (Union(a=(None, U8)), {"arm": "a", "value": 256}),
        (Union(a=(None, U8)), {"arm": ["a"], "value": 1}),
        (Union(a=(None, U8)), {"arm": "a"}),
        (Union(a=(None, U8)), "a"),
    ],
)
def test_refused(kind: Any, shown: Any) -> None:
    """Anything else is an error with the path of the field."""
    with pytest.raises(EncodeError) as caught:
        from_json(one(kind), {"f": shown})
    assert caught.value.path is not None and caught.value.path.startswith("s.f")
    assert str(caught.value)


@pytest.mark.parametrize("shown", ["3a:20.0", "3a:00.8", "100:00.0", "3a:", ":", "3a:00", "x:y.z", "-1:00.0", "3a:00.0.0"])
def test_no_pci_address(shown: str) -> None:
    """A PCI address with a part that is missing or too large is refused."""
    with pytest.raises(EncodeError):
        from_json(one(U16, About(hint="bdf")), {"f": shown})


@pytest.mark.parametrize("shown", [None, [], "x", 5])
def test_not_an_object(shown: Any) -> None:
    """A record is a JSON object."""
    with pytest.raises(EncodeError):
        from_json(one(U8), shown)


def test_paths() -> None:
    """The path leads through arrays and structs to the wrong value."""
    layout = layout_of(Struct("s", "rows" / Array(2, Struct("row", "names" / Array(2, Chars(4))))))
    with pytest.raises(EncodeError) as caught:
        from_json(layout, {"rows": [{"names": ["a", "b"]}, {"names": ["c", "toolong"]}]})
    assert "s.rows[1].names[1]" == caught.value.path


def test_zero_padding_is_left_out() -> None:
    """Gaps and reserved bytes show only when they hold something; a must-be-zero integer always does."""
    layout = layout_of(Struct("s", "a" / U8, "b" / U16, "rest" / Reserved(2)))
    assert {"a": 1, "b": 2} == to_json(layout, decode(layout, b"\1\0\2\0\0\0"))
    shown = to_json(layout, decode(layout, b"\1\7\2\0\0\1"))
    assert {"a": 1, "_pad1": {"hex": "07"}, "b": 2, "rest": {"hex": "0001"}} == shown
    assert b"\1\7\2\0\0\1" == encode(layout, from_json(layout, shown))


def test_session() -> None:
    """A real struct: nested, with a name and an address."""
    record = decode(luo(), SESSION, "luo_session_ser")
    assert {"name": "vm-7", "file_set_ser": {"files": "0x107e00000", "count": 3}} == to_json(luo(), record)


def test_union() -> None:
    """The live arm is shown where it says all that the bytes say; otherwise the bytes."""
    inner = Struct("inner", "a" / U8, "b" / Array(2, U8))
    layout = layout_of(Struct("s", "type" / U32, "u" / Union(tag=this.type, small=(1, U16), big=(2, inner))))
    for data, shown in (
        (b"\1\0\0\0\x05\0\0\0", {"type": 1, "u": {"arm": "small", "value": 5}}),
        (b"\2\0\0\0\x05\6\7\0", {"type": 2, "u": {"arm": "big", "value": {"a": 5, "b": [6, 7]}}}),
        (b"\1\0\0\0\x05\0\1\0", {"type": 1, "u": {"hex": "05000100"}}),
        (b"\3\0\0\0\x05\0\0\0", {"type": 3, "u": {"hex": "05000000"}}),
    ):
        assert shown == to_json(layout, decode(layout, data))
        assert data == encode(layout, from_json(layout, shown))
