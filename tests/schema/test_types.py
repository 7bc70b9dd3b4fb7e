# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The types of the schema language: each parses and builds by itself, in both byte orders and for each page size."""

from __future__ import annotations

from typing import Any

import construct
import pytest

from devstate.schema import (
    PAGE_SIZE,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    Array,
    Bits,
    BlockChain,
    Chars,
    Const,
    Enum,
    Flags,
    FlexArray,
    Handle,
    KernelPointer,
    MustBeZero,
    Opaque,
    Phys,
    Raw,
    Reserved,
    Struct,
    Token,
    U16be,
    U16le,
    U32be,
    U32le,
    U64be,
    U64le,
    Union,
    VmallocArray,
    this,
)

DESCRIPTOR = Struct("kho_vmalloc", "first" / U64, "total_pages" / U32, "flags" / U16, "order" / U16)


def roundtrip(kind: Any, value: Any, little: str, big: str | None = None, page_size: int = 4096) -> None:
    """``value`` is these bytes (hex) in both directions, on little endian and on big endian."""
    struct = Struct("s", "f" / kind, packed=True)
    for order, wire in (("little", little), ("big", little if big is None else big)):
        data = bytes.fromhex(wire)
        parsed = struct.parse(data, page_size=page_size, byte_order=order)
        assert value == parsed.f
        assert data == struct.build({"f": value}, page_size=page_size, byte_order=order)


@pytest.mark.parametrize(
    ("kind", "value", "little", "big"),
    [
        (U8, 0xFE, "fe", "fe"),
        (U16, 0x0102, "0201", "0102"),
        (U32, 0x01020304, "04030201", "01020304"),
        (U64, 0x0102030405060708, "0807060504030201", "0102030405060708"),
        (S8, -2, "fe", "fe"),
        (S16, -2, "feff", "fffe"),
        (S32, -2, "feffffff", "fffffffe"),
        (S64, -2, "feffffffffffffff", "fffffffffffffffe"),
        (U16le, 0x0102, "0201", "0201"),
        (U32le, 0x01020304, "04030201", "04030201"),
        (U64le, 1, "0100000000000000", "0100000000000000"),
        (U16be, 0x0102, "0102", "0102"),
        (U32be, 0x01020304, "01020304", "01020304"),
        (U64be, 1, "0000000000000001", "0000000000000001"),
    ],
)
def test_integers(kind: Any, value: int, little: str, big: str) -> None:
    """Native integers have the byte order of the environment, explicit ones their own."""
    roundtrip(kind, value, little, big)


@pytest.mark.parametrize(
    ("kind", "value", "wire"),
    [
        (Flags(U8, DIRTY=0), 0x81, "81"),
        (Enum(U8, INTEL=1), 9, "09"),
        (Const(U8, 1), 2, "02"),
        (MustBeZero(U8), 7, "07"),
        (Chars(4), b"ab\0x", "61620078"),
        (Raw(2), b"\xff\0", "ff00"),
        (Reserved(2), b"\1\2", "0102"),
        (Array(3, U8), [1, 2, 3], "010203"),
        (Array(0, U8), [], ""),
        (FlexArray(U8), [1, 2], "0102"),
        (Union(a=(None, U8), b=(None, Raw(3))), b"\1\2\3", "010203"),
    ],
)
def test_nothing_is_lost(kind: Any, value: Any, wire: str) -> None:
    """Unknown bits, unknown values, a version that is not the expected one, reserved bytes: kept as they are."""
    roundtrip(kind, value, wire)


@pytest.mark.parametrize("kind", [Phys(Opaque()), Phys(BlockChain(DESCRIPTOR)), KernelPointer(), Handle(by=this.f), Token("memfd-v2")])
def test_links_are_u64(kind: Any) -> None:
    """Every link is a native u64."""
    roundtrip(kind, 0x107E00000, "0000e00701000000", "0000000107e00000")


def test_vmalloc_is_its_descriptor() -> None:
    """A vmalloc array in a record is the 16 bytes of struct kho_vmalloc."""
    struct = Struct("s", "nr" / U64, "all" / VmallocArray(U64, this.nr, DESCRIPTOR))
    data = bytes(range(24))
    parsed = struct.parse(data, page_size=4096, byte_order="little")
    assert 0x17161514 == parsed.all.flags | parsed.all.order << 16
    assert data == struct.build(parsed, page_size=4096, byte_order="little")


@pytest.mark.parametrize(
    ("order", "wire", "values"),
    [("little", "2143", {"low": 1, "mid": 2, "high": 0x43}), ("big", "1243", {"low": 1, "mid": 2, "high": 0x43})],
)
def test_bit_fields(order: str, wire: str, values: dict[str, int]) -> None:
    """The first bit-field is at the least significant bits on little endian, at the most significant on big endian."""
    struct = Struct("s", "low" / Bits(U16, 4), "mid" / Bits(U16, 4), "high" / Bits(U16, 8))
    parsed = struct.parse(bytes.fromhex(wire), page_size=4096, byte_order=order)
    assert values == {name: parsed[name] for name in values}
    assert bytes.fromhex(wire) == struct.build(values, page_size=4096, byte_order=order)


@pytest.mark.parametrize(("low", "mid"), [(16, 0), (-1, 0), (0, 16)])
def test_bit_fields_out_of_range(low: int, mid: int) -> None:
    """A value that does not fit its bits is refused, never cut."""
    struct = Struct("s", "low" / Bits(U8, 4), "mid" / Bits(U8, 4))
    with pytest.raises(construct.ConstructError):
        struct.build({"low": low, "mid": mid}, page_size=4096, byte_order="little")


def test_alignment_and_gaps() -> None:
    """A struct that is not packed has C's gaps, as bytes with a name; a packed one has none."""
    fields = ("a" / U8, "b" / U32, "c" / U16)
    natural, packed = Struct("s", *fields), Struct("s", *fields, packed=True)
    assert (12, 7) == (natural.size_in(4096), packed.size_in(4096))
    data = bytes(range(12))
    parsed = natural.parse(data, page_size=4096, byte_order="little")
    assert {"a": 0, "_pad1": b"\1\2\3", "b": 0x07060504, "c": 0x0908, "_pad10": b"\x0a\x0b"} == {
        name: value for name, value in parsed.items() if name != "_io"
    }
    assert data == natural.build(parsed, page_size=4096, byte_order="little")


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
def test_page_size_expressions(page_size: int) -> None:
    """Sizes and counts are arithmetic over the page size of the environment."""
    struct = Struct("page", "next" / U64, "all" / Array((PAGE_SIZE - 16) // 8, U64), "tail" / Raw(PAGE_SIZE // 256 - PAGE_SIZE // 512))
    assert 8 + page_size - 16 + page_size // 512 == struct.size_in(page_size)


def test_counted_array() -> None:
    """The sibling counts; more than is there, less than nothing, and a wrong count on building are refused."""
    struct = Struct("s", "nr" / S8, "all" / FlexArray(U16, this.nr))
    environment = {"page_size": 4096, "byte_order": "little"}
    assert [1, 2] == list(struct.parse(b"\2\0" + b"\1\0\2\0\3\0", **environment).all)
    for data in (b"\2\0" + b"\1\0\2", b"\xff\0" + b"\1\0\2"):
        with pytest.raises(construct.ConstructError):
            struct.parse(data, **environment)
    with pytest.raises(construct.ConstructError):
        struct.build({"nr": 1, "all": [1, 2]}, **environment)


def test_area_counted_array() -> None:
    """Without a sibling the area is filled by whole elements, or refused."""
    struct = Struct("s", "all" / FlexArray(U16))
    environment = {"page_size": 4096, "byte_order": "little"}
    assert [1, 2] == list(struct.parse(b"\1\0\2\0", **environment).all)
    with pytest.raises(construct.ConstructError):
        struct.parse(b"\1\0\2", **environment)


def test_flexible_structs() -> None:
    """sizeof counts a flexible array as nothing, tail padding included; the struct itself has no fixed size."""
    inner = Struct("inner", "nr" / U32, "small" / U8, "all" / FlexArray(U8, this.nr))
    outer = Struct("outer", "x" / U64, "tail" / inner)
    assert (None, 8, True) == (inner.size_in(4096), inner.fixed_size(4096), inner.flexible)
    assert (None, 16, True) == (outer.size_in(4096), outer.fixed_size(4096), outer.flexible)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(U8, 256), (U8, -1), (S8, 128), (U8, "1"), (U8, None), (Raw(2), b"abc"), (Raw(2), "ab"), (Chars(2), b"a"), (Array(2, U8), [1])],
)
def test_building_refuses(kind: Any, value: Any) -> None:
    """The reference encoder refuses what does not fit."""
    with pytest.raises(construct.ConstructError):
        Struct("s", "f" / kind).build({"f": value}, page_size=4096, byte_order="little")
