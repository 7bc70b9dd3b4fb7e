# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof that two codecs mean the same by the same bytes, for one struct: Python's, and the generated C behind a Prover.

Records are drawn by the generated strategies. Python writes them, C reads the values and writes them again; C writes, Python reads; and
for every prefix and every single bit turned over, both give the same verdict: the same rule, at the same offset. ``prove`` does all of that
for every struct of the schemas in a file or package: it is the test that ``devstate new driver`` writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.flat import flatten, unflatten
from devstate.codec.validate import validate_array
from devstate.errors import DecodeError
from devstate.gen.strategy import strategy
from devstate.layout.model import ArrayType, Environment, Layout, StructLayout, StructType
from devstate.testing.difference import Case
from devstate.testing.prover import C_RULES, FINE, GET, GUARDED, MANY, PUT, TURN, Build, Prover, Verdict, layouts_of
from devstate.testing.sweep import SWEPT_MAX, compare, numbers, python_verdict, sweep, turned, turning

EXAMPLES = 4
"""Records that are drawn of a struct; what is swept of more than these is the longest."""

SWEPT_EACH = 512
"""Bytes up to which each record is swept; of larger ones that is the longest alone: they are pages full of equal entries."""

RECORDS = 700
"""Records of an array: more than two batches of the generated loop."""

TURNED = 24
"""Bits, spread over the struct, for which an array is given to Python as well: its columns are those of the sweep."""

QUICK = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


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


def drawn(layout: Layout, shape: str, most: int) -> list[dict[str, Any]]:
    """A few records of a struct that a reader accepts."""
    found: list[dict[str, Any]] = []
    settings(QUICK, max_examples=most)(given(strategies(layout)[shape])(lambda record: found.append(record)))()
    return found


def prove_records(prover: Prover, layout: Layout, shape: str, examples: int = EXAMPLES) -> None:
    """Bytes to values, values to bytes, verdicts of whatever is damaged. Difference where C and Python are apart."""
    cases = [round_trip(prover, layout, shape, record) for record in drawn(layout, shape, examples)]
    longest = max(cases, key=lambda case: len(case.data))
    for number, case in enumerate(cases):
        if (number < EXAMPLES and len(case.data) <= SWEPT_EACH) or case is longest:
            sweep(case)


def round_trip(prover: Prover, layout: Layout, shape: str, record: dict[str, Any]) -> Case:
    """One record that Python writes and C reads, C writes and Python reads."""
    key = (layout.name, shape)
    data = encode(layout, record, shape)
    case = Case(prover, layout, shape, data, entries(layout, layout.struct(shape), len(data)))
    read = decode(layout, data, shape, exact=True)
    case.verdict("what a strategy draws", python_verdict(layout, data, shape), FINE)
    verdict, flat = prover.verdict(key, GET, data)
    case.verdict("reading it", FINE, verdict)
    case.values(flatten(read), flat)
    assert data == encode(layout, unflatten(layout, shape, flat, case.count), shape)
    verdict, written = prover.verdict(key, PUT, flat, case.count)
    case.verdict("writing it", FINE, verdict)
    case.bytes("what is written", data, written)
    assert read == decode(layout, written, shape, exact=True)
    return case


def prove_arrays(prover: Prover, layout: Layout, shape: str) -> None:
    """RECORDS records, and each bit of one of them turned over: the verdict of C, and for some bits that of the numpy columns, is that of
    this record alone.
    """
    key, struct = (layout.name, shape), layout.struct(shape)
    if struct.flexible or not 0 < struct.size <= SWEPT_MAX:
        return
    record = encode(layout, drawn(layout, shape, 1)[0], shape)
    case = Case(prover, layout, shape, record)
    data = bytearray(record * RECORDS)
    assert validate_array(layout, shape, data) == RECORDS
    case.verdict(f"{RECORDS} of it", FINE, prover.verdict(key, MANY, bytes(data), RECORDS)[0])
    expected = turned(layout, shape, record)
    rows = np.arange(len(expected)) * 7919 % RECORDS
    expected[:, 1] += np.where(expected[:, 0], rows * struct.size, 0)
    said = numbers(prover.ask(key, TURN, record, RECORDS))
    compare(case, expected, said, lambda bit: f"{turning(case, bit)} in record {rows[bit]} of {RECORDS}")
    for bit in range(0, len(expected), max(1, len(expected) // TURNED)):
        at = int(rows[bit]) * struct.size + bit // 8
        data[at] ^= 1 << bit % 8
        rule, place = map(int, expected[bit])
        assert (C_RULES[rule], place) == _array_verdict(layout, shape, data)
        data[at] ^= 1 << bit % 8


def _array_verdict(layout: Layout, shape: str, data: bytearray) -> Verdict:
    """What Python says of an array."""
    try:
        assert validate_array(layout, shape, data) == RECORDS
    except DecodeError as error:
        at = error.offset or 0
        assert f"{shape}[{at // layout.struct(shape).size}]" in str(error.path)
        return str(error).split("breaks the rule '")[1].split("'")[0], at
    return FINE


def prove(schemas: str, where: Path, *, build: Build = GUARDED, page_sizes: Sequence[int] = (4096,), examples: int = 5 * EXAMPLES) -> int:
    """Prove every struct of every format in ``schemas``, a file or a package directory; how many structs that were.

    ``build`` is how the C is compiled and run: GUARDED, LOADED or BIG_ENDIAN of devstate.testing.prover. What is generated and compiled is
    left in ``where``. Difference, an AssertionError of one line, where C and Python differ; UsageError for a tool that is not installed.
    """
    from devstate.layout.compiling import add_user_schemas
    from devstate.layout.registry import Registry
    from devstate.testing.proof_tagged import prove_tagged_formats

    registry = Registry()
    add_user_schemas(registry, schemas)
    formats = [layouts_of(name, registry, build.byte_order) for name in registry.summaries]
    formats = [layouts for layouts in formats if layouts[0].structs and layouts[0].encoding == "packed"]
    for page_size in page_sizes:
        prover = Prover(where, formats, page_size=page_size, build=build)
        try:
            for layouts in formats:
                layout = registry.layout(layouts[0].name, Environment(page_size, build.byte_order))
                for struct in layout.structs:
                    prove_records(prover, layout, struct.name, examples)
                    prove_arrays(prover, layout, struct.name)
        finally:
            status = prover.close()
        assert status == 0
    return len(prover.order) + prove_tagged_formats(registry, where / "tagged", build=build, page_sizes=page_sizes)
