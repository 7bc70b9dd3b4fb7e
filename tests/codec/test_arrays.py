# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Many records in one step: written as each alone would be, refused as each alone would be; judged as numpy columns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.codec.decode import decode_array
from devstate.codec.encode import BATCH, encode, encode_array
from devstate.codec.validate import first_fault, first_faults, validate, validate_array
from devstate.errors import DecodeError, EncodeError, TruncatedError, UsageError
from devstate.layout.lower import lower
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.schema import Struct
from tests.codec.strategies import contents, environments, schema_of, structs

LAYOUT = Registry.shipped().layout("luo-v5", Environment())
FILE = "luo_file_ser"
GOOD: dict[str, Any] = {"compatible": b"memfd-v2".ljust(48, b"\0"), "data": 1 << 63, "token": 7}


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1])
def test_as_each_alone(count: int) -> None:
    """Dicts, records, and both in turn, over the end of a batch."""
    dicts = [GOOD | {"token": token} for token in range(count)]
    data = b"".join(encode(LAYOUT, each, FILE) for each in dicts)
    records = decode_array(LAYOUT, FILE, data, count)
    mixed: list[Any] = [pair[index % 2] for index, pair in enumerate(zip(dicts, records, strict=True))]
    assert data == encode_array(LAYOUT, FILE, dicts) == encode_array(LAYOUT, FILE, records) == encode_array(LAYOUT, FILE, iter(mixed))


@pytest.mark.parametrize(
    "change",
    [
        {"token": -1}, {"token": 1 << 64}, {"token": True}, {"token": 1.0}, {"token": None}, {"compatible": b"short"},
        {"compatible": b"x" * 49}, {"compatible": "x" * 48}, {"more": 1}, {"token": "7"},
    ],
)  # fmt: skip
def test_a_bad_one_is_named(change: dict[str, object]) -> None:
    """By its index, with the text that it has alone; what struct would cut or take for a number is refused as well."""
    with pytest.raises(EncodeError) as alone:
        encode(LAYOUT, GOOD | change, FILE)
    with pytest.raises(EncodeError) as among:
        encode_array(LAYOUT, FILE, [GOOD] * (BATCH + 3) + [GOOD | change] + [GOOD] * 3)
    assert str(alone.value).replace(FILE, f"{FILE}[{BATCH + 3}]", 1) == str(among.value)
    missing = {name: value for name, value in GOOD.items() if name != "data"}
    with pytest.raises(EncodeError, match=rf"{FILE}\[1\].data"):
        encode_array(LAYOUT, FILE, [GOOD, missing])


def test_validate_says_where() -> None:
    """The rule, the place, what is expected and found; decode alone keeps such values."""
    data = encode(LAYOUT, GOOD | {"compatible": b"x" * 48}, FILE)
    with pytest.raises(DecodeError) as caught:
        validate(LAYOUT, data, FILE, source="a.bin", pa=0x1000)
    assert "a.bin: pa 0x1000+0x0: luo_file_ser.compatible: the value breaks the rule 'text'" in str(caught.value)
    top = {"compatible": b"luo-v4\0\0", "liveupdate_num": 0, "sessions_pa": 0, "flbs_pa": 0}
    fault = first_fault(LAYOUT, encode(LAYOUT, top))
    assert fault is not None and ("version", 0, "luo-v5") == (fault.rule, fault.offset, fault.expected)
    assert "luo-v5" == validate(LAYOUT, encode(LAYOUT, top | {"compatible": b"luo-v5\0\0"})).compatible.rstrip(b"\0").decode()


def test_validate_array_says_which() -> None:
    """The first of many, over the end of a chunk; cut arrays, flexible structs and no records at all."""
    good, bad = encode(LAYOUT, GOOD, FILE), encode(LAYOUT, GOOD | {"compatible": b"x" * 48}, FILE)
    assert 0 == validate_array(LAYOUT, FILE, b"")
    assert 20000 == validate_array(LAYOUT, FILE, good * 20000)
    with pytest.raises(DecodeError, match=r"luo_file_ser\[19998\]\.compatible"):
        validate_array(LAYOUT, FILE, good * 19998 + bad * 2)
    ends_late = encode(LAYOUT, GOOD | {"compatible": b"a\0" + b"x" * 46}, FILE)
    assert 2 == validate_array(LAYOUT, FILE, good + ends_late)
    with pytest.raises(TruncatedError, match="cut"):
        validate_array(LAYOUT, FILE, good[:-1])
    with pytest.raises(UsageError, match="no fixed size"):
        validate_array(LAYOUT, "luo_flb_header_ser", b"")


@settings(max_examples=60, deadline=None)
@given(structs(flexible=False), environments, st.data())
def test_many_verdicts_are_those_of_each(root: Struct, environment: Environment, data: st.DataObject) -> None:
    """Any bytes as many records, and single bits in zeros: the same rule, place and value as when each is looked at alone."""
    layout = lower(schema_of(root), environment)
    for shape in layout.structs:
        if shape.size:
            size = shape.size
            single = b"".join((1 << bit).to_bytes(size, "little") for bit in range(0, 8 * size, 1 + size // 64))
            rows = data.draw(contents(5 * size)) + bytes(size) + single
            each = [rows[at : at + size] for at in range(0, len(rows), size)]
            assert [first_fault(layout, row, shape.name) for row in each] == first_faults(layout, shape.name, rows)
