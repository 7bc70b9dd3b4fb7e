# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof for tagged maps: Python's codec and the generated C, for every struct of a format.

Records are drawn by the generated strategies, with fields beside them that no reader knows. Python writes, C reads and writes again: the
same bytes. The values that C reads, member by member, are Python's, and what C writes from them alone Python reads. For every prefix and
every bit turned over both give the same verdict: the same rule, at the same offset.

::

    flat form    number     8 bytes, little-endian, two's complement
                 bytes      as they are
                 array      as many as there are (8 bytes) when its length is free, then its elements
                 optional   1 or 0 (8 bytes), then the value; of what is absent only a number, which is what absence means
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.codec.tagged import KEY_MAX, Tagged, decode_tagged, encode_tagged, first_fault_tagged
from devstate.layout.model import ArrayType, Environment, IntType, Layout, StructLayout, StructType, TypeLayout
from devstate.testing.difference import Case
from devstate.testing.proof import QUICK, strategies
from devstate.testing.prover import FINE, GUARDED, Build, Prover, Verdict, layouts_of, verdicts

CHECK, GET, PUT, REWRITE, SWEEP = range(5)

SWEPT_MAX = 300
"""Bytes of the longest record whose sweep is affordable; of shorter ones so many that it is no more work, which grows with the square."""

EXAMPLES = 12
"""Records that are drawn of each struct."""

_MASK = (1 << 64) - 1


def packed(value: Any) -> bytes:
    """A value in its one form: keys of maps in the order of their bytes."""
    if isinstance(value, dict):
        pairs = sorted((packed(key), packed(each)) for key, each in value.items())
        return _head(0x80, 0xDE, len(pairs)) + b"".join(key + each for key, each in pairs)
    if isinstance(value, list):
        return _head(0x90, 0xDC, len(value)) + b"".join(map(packed, value))
    data: bytes = msgpack.packb(value)
    return data


def _head(short: int, long: int, count: int) -> bytes:
    return bytes([short | count]) if count < 16 else bytes([long]) + count.to_bytes(2, "big")


def strange() -> st.SearchStrategy[bytes]:
    """Values that a later version may bring."""
    numbers = st.integers(-(1 << 63), (1 << 64) - 1)
    plain = st.one_of(st.none(), st.booleans(), numbers, st.floats(), st.text(max_size=40), st.binary(max_size=300))
    keys = st.one_of(st.none(), st.booleans(), st.integers(-200, 70000), st.text(max_size=3), st.binary(max_size=3))
    kinds = st.recursive(
        plain, lambda each: st.lists(each, max_size=18) | st.lists(st.tuples(keys, each), max_size=18).map(_once), max_leaves=20
    )
    extensions = st.builds(lambda code, data: packed(msgpack.ExtType(code, data)), st.integers(0, 127), st.binary(max_size=20))
    return kinds.map(packed) | extensions


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A map whose keys are apart as bytes: True and 1 are one key in Python."""
    return dict({packed(key): (key, value) for key, value in pairs}.values())


@st.composite
def records(draw: st.DrawFn, layout: Layout, struct: StructLayout, plain: st.SearchStrategy[dict[str, Any]]) -> Tagged:
    """What the strategy of a struct draws, with unknown fields in it and in what is inside."""
    return _record(draw, layout, struct, draw(plain))


def _record(draw: st.DrawFn, layout: Layout, struct: StructLayout, values: dict[str, Any]) -> Tagged:
    known = {field.tag for field in struct.fields}
    tags = st.integers(1, min(KEY_MAX, 2 + max(tag or 0 for tag in known))) | st.integers(1, KEY_MAX)
    unknown = draw(st.dictionaries(tags.filter(lambda tag: tag not in known), strange(), max_size=3))
    made = {name: _value(draw, layout, struct.field(name).type, each) for name, each in values.items()}
    return Tagged(struct, made, dict(sorted(unknown.items())))


def _value(draw: st.DrawFn, layout: Layout, kind: TypeLayout, value: Any) -> Any:
    if isinstance(kind, StructType):
        return _record(draw, layout, layout.struct(kind.struct), value)
    return [_value(draw, layout, kind.element, each) for each in value] if isinstance(kind, ArrayType) else value


def flatten(layout: Layout, record: Tagged) -> bytes:
    """The flat form of a record: what is not known has none."""
    return b"".join(_flat_fields(layout, record))


def _flat_fields(layout: Layout, record: Tagged) -> Iterator[bytes]:
    for field in record.struct.fields:
        if field.gap:
            continue
        there = field.name in record.values
        if field.optional:
            yield _number(int(there))
        if there:
            yield from _flat(layout, field.type, record.values[field.name])
        elif isinstance(field.type, IntType):
            yield _number(field.default or 0)


def _flat(layout: Layout, kind: TypeLayout, value: Any) -> Iterator[bytes]:
    if isinstance(kind, StructType):
        yield flatten(layout, value)
    elif isinstance(kind, ArrayType):
        if kind.count is None:
            yield _number(len(value))
        for each in value:
            yield from _flat(layout, kind.element, each)
    else:
        yield _number(value) if isinstance(value, int) else value


def _number(value: int) -> bytes:
    return (value & _MASK).to_bytes(8, "little")


def _known(record: Tagged) -> Tagged:
    """The record without what is not known."""
    return Tagged(record.struct, {name: _bare(each) for name, each in record.values.items()}, {})


def _bare(value: Any) -> Any:
    return _known(value) if isinstance(value, Tagged) else [_bare(each) for each in value] if isinstance(value, list) else value


def verdict(layout: Layout, data: bytes, shape: str) -> Verdict:
    """What Python says."""
    fault = first_fault_tagged(layout, data, shape)
    return FINE if fault is None else (fault.rule, fault.offset)


def prove_tagged(prover: Prover, layout: Layout, shape: str, examples: int = EXAMPLES) -> None:
    """One struct: bytes to bytes, bytes to values, values to bytes, verdicts of whatever is damaged. Difference where they are apart."""
    struct = layout.struct(shape)
    drawn: list[Tagged] = []
    plain = strategies(layout)[shape]
    settings(QUICK, max_examples=examples)(given(records(layout, struct, plain))(lambda record: drawn.append(record)))()
    left = SWEPT_MAX * SWEPT_MAX
    for case in sorted((round_trip(prover, layout, shape, record) for record in drawn), key=lambda case: len(case.data)):
        left -= len(case.data) ** 2
        if left >= 0 or left + len(case.data) ** 2 == SWEPT_MAX * SWEPT_MAX:  # the shortest in any case
            sweep(case)


def round_trip(prover: Prover, layout: Layout, shape: str, record: Tagged) -> Case:
    """One record that Python writes and C reads, C writes and Python reads."""
    key = (layout.name, shape)
    data = encode_tagged(layout, record, shape)
    case = Case(prover, layout, shape, data)
    case.verdict("what a strategy draws", verdict(layout, data, shape), FINE)
    assert record == decode_tagged(layout, data, shape)
    said, written = prover.verdict(key, REWRITE, data)
    case.verdict("reading and writing it", FINE, said)
    _same(case, "what is written again", data, written)
    said, flat = prover.verdict(key, GET, data)
    case.verdict("reading it", FINE, said)
    _same(case, "the values", flatten(layout, record), flat)
    said, written = prover.verdict(key, PUT, flat)
    case.verdict("writing its values", FINE, said)
    known = _known(record)
    _same(case, "what is written of its values", encode_tagged(layout, known, shape), written)
    assert known == decode_tagged(layout, written, shape)
    return case


def _same(case: Case, what: str, python: bytes, c: bytes) -> None:
    """Difference unless both gave the same bytes."""
    if python != c:
        at = next((at for at, pair in enumerate(zip(python, c, strict=False)) if pair[0] != pair[1]), min(len(python), len(c)))
        raise case.differ(f"{what}, byte {at}", *(each[at : at + 8].hex() or "nothing" for each in (python, c)))


def sweep(case: Case) -> None:
    """Difference for the first prefix or bit on which the two do not say the same."""
    said = verdicts(case.prover.ask((case.layout.name, case.shape), SWEEP, case.data))
    size = len(case.data)
    assert 9 * size == len(said)
    for end in range(size):
        case.verdict(f"the first {end} of {size} bytes", verdict(case.layout, case.data[:end], case.shape), said[end])
    for bit in range(8 * size):
        turned = bytearray(case.data)
        turned[bit // 8] ^= 1 << bit % 8
        expected = verdict(case.layout, bytes(turned), case.shape)
        case.verdict(f"bit {bit % 8} of byte {bit // 8} turned over", expected, said[size + bit])


def prove_tagged_formats(
    registry: Any, where: Path, *, build: Build = GUARDED, page_sizes: Sequence[int] = (4096,), examples: int = EXAMPLES
) -> int:
    """Prove every struct of every tagged map in ``registry``; how many structs that were. Errors as of devstate.testing.proof.prove."""
    formats = [layouts_of(name, registry, build.byte_order) for name in registry.summaries]
    formats = [layouts for layouts in formats if layouts[0].encoding == "tagged"]
    if not formats:
        return 0
    where.mkdir(parents=True, exist_ok=True)
    for page_size in page_sizes:
        prover = Prover(where, formats, page_size=page_size, build=build)
        for layouts in formats:
            layout = registry.layout(layouts[0].name, Environment(page_size, build.byte_order))
            for struct in layout.structs:
                prove_tagged(prover, layout, struct.name, examples)
        assert prover.close() == 0
    return len(prover.order)
