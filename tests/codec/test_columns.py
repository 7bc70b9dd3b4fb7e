# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Columns: numpy views that hold the same values as the records, bit-fields split, nothing copied that need not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.codec.columns import Columns, columns
from devstate.codec.decode import decode_array
from devstate.codec.record import Record, fields
from devstate.errors import TruncatedError, UsageError
from devstate.layout.lower import lower
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry
from devstate.schema import U16, U64, Bits, Raw, Struct

from .strategies import contents, environments, schema_of, structs
from .test_decode import layout_of


def memfd(order: str = "little") -> Layout:
    """The shipped memfd-v2."""
    return Registry.shipped().layout("memfd-v2", Environment(4096, order))  # type: ignore[arg-type]


def rows(value: Any) -> Any:
    """Columns as nested lists, one a record, like records."""
    if isinstance(value, Columns):
        whole = [rows(value[name]) for name in value.names]
        return _zipped(whole, value.array.ndim)
    if value.dtype.kind == "V":
        # tolist() would cut what looks like text; the bytes of each are what counts.
        flat = np.ascontiguousarray(value).reshape(-1)
        return np.array([each.tobytes() for each in flat] + [None], dtype=object)[:-1].reshape(value.shape).tolist()
    return value.tolist()


def _zipped(whole: list[Any], depth: int) -> list[Any]:
    return [_zipped(list(each), depth - 1) if depth > 1 else list(each) for each in zip(*whole, strict=True)]


def listed(value: Any) -> Any:
    """Records as nested lists."""
    if isinstance(value, Record):
        return [listed(each) for _, each in fields(value)]
    return [listed(each) for each in value] if isinstance(value, tuple | list) else value


@settings(max_examples=150, deadline=None)
@given(structs(flexible=False), environments, st.integers(0, 3), st.data())
def test_columns_equal_records(root: Struct, environment: Environment, count: int, data: st.DataObject) -> None:
    """Every column of any struct has the values of the records."""
    layout = lower(schema_of(root), environment)
    size = layout.struct().size
    if size == 0:
        with pytest.raises(UsageError):
            columns(layout, None, b"")
        return
    content = data.draw(contents(size * count))
    found = columns(layout, None, content)
    assert count == len(found)
    assert listed(decode_array(layout, None, content, count)) == rows(found)


@pytest.mark.parametrize("order", ["little", "big"])
def test_folios(order: str) -> None:
    """Bit-fields become native u64 columns in both byte orders; whole integers are views, kept for the next time."""
    data = np.random.default_rng(7).bytes(16 * 100)
    found = columns(memfd(order), "memfd_luo_folio_ser", data)
    records = decode_array(memfd(order), "memfd_luo_folio_ser", data, 100)
    assert [each.pfn for each in records] == found["pfn"].tolist()
    assert [each.flags for each in records] == found["flags"].tolist()
    assert np.dtype(np.uint64) == found["pfn"].dtype
    assert found["pfn"] is found["pfn"]
    assert np.shares_memory(found["index"], np.frombuffer(data, np.uint8))


def test_read_only() -> None:
    """Columns cannot be written through, even over writable memory: captured memory stays what it was."""
    found = columns(memfd(), "memfd_luo_folio_ser", bytearray(32))
    for name in ("pfn", "index"):
        with pytest.raises(ValueError, match="read-only"):
            found[name][0] = 1


def test_cut_record() -> None:
    """A buffer that ends inside a record is refused with its place."""
    with pytest.raises(TruncatedError) as caught:
        columns(memfd(), "memfd_luo_folio_ser", bytes(37), source="x", pa=0x1000)
    error = caught.value
    assert ("x", 0x1000, 32, "memfd_luo_folio_ser[2]", "16 bytes", "5 bytes") == (
        error.source, error.pa, error.offset, error.path, error.expected, error.found,
    )  # fmt: skip


def test_refused() -> None:
    """Flexible structs, unknown structs and unknown columns are usage errors that say what there is."""
    luo = Registry.shipped().layout("luo-v5", Environment())
    with pytest.raises(UsageError):
        columns(luo, "luo_flb_header_ser", bytes(16))
    with pytest.raises(UsageError):
        columns(luo, "nope", b"")
    with pytest.raises(UsageError, match="pfn, flags, index"):
        columns(memfd(), "memfd_luo_folio_ser", bytes(16))["nope"]


def test_nested_and_arrays() -> None:
    """An embedded struct is Columns again, an array adds an axis; bytes keep their trailing zeros."""
    luo = Registry.shipped().layout("luo-v5", Environment())
    data = b"vm".ljust(64, b"\0") + (5).to_bytes(8, "little") + (6).to_bytes(8, "little")
    sessions = columns(luo, "luo_session_ser", data * 2)
    assert [6, 6] == sessions["file_set_ser"]["count"].tolist()
    assert b"vm".ljust(64, b"\0") == sessions["name"][1].tobytes()
    v1 = Registry.shipped().layout("kho-v1", Environment())
    assert (2, 255) == columns(v1, "khoser_mem_chunk", bytes(8192))["bitmaps"]["phys_start"].shape


def test_any_buffer() -> None:
    """memoryviews of any item size are bytes; an empty buffer has no records."""
    assert 2 == len(columns(memfd(), "memfd_luo_folio_ser", memoryview(bytes(32)).cast("Q")))
    assert [] == columns(memfd(), "memfd_luo_folio_ser", b"")["pfn"].tolist()


def test_small_units() -> None:
    """Bit-fields of a small base type keep that type."""
    layout = layout_of(Struct("s", "low" / Bits(U16, 4), "high" / Bits(U16, 12), "raw" / Raw(0)))
    found = columns(layout, None, b"\x21\x43" * 3)
    assert [1, 1, 1] == found["low"].tolist()
    assert [0x432] * 3 == found["high"].tolist()
    assert np.dtype(np.uint16) == found["high"].dtype


def test_whole_unit() -> None:
    """A bit-field that is its whole unit is native too."""
    found = columns(layout_of(Struct("s", "all" / Bits(U64, 64)), order="big"), None, bytes(7) + b"\5")
    assert ([5], np.dtype(np.uint64)) == (found["all"].tolist(), found["all"].dtype)
