# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""decode, decode_array, decode_at, arm: values, places in errors, limits. Wire bytes stand beside the names of their fields."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import devstate.codec.decode as decode_module
import devstate.schema.aggregates as aggregates
from devstate.codec.decode import CHUNK, ELEMENTS_MAX, arm, decode, decode_array, decode_at
from devstate.codec.encode import encode
from devstate.codec.plan import plan_of
from devstate.codec.record import Record
from devstate.errors import DecodeError, LimitError, NotInMemoryError, SchemaError, TruncatedError, UsageError
from devstate.frozen import replace
from devstate.layout.lower import lower
from devstate.layout.model import Environment, Layout, StructLayout
from devstate.layout.registry import Registry
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.schema import S16, U8, U16, U32, U64, Array, Bits, Chars, FlexArray, Raw, Schema, Struct, U32be, Union, this

SESSION = b"".join(
    (
        b"vm-7".ljust(64, b"\0"),  # name
        struct.pack("<Q", 0x107E00000),  # file_set_ser.files
        struct.pack("<Q", 3),  # file_set_ser.count
    )
)


def layout_of(root: Struct, page_size: int = 4096, order: str = "little") -> Layout:
    """The layout of a struct declared on the spot."""
    return lower(Schema(name="test", doc="d", source="s", status="project", root=root), Environment(page_size, order))  # type: ignore[arg-type]


def luo(order: str = "little") -> Layout:
    """The shipped luo-v5."""
    return Registry.shipped().layout("luo-v5", Environment(4096, order))  # type: ignore[arg-type]


def test_fields_by_name() -> None:
    """A field called count or index is the field, not the method of tuple; an embedded struct is a record."""
    session = decode(luo(), SESSION, "luo_session_ser")
    assert b"vm-7".ljust(64, b"\0") == session.name
    assert 0x107E00000 == session.file_set_ser.files
    assert 3 == session.file_set_ser.count
    assert "luo_file_set_ser" == session.file_set_ser.layout.name
    assert ["name", "file_set_ser"] == [name for name, _ in session.fields()]


def test_names_that_hide_attributes() -> None:
    """Fields named like an attribute of Record win on access, and nothing inside the codec stumbles over them."""
    names = ("layout", "fields", "index", "count", "keys")
    layout = layout_of(Struct("odd", *(name / U8 for name in names)))
    record = decode(layout, bytes(range(5)))
    assert [0, 1, 2, 3, 4] == [getattr(record, name) for name in names]
    assert bytes(range(5)) == encode(layout, record)
    assert "odd(layout=0, fields=1, index=2, count=3, keys=4)" == repr(record)


def test_records_are_immutable_and_travel() -> None:
    """A record cannot be changed, compares by value and survives pickle (process pools)."""
    record = decode(luo(), SESSION, "luo_session_ser")
    with pytest.raises(AttributeError):
        record.name = b""
    again = pickle.loads(pickle.dumps(record))
    assert record == again and again.file_set_ser.count == 3


def test_one_class_for_a_struct() -> None:
    """Records of one layout's struct share their class, embedded or not."""
    layout = luo()
    session = decode(layout, SESSION, "luo_session_ser")
    assert type(session) is type(decode(layout, SESSION, "luo_session_ser"))
    assert type(session.file_set_ser) is type(decode(layout, SESSION[64:], "luo_file_set_ser"))


@pytest.mark.parametrize(
    ("order", "data", "expected"),
    [
        ("little", bytes([0x21, 0x43, 0x65, 0x87]), {"a": 1, "b": 0x432, "c": 0x8765}),
        ("big", bytes([0x12, 0x34, 0x56, 0x78]), {"a": 1, "b": 0x234, "c": 0x5678}),
    ],
)
def test_bit_fields(order: str, data: bytes, expected: dict[str, int]) -> None:
    """The first bit-field is the least significant on little endian, the most significant on big endian, as gcc has it."""
    layout = layout_of(Struct("bits", "a" / Bits(U16, 4), "b" / Bits(U16, 12), "c" / U16), order=order)
    record = decode(layout, data)
    assert expected == dict(record.fields())
    assert data == encode(layout, record)


@pytest.mark.parametrize("order", ["little", "big"])
def test_explicit_byte_order(order: str) -> None:
    """U32be is big-endian in both environments, alone and in arrays; gaps are bytes of the record."""
    layout = layout_of(Struct("cells", "a" / U8, "b" / Array(2, U32be), "c" / S16), order=order)
    data = b"\x01" + b"gap" + b"\0\0\0\x02" + b"\xff\0\0\0" + struct.pack("<h" if order == "little" else ">h", -5) + b"zz"
    record = decode(layout, data)
    assert {"a": 1, "_pad1": b"gap", "b": (2, 0xFF000000), "c": -5, "_pad14": b"zz"} == dict(record.fields())
    assert data == encode(layout, record)


def test_page_size_decides() -> None:
    """One schema has the right size for each page size."""
    for page_size in (4096, 16384, 65536):
        layout = Registry.shipped().layout("kho-v4", Environment(page_size))
        record = decode(layout, bytes(page_size), "kho_radix_node", exact=True)
        assert page_size // 8 == len(record.table)


def test_any_buffer() -> None:
    """bytes, bytearray, memoryviews of any item size: what counts is the bytes."""
    import array

    numbers = array.array("Q", range(10))
    for data in (SESSION, bytearray(SESSION), memoryview(SESSION), memoryview(SESSION).cast("Q"), numbers):
        assert 80 == len(encode(luo(), decode(luo(), data, "luo_session_ser", exact=True), "luo_session_ser"))  # type: ignore[arg-type]
    with pytest.raises(TruncatedError):
        decode(luo(), memoryview(b""), "luo_session_ser")


def test_offset_and_trailing_bytes() -> None:
    """Bytes behind the record are left alone, or refused when asked to; the place counts from the start of the data."""
    data = b"\xff" * 16 + SESSION + b"rest"
    assert 3 == decode(luo(), data, "luo_session_ser", offset=16).file_set_ser.count
    with pytest.raises(DecodeError) as caught:
        decode(luo(), data, "luo_session_ser", offset=16, exact=True, source="f")
    assert (96, "80 bytes", "84 bytes") == (caught.value.offset, caught.value.expected, caught.value.found)


@pytest.mark.parametrize(
    ("length", "offset", "path", "expected", "found"),
    [
        (0, 0, "luo_session_ser.name", "64 bytes", "0 bytes"),
        (63, 0, "luo_session_ser.name", "64 bytes", "63 bytes"),
        (64, 64, "luo_session_ser.file_set_ser.files", "8 bytes", "0 bytes"),
        (79, 72, "luo_session_ser.file_set_ser.count", "8 bytes", "7 bytes"),
    ],
)
def test_truncated(length: int, offset: int, path: str, expected: str, found: str) -> None:
    """The error names the first field that is not whole, and where it would be."""
    with pytest.raises(TruncatedError) as caught:
        decode(luo(), SESSION[:length], "luo_session_ser", source="x.bin", pa=0x1000)
    error = caught.value
    assert ("x.bin", 0x1000, offset) == (error.source, error.pa, error.offset)
    assert (path, expected, found) == (error.path, error.expected, error.found)


def test_truncated_inside_arrays() -> None:
    """The path has the index of the array, and the field inside it."""
    layout = layout_of(Struct("outer", "head" / U32, "rows" / Array(3, Struct("row", "a" / U32, "b" / Array(2, U16)))))
    with pytest.raises(TruncatedError) as caught:
        decode(layout, bytes(4 + 8 + 7))
    assert ("outer.rows[1].b[1]", 18) == (caught.value.path, caught.value.offset)


@pytest.mark.parametrize("offset", [-1, -80, 81, 1 << 70])
def test_offset_outside(offset: int) -> None:
    """An offset before or behind the data is an error of ours, never a wrap-around."""
    with pytest.raises(TruncatedError):
        decode(luo(), SESSION, "luo_session_ser", offset=offset)
    with pytest.raises(TruncatedError):
        decode_array(luo(), "luo_session_ser", SESSION, 1, offset=offset)


def test_counted_flexible_array() -> None:
    """A sibling counts; what it claims must be there."""
    head = struct.pack("<QQ", 1, 2)  # pgcnt, count
    flb = b"kvm".ljust(48, b"\0") + struct.pack("<QQ", 7, 1)
    record = decode(luo(), head + flb + flb + b"rest", "luo_flb_header_ser")
    assert [7, 7] == [each.data for each in record.flbs]
    with pytest.raises(TruncatedError) as caught:
        decode(luo(), head + flb, "luo_flb_header_ser")
    assert ("luo_flb_header_ser.flbs", 16, "2 elements of 64 bytes", "64 bytes") == (
        caught.value.path, caught.value.offset, caught.value.expected, caught.value.found,
    )  # fmt: skip


def test_huge_count_costs_nothing() -> None:
    """2^64 - 1 entries claimed: refused by arithmetic, before anything is allocated."""
    with pytest.raises(TruncatedError):
        decode(luo(), struct.pack("<QQ", 1, 2**64 - 1) + bytes(64), "luo_flb_header_ser")


def test_negative_count() -> None:
    """A count below zero is refused like one that is too large."""
    layout = layout_of(Struct("s", "nr" / S16, "all" / FlexArray(U8, this.nr)))
    with pytest.raises(TruncatedError):
        decode(layout, struct.pack("<h", -1) + bytes(8))
    assert (1, 2) == decode(layout, struct.pack("<h", 2) + b"\1\2\3").all


def test_area_counted_flexible_array() -> None:
    """Without a count the area says how many there are, and must be filled by whole elements."""
    layout = layout_of(Struct("s", "next" / U32, "all" / FlexArray(U16)))
    assert () == decode(layout, bytes(4)).all
    assert (1, 2) == decode(layout, bytes(4) + b"\1\0\2\0").all
    with pytest.raises(DecodeError) as caught:
        decode(layout, bytes(4) + b"\1\0\2")
    assert ("s.all", 6) == (caught.value.path, caught.value.offset)


def test_nested_flexible_struct() -> None:
    """A flexible struct as the last field: its own sibling counts, errors have the whole path."""
    inner = Struct("inner", "nr" / U8, "all" / FlexArray(U16, this.nr), packed=True)
    layout = layout_of(Struct("outer", "x" / U8, "tail" / inner, packed=True))
    record = decode(layout, b"\x09\x02\1\0\2\0", exact=True)
    assert (9, (1, 2)) == (record.x, record.tail.all)
    for data, path in ((b"\x09\x02\1\0\2", "outer.tail.all"), (b"\x09", "outer.tail.nr")):
        with pytest.raises(TruncatedError) as caught:
            decode(layout, data)
        assert path == caught.value.path


def test_elements_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is fine, one more is not; both decoders have the same limit."""
    assert ELEMENTS_MAX == aggregates.ELEMENTS_MAX
    monkeypatch.setattr(decode_module, "ELEMENTS_MAX", 100)
    layout = layout_of(Struct("s", "all" / FlexArray(U8)))
    assert 100 == len(decode(layout, bytes(100)).all)
    with pytest.raises(LimitError):
        decode(layout, bytes(101))
    assert 100 == len(decode_array(luo(), "luo_file_ser", bytes(6400), 100))
    with pytest.raises(LimitError):
        decode_array(luo(), "luo_file_ser", bytes(6464), 101)


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
@pytest.mark.parametrize("name", ["luo_file_ser", "luo_session_ser"])
def test_arrays_equal_single_records(count: int, name: str) -> None:
    """decode_array gives what decode gives one by one, around the size of a chunk, for flat and nested structs."""
    size = luo().struct(name).size
    data = bytes(each * 7 & 255 for each in range(size * count))
    expected = [decode(luo(), data, name, offset=8 * 0 + at) for at in range(0, len(data), size)]
    actual = decode_array(luo(), name, b"head" + data + b"tail", count, offset=4)
    assert expected == actual
    assert all(type(each) is type(expected[0]) for each in actual)


def test_array_errors() -> None:
    """Too few bytes, a count below zero, a flexible struct: refused with the place."""
    for count in (2, -1, 1 << 64):
        with pytest.raises(TruncatedError) as caught:
            decode_array(luo(), "luo_session_ser", SESSION, count, source="f", pa=16)
        assert ("f", 16, "luo_session_ser") == (caught.value.source, caught.value.pa, caught.value.path)
    with pytest.raises(DecodeError):
        decode_array(luo(), "luo_flb_header_ser", SESSION, 1)
    with pytest.raises(DecodeError):
        decode_array(layout_of(Struct("nothing", "a" / Raw(0))), None, b"", 1 << 20)


def test_unknown_struct() -> None:
    """A struct that the layout does not have, or no root struct, is a usage error that lists what there is."""
    with pytest.raises(UsageError, match="luo_file_ser"):
        decode(luo(), SESSION, "nope")
    with pytest.raises(UsageError, match="devicetree"):
        decode(Registry.shipped().layout("kho-v4", Environment()), SESSION)


def test_layout_with_undeclared_bytes() -> None:
    """A layout that skips bytes cannot be decoded without losing them, so there is no plan for it."""
    layout = layout_of(Struct("s", "a" / U32, "b" / U32))
    shape = layout.struct()
    moved = replace(shape, fields=(shape.fields[0], replace(shape.fields[1], offset=8)))
    longer = replace(shape, size=12)
    for broken in (moved, longer):
        with pytest.raises(SchemaError):
            plan_of(replace(layout, structs=(broken,)))


UNION = Struct(
    "tagged",
    "type" / U32,
    "u" / Union(tag=this.type, small=(1, U16), big=(2, Struct("big", "a" / U8, "b" / Array(2, U8))), text=(3, Chars(5))),
)


def test_union_arms() -> None:
    """The tag chooses the view; the bytes stay whole whatever it says."""
    layout = layout_of(UNION)
    data = {tag: struct.pack("<I", tag) + b"\x01\x02\x03\x04\x05\0\0\0" for tag in (0, 1, 2, 3)}
    views = {tag: arm(layout, decode(layout, each), "u") for tag, each in data.items()}
    assert None is views[0]
    assert ("small", 0x0201) == views[1]
    assert views[2] is not None and (1, (2, 3)) == (views[2][1].a, views[2][1].b)
    assert ("text", b"\x01\x02\x03\x04\x05") == views[3]
    assert all(each == encode(layout, decode(layout, each)) for each in data.values())
    untagged = layout_of(Struct("s", "u" / Union(first=(7, U16), second=(8, U8))))
    assert ("first", 0x0201) == arm(untagged, decode(untagged, b"\1\2"), "u")
    with pytest.raises(DecodeError):
        arm(layout, decode(layout, data[1]), "type")


def memory_with(start: int, data: bytes) -> PhysMemory:
    """A memory that holds ``data`` at ``start`` and nothing else."""
    return PhysMemory([MemoryRegion(start, len(data), memoryview(data))], source="test.core")


def test_decode_at() -> None:
    """Reads as many bytes as the record has, no more; errors carry the address and the source."""
    memory = memory_with(0x1000, SESSION)
    assert 3 == decode_at(luo(), memory, 0x1000, "luo_session_ser").file_set_ser.count
    with pytest.raises(NotInMemoryError):
        decode_at(luo(), memory, 0x1008, "luo_session_ser")
    with pytest.raises(TruncatedError) as caught:
        decode_at(luo(), memory, 0x1000, "luo_session_ser", size=70)
    assert ("test.core", 0x1000, 64) == (caught.value.source, caught.value.pa, caught.value.offset)


def test_decode_at_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count in memory is held to the limit before the rest is read."""
    memory = memory_with(0, struct.pack("<QQ", 1, 3) + bytes(192))
    monkeypatch.setattr(decode_module, "ELEMENTS_MAX", 3)
    assert 3 == len(decode_at(luo(), memory, 0, "luo_flb_header_ser").flbs)
    monkeypatch.setattr(decode_module, "ELEMENTS_MAX", 2)
    with pytest.raises(LimitError) as caught:
        decode_at(luo(), memory, 0, "luo_flb_header_ser")
    assert ("test.core", 0, "luo_flb_header_ser") == (caught.value.source, caught.value.pa, caught.value.path)


def test_decode_at_flexible() -> None:
    """A counted array is read as long as it says, if that is there; an area-counted one needs the size."""
    flbs = struct.pack("<QQ", 1, 2) + bytes(128)
    assert 2 == len(decode_at(luo(), memory_with(0, flbs), 0, "luo_flb_header_ser").flbs)
    with pytest.raises(NotInMemoryError):
        decode_at(luo(), memory_with(0, flbs[:-1]), 0, "luo_flb_header_ser")
    with pytest.raises(LimitError):
        decode_at(luo(), memory_with(0, struct.pack("<QQ", 1, 2**64 - 1)), 0, "luo_flb_header_ser")
    inner = Struct("inner", "all" / FlexArray(U64))
    layout = layout_of(Struct("outer", "x" / U64, "tail" / inner))
    with pytest.raises(UsageError):
        decode_at(layout, memory_with(0, bytes(64)), 0)
    assert 3 == len(decode_at(layout, memory_with(0, bytes(64)), 0, size=32).tail.all)


def test_records_of_layouts_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that makes layouts without end does not grow: plans and classes are dropped, and made again."""
    from devstate.codec import plan, record

    first = layout_of(Struct("s", "a" / U8))
    for _ in range(record._CLASSES_MAX + 2):
        record.record_class(StructLayout("s", 0, 1, True, ()))
    monkeypatch.setattr(plan, "_PLANS_MAX", 10)
    for _ in range(30):
        plan_of(layout_of(Struct("s", "a" / U8)))
    assert (True, True) == (len(record._CLASSES) <= record._CLASSES_MAX, len(plan._PLANS) <= 10)
    assert isinstance(decode(first, b"\1"), Record)


def test_start_up_imports() -> None:
    """Importing the codec loads nothing heavy: start-up is a figure that is held."""
    code = (
        "import sys, devstate.codec.decode, devstate.codec.encode, devstate.codec.text, devstate.codec.columns\n"
        "print([m for m in ('typing', 'dataclasses', 'numpy', 'construct', 'inspect', 'pathlib', 're', 'json') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    assert "[]\n" == subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
