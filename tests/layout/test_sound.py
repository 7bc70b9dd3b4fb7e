# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts from input: what lowering makes is taken, anything else is refused with an error of ours, and what is taken can be used."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.text import from_json, to_json
from devstate.errors import DecodeError, DevstateError, LimitError
from devstate.layout import sound
from devstate.layout.baseline import fingerprint
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.plain import to_plain
from devstate.layout.registry import Registry
from devstate.layout.sound import layout_from_input
from tests.codec.strategies import environments, schema_of, structs

REGISTRY = Registry.shipped()
FORMATS = [name for name, summary in REGISTRY.summaries.items() if isinstance(REGISTRY.layout(name, Environment()).root, str)]


def taken(plain: Any) -> Any:
    """The layout, under the fingerprint that fits."""
    return layout_from_input(msgpack.packb(plain), fingerprint(plain))


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_shipped(name: str) -> None:
    """Every struct format, on every page size, in both byte orders, comes back equal."""
    for page_size in PAGE_SIZES:
        for order in ("little", "big"):
            layout = REGISTRY.layout(name, Environment(page_size, order))  # type: ignore[arg-type]  # one of the two
            assert layout == taken(to_plain(layout))


@given(structs(), environments)
@settings(max_examples=100, deadline=None)
def test_whatever_is_lowered(root: Any, environment: Environment) -> None:
    """Any schema of the language."""
    layout = lower(schema_of(root), environment)
    assert layout == taken(to_plain(layout))


def places(plain: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key) in plain data."""
    pending = [plain]
    for each in pending:
        for key in list(each) if isinstance(each, dict) else range(len(each)):
            yield each, key
            if isinstance(each[key], dict | list):
                pending.append(each[key])


ODD = (
    None, True, False, 0, 1, 2, 3, 7, 8, 9, 16, 63, 64, 65, 4095, 4096, 1 << 20, (1 << 20) + 1, 1 << 31, (1 << 63) - 1, 1 << 63,
    (1 << 64) - 1, -1, -8, "", "x", "native", "flags", "enum", "int", "struct", "array", "union", "bytes", "__class__", "_pad0", "a b",
    "name", "count",
    [], {}, [[]], {"is": "int", "size": 8}, {"is": "bytes", "size": 1 << 40}, {"is": "struct", "struct": "memfd_luo_ser"}, [["A", 70]],
    [["A", -1]],
)  # fmt: skip


KEYS = ("width", "shift", "flexible", "counted_by", "tag", "must", "gap", "order", "signed", "names", "kind")


def edited(plain: Any, rng: random.Random) -> Any:
    """Plain data with one thing replaced, taken out, doubled or added."""
    made = copy.deepcopy(plain)
    holder, key = rng.choice(list(places(made)))
    how = rng.randrange(5)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif how == 2 and isinstance(holder[key], int):
        holder[key] += rng.choice((-1, 1, 8, 1 << 20))
    elif how == 3 and isinstance(holder, dict):
        holder[rng.choice(KEYS)] = rng.choice(ODD)
    else:
        holder[key] = copy.deepcopy(rng.choice(ODD))
    return made


def test_edited_layouts() -> None:
    """Thousands of edits of well-formed layouts under a fingerprint that fits: refused with a DecodeError, or usable to the end."""
    rng = random.Random(20)
    plains = [to_plain(REGISTRY.layout(name, Environment())) for name in FORMATS]
    good = 0
    for _ in range(6000):
        plain = edited(rng.choice(plains), rng)
        for _ in range(rng.choice((0, 0, 0, 1))):
            plain = edited(plain, rng)
        try:
            layout = taken(plain)
        except (DecodeError, OverflowError):  # msgpack packs no number beyond 64 bits
            continue
        good += 1
        for struct in layout.structs:
            data = rng.randbytes(min(struct.size, 1 << 14))
            try:
                record = decode(layout, data, struct.name, exact=True)
            except DevstateError:
                continue
            assert data == encode(layout, record, struct.name)
            assert record == from_json(layout, to_json(layout, record), struct.name)
    assert 500 < good < 5000


def test_every_prefix_and_flip() -> None:
    """A cut or flipped layout is refused; with its own fingerprint no flip gets through that changes bytes."""
    plain = to_plain(REGISTRY.layout("kexec-metadata", Environment()))
    data, name = msgpack.packb(plain), fingerprint(plain)
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            layout_from_input(data[:end], name)
    whole = layout_from_input(data, name)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            layout = layout_from_input(bytes(flipped), name)
        except DecodeError:
            continue
        record = decode(layout, bytes(range(73)))
        assert tuple(record) == tuple(decode(whole, bytes(range(73))))


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each limit it is taken, one above not."""
    plain = to_plain(REGISTRY.layout("kexec-metadata", Environment()))
    data, name = msgpack.packb(plain), fingerprint(plain)
    fields = sum(len(struct["fields"]) for struct in plain["structs"])
    for limit, value in (("BYTES_MAX", len(data)), ("STRUCTS_MAX", 1), ("FIELDS_MAX", fields), ("SIZE_MAX", 73), ("SLOTS_MAX", 3)):
        monkeypatch.setattr(sound, limit, value)
        assert "kexec-metadata" == layout_from_input(data, name).name
        monkeypatch.setattr(sound, limit, value - 1)
        with pytest.raises(DecodeError):
            layout_from_input(data, name)
        monkeypatch.undo()


def nested(depth: int) -> Any:
    plain = to_plain(REGISTRY.layout("kexec-metadata", Environment()))
    kind: Any = {"is": "int", "size": 1}
    for _ in range(depth):
        kind = {"is": "array", "element": kind, "stride": 1, "count": 1}
    plain["structs"][0]["fields"] = [{"name": "a", "offset": 0, "size": 1, "type": kind}]
    plain["structs"][0]["size"] = 1
    return plain


def test_nesting() -> None:
    """Arrays in arrays up to a limit; nesting of the plain form up to another; neither ends in a RecursionError."""
    assert 1 == taken(nested(sound.NEST_MAX)).struct().size
    with pytest.raises(DecodeError, match="arrays in each other"):
        taken(nested(sound.NEST_MAX + 1))
    with pytest.raises(LimitError, match="nested too deeply"):
        layout_from_input(msgpack.packb(nested(40)), "x")
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(DecodeError):
        layout_from_input(msgpack.packb({"structs": deep}), "x")
    with pytest.raises(DecodeError):
        layout_from_input(b"\x91" * 100_000, "x")


def test_structs_that_hold_themselves() -> None:
    """A struct is made of structs before it: there is no way around in a circle."""
    plain = to_plain(REGISTRY.layout("kexec-metadata", Environment()))
    name = plain["structs"][0]["name"]
    plain["structs"][0]["fields"][0]["type"] = {"is": "struct", "struct": name}
    with pytest.raises(DecodeError, match="does not stand before it"):
        taken(plain)


def test_the_name_must_fit() -> None:
    """A layout under another's fingerprint is refused, however sound it is."""
    data = [msgpack.packb(to_plain(REGISTRY.layout(name, Environment()))) for name in ("memfd-v1", "memfd-v2")]
    names = [fingerprint(msgpack.unpackb(each)) for each in data]
    assert ["memfd-v1", "memfd-v2"] == [layout_from_input(*pair).name for pair in zip(data, names, strict=True)]
    for pair in zip(data, reversed(names), strict=True):
        with pytest.raises(DecodeError, match="not the one that its name says"):
            layout_from_input(*pair)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ([(0, 4), (4, 4)], None),
        ([(0, 4), (4, 3)], "bits that no field has"),
        ([(0, 4), (3, 5), (4, 4)], "bits that another field has"),
        ([(0, 4), (4, 5)], "a bit-field"),
        ([(0, 0), (0, 8)], "a bit-field"),
    ],
)
def test_bits(bits: list[tuple[int, int]], message: str | None) -> None:
    """Each bit of a unit is in one field."""
    plain = to_plain(REGISTRY.layout("kexec-metadata", Environment()))
    unit = {"offset": 0, "size": 1, "type": {"is": "int", "size": 1}}
    plain["structs"][0]["fields"] = [unit | {"name": f"b{at}", "shift": shift, "width": width} for at, (shift, width) in enumerate(bits)]
    plain["structs"][0]["size"] = 1
    if message is None:
        assert 2 == len(taken(plain).struct().fields)
        return
    with pytest.raises(DecodeError, match=message):
        taken(plain)


def test_numbers_that_multiply() -> None:
    """Arrays of structs of arrays of structs cost what they claim: they are refused by what they come to."""
    plain = to_plain(REGISTRY.layout("kexec-metadata", Environment()))
    made: list[Any] = []
    for at in range(8):
        inner = {"is": "struct", "struct": f"s{at - 1}"}
        kind: Any = {"is": "array", "element": inner, "stride": 16 ** (at - 1), "count": 16} if at else {"is": "int", "size": 1}
        field = {"name": "a", "offset": 0, "size": 16**at, "type": kind}
        made.append({"name": f"s{at}", "size": 16**at, "align": 1, "packed": True, "fields": [field]})
    plain["structs"], plain["root"] = made, "s7"
    plain.pop("version", None)
    with pytest.raises(DecodeError, match="not sound"):
        taken(plain)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes(data: bytes) -> None:
    """Refused."""
    with pytest.raises(DecodeError):
        layout_from_input(data, "0" * 16)
