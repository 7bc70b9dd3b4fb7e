# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Folio records: plain Python against records made by hand, and the C core against plain Python."""

from __future__ import annotations

import struct
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import EncodeError, TruncatedError
from devstate.pagetable import folios, native
from devstate.pagetable.folios import ANY_FOLIO, FAULTS, FolioRules, Folios

from .trees import byteorders


def record(pfn: int, flags: int, index: int, byteorder: Literal["little", "big"] = "little") -> bytes:
    """The 16 bytes of one record."""
    if byteorder == "big":  # bit-fields begin with the highest bit there
        return struct.pack(">QQ", pfn << 12 | flags, index)
    return struct.pack("<QQ", pfn | flags << 52, index)


def columns(made: Folios) -> tuple[list[int], list[int], list[int]]:
    """The columns as lists."""
    return made.pfn.tolist(), made.flags.tolist(), made.index.tolist()


rules = st.builds(
    FolioRules, st.sampled_from([1 << 52, 1 << 30, 2]), st.sampled_from([(1 << 64) - 1, 3000, 1]), st.sampled_from([0xFFF, 3, 0])
)


@st.composite
def record_lists(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Records in order, with a few of them changed into anything; lengths around the C core's blocks and vectors."""
    length = draw(st.integers(0, 40) | st.sampled_from([255, 256, 257, 258, 511, 513, 770]))
    start = draw(st.integers(0, 3))
    rows = [(n * 7919 % (1 << 30) + 1, 3, start + 2 * n) for n in range(length)]
    for _ in range(draw(st.integers(0, 3)) if rows else 0):
        at = draw(st.integers(0, length - 1) | st.sampled_from([0, length - 1, min(length - 1, 256)]))
        pfn, flags, index = rows[at]
        rows[at] = draw(
            st.sampled_from([(0, flags, index), (pfn, 8, index), (pfn, flags, 0), (1 << 51, flags, index), (pfn, flags, (1 << 64) - 1)])
            | st.tuples(st.integers(0, (1 << 52) - 1), st.integers(0, 0xFFF), st.integers(0, (1 << 64) - 1))
        )
    return rows


@given(record_lists(), rules, byteorders)
@settings(max_examples=150, deadline=None)
def test_c_and_python_say_the_same(
    core: str, rows: list[tuple[int, int, int]], held: FolioRules, byteorder: Literal["little", "big"]
) -> None:
    """Columns, counts of each fault, and where the first of each is."""
    data = b"".join(record(*row, byteorder) for row in rows)
    expected = folios.decode(memoryview(data), byteorder)
    assert (columns(expected)) == tuple([list(column) for column in zip(*rows, strict=True)] or ([], [], []))
    made, faults = native.folios_decode(data, held, byteorder)
    assert columns(expected) == columns(made)
    assert folios.check(expected, held) == faults == native.folios_check(data, held, byteorder)


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        ("pfn-zero", [(1, 0, 0), (0, 0, 1)]),
        ("pfn-limit", [(1, 0, 0), (100, 0, 1)]),
        ("flags", [(1, 0, 0), (1, 4, 1)]),
        ("index-limit", [(1, 0, 0), (1, 0, 10)]),
        ("index-order", [(1, 0, 5), (1, 0, 5)]),
    ],
)
def test_each_fault_is_named(core: str, fault: str, rows: list[tuple[int, int, int]]) -> None:
    """One above the limit is a fault, the limit is not; the first record has none before it."""
    held = FolioRules(pfn_limit=100, index_limit=10, known_flags=3)
    faults = native.folios_check(b"".join(record(*row) for row in rows), held)
    assert [(fault, 1, 1)] == faults.items() and faults
    assert not native.folios_check(record(99, 3, 9), held)
    assert not native.folios_check(record(99, 3, 0), held)


def test_large_columns_go_around_the_caches(core: str) -> None:
    """From 256 Ki records on the C core writes in another way: the same columns, into aligned memory or not."""
    count = (1 << 18) + 21
    rows = np.empty((count, 2), dtype=np.uint64)
    rows[:, 0] = np.arange(count, dtype=np.uint64) * np.uint64(3) + np.uint64(1) | np.uint64(0xABC << 52)
    rows[:, 1] = np.arange(count, dtype=np.uint64) + np.uint64(7)
    rows[count - 2, 1] = 0
    crooked = memoryview(bytearray(count * 8 + 8))[8:].cast("Q")
    for room in (None, Folios(crooked, native.folios_room(count).flags, native.folios_room(count).index)):
        made, faults = native.folios_decode(memoryview(rows), ANY_FOLIO, into=room)
        assert np.array_equal(rows[:, 0] & np.uint64((1 << 52) - 1), np.frombuffer(made.pfn, dtype=np.uint64))
        assert np.array_equal((rows[:, 0] >> np.uint64(52)).astype(np.uint16), np.frombuffer(made.flags, dtype=np.uint16))
        assert np.array_equal(rows[:, 1], np.frombuffer(made.index, dtype=np.uint64))
        assert [("index-order", 1, count - 2)] == faults.items()


def test_columns_that_are_given_are_filled(core: str) -> None:
    """As far as there are records; too short ones are refused."""
    room = native.folios_room(3)
    made, _ = native.folios_decode(record(5, 1, 9) + record(6, 2, 10), ANY_FOLIO, into=room)
    assert ([5, 6], [5, 6, 0]) == (made.pfn.tolist(), room.pfn.tolist())
    with pytest.raises(EncodeError):
        native.folios_decode(record(5, 1, 9) * 4, ANY_FOLIO, into=room)


@pytest.mark.parametrize("size", [1, 15, 17, 31])
def test_a_cut_record_is_refused(core: str, size: int) -> None:
    """With the offset of the record."""
    for call in (native.folios_check, native.folios_decode):
        with pytest.raises(TruncatedError) as caught:
            call(bytes(size), ANY_FOLIO)
        assert size // 16 * 16 == caught.value.offset


def test_every_fault_has_its_number(core: str) -> None:
    """FAULTS is in the order of the header."""
    assert list(range(len(FAULTS))) == [getattr(native.lib, f"DS_FOLIO_{name.upper().replace('-', '_')}") for name in FAULTS]
