# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof that two codecs mean the same by the same bytes, for one struct: Python's, and the generated C behind a Prover.

Records are drawn by the generated strategies. Python writes them, C reads the values and writes them again; C writes, Python reads; and
for every prefix and every single bit turned over, both give the same verdict: the same rule, at the same offset. ``prove`` does all of that
for every struct of the schemas in a file or package: it is the test that ``devstate new driver`` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.flat import flatten, unflatten
from devstate.codec.validate import first_fault, validate_array
from devstate.errors import DecodeError
from devstate.gen.strategy import strategy
from devstate.layout.model import PAGE_SIZES, ArrayType, Environment, Layout, StructLayout, StructType
from devstate.testing.prover import FINE, GET, MANY, PUT, SWEEP, Prover, Verdict, verdicts

SWEPT_MAX = 512
"""Bytes of a record of which every bit is turned over: larger ones are pages full of equal entries."""

QUICK = settings(max_examples=4, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def strategies(layout: Layout) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """The generated module, run."""
    space: dict[str, Any] = {}
    exec(compile(strategy(layout), f"{layout.name}_strategy.py", "exec"), space)
    found: dict[str, st.SearchStrategy[dict[str, Any]]] = space["STRATEGIES"]
    return found


def entries(layout: Layout, shape: StructLayout, size: int) -> int:
    """Entries of the flexible array of a record of ``size`` bytes."""
    at = 0
    while shape.flexible:
        last = shape.fields[-1]
        at += last.offset
        if isinstance(last.type, ArrayType):
            return (size - at) // last.type.stride
        assert isinstance(last.type, StructType)
        shape = layout.struct(last.type.struct)
    return 0


def python_verdict(layout: Layout, data: bytes, shape: str) -> Verdict:
    """What Python says."""
    fault = first_fault(layout, data, shape)
    # Python says where the first field that is cut begins, C that the whole is too short.
    return FINE if fault is None else (fault.rule, 0 if fault.rule in ("truncated", "remainder", "limit") else fault.offset)


def in_python(verdict: Verdict) -> Verdict:
    """A verdict of C as Python gives it."""
    return (verdict[0], 0) if verdict[0] in ("truncated", "remainder", "limit") else verdict


def prove_records(prover: Prover, layout: Layout, shape: str) -> None:
    """Bytes to values, values to bytes, verdicts of whatever is damaged."""
    key = (layout.name, shape)

    @QUICK
    @given(strategies(layout)[shape])
    def holds(drawn: dict[str, Any]) -> None:
        data = encode(layout, drawn, shape)
        record = decode(layout, data, shape, exact=True)
        assert python_verdict(layout, data, shape) == FINE
        verdict, flat = prover.verdict(key, GET, data)
        assert (FINE, flatten(record)) == (verdict, flat)
        count = entries(layout, layout.struct(shape), len(data))
        assert data == encode(layout, unflatten(layout, shape, flat, count), shape)
        verdict, written = prover.verdict(key, PUT, flat, count)
        assert (FINE, data) == (verdict, written)
        assert decode(layout, written, shape, exact=True) == record
        if len(data) <= SWEPT_MAX:
            turned = [bytes(data[:end]) for end in range(len(data))]
            turned += [flipped(data, bit) for bit in range(8 * len(data))]
            said = list(map(in_python, verdicts(prover.ask(key, SWEEP, data))))
            assert [python_verdict(layout, each, shape) for each in turned] == said

    holds()


def flipped(data: bytes, bit: int) -> bytes:
    """``data`` with one bit turned over."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def prove_arrays(prover: Prover, layout: Layout, shape: str) -> None:
    """700 records, more than two batches; each damaged in turn. The verdict of C and that of the numpy columns are of that record."""
    key, struct = (layout.name, shape), layout.struct(shape)
    if struct.flexible or not 0 < struct.size <= SWEPT_MAX:
        return
    drawn: list[bytes] = []
    settings(QUICK, max_examples=1)(given(strategies(layout)[shape])(lambda record: drawn.append(encode(layout, record, shape))))()
    data = drawn[0] * 700
    assert prover.verdict(key, MANY, data, 700)[0] == FINE
    assert validate_array(layout, shape, data) == 700
    for bit in range(0, 8 * struct.size, 3):
        expected = python_verdict(layout, flipped(drawn[0], bit), shape)
        row = bit * 7919 % 700
        damaged = data[: row * struct.size] + flipped(drawn[0], bit) + data[(row + 1) * struct.size :]
        verdict = prover.verdict(key, MANY, damaged, 700)[0]
        assert (FINE if expected == FINE else (expected[0], expected[1] + row * struct.size)) == verdict
        if expected == FINE:
            assert validate_array(layout, shape, damaged) == 700
        else:
            with pytest.raises(DecodeError, match="breaks the rule") as caught:
                validate_array(layout, shape, damaged)
            assert verdict[1] == caught.value.offset and f"{shape}[{row}]" in str(caught.value.path)


def prove(schemas: str, where: Path) -> int:
    """Prove every struct of every format in ``schemas``, a file or a package directory; how many structs that were.

    What is generated and compiled is left in ``where``. AssertionError, with what was drawn, where C and Python differ.
    """
    from devstate.layout.compiling import add_user_schemas
    from devstate.layout.registry import Registry

    registry = Registry()
    add_user_schemas(registry, schemas)
    formats = [[registry.layout(name, Environment(size)) for size in PAGE_SIZES] for name in registry.summaries]
    formats = [layouts for layouts in formats if layouts[0].structs and layouts[0].encoding == "packed"]
    prover = Prover(where, formats)
    for layouts in formats:
        for struct in layouts[0].structs:
            prove_records(prover, layouts[0], struct.name)
            prove_arrays(prover, layouts[0], struct.name)
    assert prover.close() == 0
    return len(prover.order)
