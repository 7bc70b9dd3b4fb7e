# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What must hold for every record of every shipped format, and of any format that the schema language can declare."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.reference import plain
from devstate.errors import DecodeError
from devstate.layout.lower import lower

from .strategies import contents, environments, records, schema_of, structs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))
from records_fuzzer import Case, agrees, one_input, shipped_cases, survives_json

FEW = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
every_case = pytest.mark.parametrize("case", shipped_cases(), ids=str)
drawn_cases = st.builds(
    lambda root, environment: Case(schema_of(root), lower(schema_of(root), environment), root.name), structs(), environments
)


def picked(total: int, most: int) -> list[int]:
    """``most`` numbers below ``total``: all, or the ends and a repeatable choice between them."""
    if total <= most:
        return list(range(total))
    return sorted({0, 1, total - 2, total - 1, *random.Random(total).sample(range(total), most - 4)})


def check_record(case: Case, data: bytes) -> None:
    """``data`` is one whole record: decoders agree, bytes come back, JSON loses nothing."""
    record = agrees(case, data)
    assert record is not None, "both decoders refuse a valid record"
    assert data == encode(case.layout, record, case.struct)
    assert data == encode(case.layout, plain(record), case.struct)
    survives_json(case, record)


def check_prefixes(case: Case, data: bytes, most: int) -> None:
    """Every prefix is refused, except where the area itself is the count: then what it holds is what comes back."""
    for length in picked(len(data), most):
        prefix = data[:length]
        try:
            record = decode(case.layout, prefix, case.struct, exact=True)
        except DecodeError as error:
            assert error.path is not None and error.path.startswith(case.struct)
            assert error.offset is not None and 0 <= error.offset <= length
        else:
            assert case.shape.flexible
            assert prefix == encode(case.layout, record, case.struct)


def check_flips(case: Case, data: bytes, most: int) -> None:
    """Every single-bit flip is caught, or decodes to a record that encodes to exactly those bytes."""
    for bit in picked(len(data) * 8, most):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        try:
            record = decode(case.layout, flipped, case.struct, exact=True)
        except DecodeError:
            assert case.shape.flexible
        else:
            assert flipped == encode(case.layout, record, case.struct)


@every_case
def test_shipped_records(case: Case) -> None:
    """Random records of every shipped struct decode alike, encode back, go through JSON."""

    @FEW
    @given(records(case.layout, case.struct))
    def run(data: bytes) -> None:
        check_record(case, data)

    run()


@every_case
def test_shipped_damage(case: Case) -> None:
    """A prefix fails cleanly and no flipped bit is lost, in every shipped struct."""

    @settings(FEW, max_examples=1)
    @given(records(case.layout, case.struct))
    def run(data: bytes) -> None:
        most = 120 if len(data) < 1024 else 12
        check_prefixes(case, data, most)
        check_flips(case, data, most)

    run()


@MANY
@given(drawn_cases, st.data())
def test_drawn_records(case: Case, data: st.DataObject) -> None:
    """The same for structs that no schema has yet."""
    content = data.draw(records(case.layout, case.struct))
    check_record(case, content)
    check_prefixes(case, content, 30)
    check_flips(case, content, 30)


@MANY
@given(drawn_cases, st.integers(0, 300).flatmap(contents))
def test_drawn_noise(case: Case, data: bytes) -> None:
    """Bytes that nobody wrote: the decoders refuse or accept them alike, whatever a count in them claims."""
    record = agrees(case, data)
    if record is not None:
        survives_json(case, record)


@MANY
@given(st.binary(max_size=200))
def test_fuzzed(data: bytes) -> None:
    """The property of fuzz/records_fuzzer.py."""
    one_input(data)
