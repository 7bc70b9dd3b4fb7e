# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Records from one version to another: the laws of every shipped converter, and what is refused.

For x of the old version and y of the new one:  up(x) is total;  down(up(x)) == x and loses nothing;  what down(y) loses is declared, and
up(down(y)) == y in all that is not lost.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.codec.convert import convert_record, values_of
from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.record import Record
from devstate.codec.text import from_json, to_json
from devstate.errors import EncodeError, UsageError
from devstate.layout.alike import is_alike
from devstate.layout.compiling import compile_schemas
from devstate.layout.model import ArrayType, BytesType, Environment, IntType, Layout, StructType
from devstate.layout.registry import Registry
from devstate.schema import (
    U8,
    U16,
    U32,
    U64,
    Array,
    BlockChain,
    Chars,
    Choose,
    Contiguous,
    Converter,
    Flags,
    Phys,
    Reserved,
    Schema,
    Struct,
    this,
)
from tests.codec.strategies import environments, records

REGISTRY = Registry.shipped()
STEPS = [
    step
    for step in REGISTRY.steps
    if all(isinstance(REGISTRY.layout(name, Environment()).root, str) for name in (step.source, step.target))
]

AT_MOST = {"nr_devices": (1 << 32) - 1}
"""Counters that the format itself bounds, by how many entries there are."""


def allowed(layout: Layout, struct: str, values: dict[str, Any], links: dict[str, bool]) -> dict[str, Any]:
    """The values with those that the version does not allow made good, and without links whose target differs in the other version."""
    for field in layout.struct(struct).fields:
        value = values.get(field.name)
        if field.must is not None:
            values[field.name] = field.must
        elif isinstance(field.type, StructType):
            allowed(layout, field.type.struct, value, links)
        elif isinstance(field.type, ArrayType) and isinstance(field.type.element, StructType):
            for each in value:
                allowed(layout, field.type.element.struct, each, links)
        elif isinstance(field.type, IntType) and (field.minimum is not None or field.maximum is not None):
            values[field.name] = max(field.minimum or 0, min(value, value if field.maximum is None else field.maximum))
        if field.name in AT_MOST:
            values[field.name] = min(values[field.name], AT_MOST[field.name])
        if not links.get(field.name, True):
            values[field.name] = 0
        if isinstance(field.type, BytesType) and field.type.text and field.name in values:
            text = b"x" * min(4, field.type.size - 1)
            values[field.name] = text.ljust(field.type.size, b"\0")
            if struct == layout.root and layout.carrier == f"field:{field.name}":
                values[field.name] = (layout.compatible or "").encode().ljust(field.type.size, b"\0")
    return values


def drawn(data: st.DataObject, name: str, other: str, environment: Environment) -> Record:
    """A record of the schema ``name``, as its version allows it."""
    layout, target = REGISTRY.layout(name, environment), REGISTRY.layout(other, environment)
    there = {field.name: field for field in target.struct().fields}
    links = {
        field.name: is_alike(layout, field, target, there[field.name]) for field in layout.struct().fields if field.name in there
    }
    record = decode(layout, data.draw(records(layout, str(layout.root))), exact=True)
    return decode(layout, encode(layout, allowed(layout, str(layout.root), values_of(record), links)), exact=True)


@pytest.mark.parametrize("step", [step for step in STEPS if not step.down], ids=lambda step: f"{step.source}-{step.target}")
@given(st.data(), environments)
@settings(max_examples=25, deadline=None)
def test_up_is_total_and_loses_nothing(step: Any, data: st.DataObject, environment: Environment) -> None:
    """Every record of the old version becomes one of the new, and the old one again."""
    record = drawn(data, step.source, step.target, environment)
    up = convert_record(REGISTRY, step.source, step.target, record, environment)
    assert () == up.losses
    if step.back is not None:
        down = convert_record(REGISTRY, step.target, step.source, up.record, environment)
        assert (record, ()) == (down.record, down.losses)


@pytest.mark.parametrize("step", [step for step in STEPS if step.down], ids=lambda step: f"{step.source}-{step.target}")
@given(st.data(), environments)
@settings(max_examples=25, deadline=None)
def test_down_loses_what_it_says(step: Any, data: st.DataObject, environment: Environment) -> None:
    """What is lost is declared; what is not lost comes back. A value that does not fit is refused, not cut."""
    record = drawn(data, step.source, step.target, environment)
    try:
        down = convert_record(REGISTRY, step.source, step.target, record, environment)
    except EncodeError as error:
        assert "does not fit" in error.message or "out of range" in error.message
        return
    lost = {loss.field for _, loss in down.losses}
    assert lost <= set(step.loses)
    if step.back is None:
        return
    again = convert_record(REGISTRY, step.target, step.source, down.record, environment).record
    layout = REGISTRY.layout(step.source, environment)
    differ = [field.name for field in layout.struct().fields if getattr(again, field.name) != getattr(record, field.name)]
    assert bool(differ) == bool(lost)


def clock(*converters: Converter, **more: Any) -> Registry:
    """Two versions of a made-up format."""
    common = {"doc": "a clock", "source": "made up", "status": "project", "found_by": "luo_file_ser.data", "carrier": "string"}
    inner = Struct("part", "low" / U8, "high" / U8, packed=True)
    wider = Struct("part", "low" / U16, "high" / U8, "new" / U8, packed=True)
    schemas = [
        Schema(
            compatible="clock-v1",
            root=Struct(
                "clock_ser", "ms" / U32, "mode" / U8, "bits" / Flags(U8, A=0, B=1), "name" / Chars(4), "gone" / Reserved(3),
                "parts" / Array(2, inner), packed=True,
            ),
            **common,  # type: ignore[arg-type]
        ),
        Schema(
            compatible="clock-v2",
            replaces="clock-v1",
            root=Struct(
                "clock_ser", "ns" / U64, "mode" / U8, "bits" / Flags(U8, A=0), "name" / Chars(8), "parts" / Array(2, wider), packed=True
            ),
            **common,  # type: ignore[arg-type]
        ),
    ]  # fmt: skip
    registry = REGISTRY.copy()
    registry.add_compiled(compile_schemas(schemas, converters or [CLOCK]), "test")
    return registry


CLOCK = Converter(
    "clock-v1",
    "clock-v2",
    up={"ns": this.ms * 1000000, "mode": Choose(this.mode, {0: 0, 1: 2, 2: 1}), "part.new": this.low + this.high},
    down={"ms": this.ns // 1000000, "mode": Choose(this.mode, {0: 0, 1: 2, 2: 1})},
    loses=("ns", "part.new"),
)

OLD = {"ms": 5, "mode": 1, "bits": ["A"], "name": "utc", "parts": [{"low": 1, "high": 2}, {"low": 3, "high": 4}]}
NEW = {
    "ns": 5000000, "mode": 2, "bits": ["A"], "name": "utc", "parts": [{"low": 1, "high": 2, "new": 3}, {"low": 3, "high": 4, "new": 7}],
}  # fmt: skip


def shown(registry: Registry, source: str, target: str, record: Any) -> tuple[Any, list[tuple[str, str, object]]]:
    """A JSON record through the converters: the JSON record, and what was lost."""
    layout = registry.layout(source, Environment())
    made = convert_record(registry, source, target, from_json(layout, record), Environment())
    return to_json(made.layout, made.record), [(loss.path, loss.field, loss.value) for _, loss in made.losses]


def test_computed_values() -> None:
    """Arithmetic, choices, texts of another length, structs inside of arrays; there and back."""
    registry = clock()
    assert (NEW, []) == shown(registry, "clock-v1", "clock-v2", OLD)
    assert (OLD, []) == shown(registry, "clock-v2", "clock-v1", NEW)


def test_losses_are_measured() -> None:
    """Only what differs from what the way up would give is lost; it is named by its path and by the name to declare."""
    changed = {**NEW, "ns": 5000001, "parts": [NEW["parts"][0], {"low": 3, "high": 4, "new": 9}]}
    made, lost = shown(clock(), "clock-v2", "clock-v1", changed)
    assert OLD == made
    assert [("ns", "ns", 5000001), ("parts[1].new", "part.new", 9)] == lost


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"mode": 9}, "mode", "the converter knows no such value"),
        ({"ns": 1 << 63}, "ms", "the value does not fit into clock-v1"),
        ({"name": "longer"}, "name", "the bytes do not fit into clock-v1"),
        ({"parts": [{"low": 256, "high": 0, "new": 0}] * 2}, "parts[0].low", "the value does not fit into clock-v1"),
    ],
)
def test_what_cannot_be_carried(change: dict[str, Any], path: str, message: str) -> None:
    """Nothing is cut: the field is named."""
    with pytest.raises(EncodeError, match=message) as caught:
        shown(clock(), "clock-v2", "clock-v1", NEW | change)
    assert path == caught.value.path


def test_a_flag_that_the_other_version_lacks() -> None:
    """It would be refused or ignored there; a bit that no version names stays."""
    with pytest.raises(EncodeError, match="clock-v2 does not have these flags") as caught:
        shown(clock(), "clock-v1", "clock-v2", OLD | {"bits": ["B"]})
    assert ("bits", "B") == (caught.value.path, caught.value.found)
    assert ["0x80"] == shown(clock(), "clock-v1", "clock-v2", OLD | {"bits": ["0x80"]})[0]["bits"]


def test_a_loss_that_is_not_declared() -> None:
    """A converter that says too little is caught by the record, not believed."""
    up, down = {"ns": this.ms * 1000000, "part.new": 0}, {"ms": this.ns // 1000000}
    liar = Converter("clock-v1", "clock-v2", up=up, down=down, loses=("part.new",))
    with pytest.raises(EncodeError, match="loses this, and does not say so") as caught:
        shown(clock(liar), "clock-v2", "clock-v1", NEW | {"ns": 1})
    assert "ns" == caught.value.path


def test_divisions_and_shifts() -> None:
    """A division by 0 is an error with the field; a shift by a huge number costs nothing."""
    for value, message in ((this.ms // this.mode, "cannot be computed"), (this.ms << this.ms, "does not fit")):
        registry = clock(Converter("clock-v1", "clock-v2", up={"ns": value, "part.new": 0}, one_way="up"))
        with pytest.raises(EncodeError, match=message):
            shown(registry, "clock-v1", "clock-v2", OLD | {"ms": 4000000000, "mode": 0})


def test_one_way() -> None:
    """Where only one way is declared, the other is not there; what may be lost is then said whenever it is set."""
    registry = clock(Converter("clock-v1", "clock-v2", one_way="down", down={"ms": 0}, loses=("ns", "part.new")))
    made, lost = shown(registry, "clock-v2", "clock-v1", NEW)
    assert (0, ["ns", "part.new"]) == (made["ms"], [path for path, _, _ in lost])
    with pytest.raises(UsageError, match=r"no converter leads from clock-v1 to clock-v2; from clock-v1 they lead to nothing"):
        shown(registry, "clock-v1", "clock-v2", OLD)


def test_links() -> None:
    """An address is carried when what it leads to has one form in both versions; 0 always is."""
    base = {"compatible": "luo-v4", "liveupdate_num": 1, "sessions_pa": "0x0", "flbs_pa": "0x5000"}
    assert (base | {"compatible": "luo-v5"}, []) == shown(REGISTRY, "luo-v4", "luo-v5", base)
    with pytest.raises(EncodeError, match=r"another form in luo-v5.*convert the handover") as caught:
        shown(REGISTRY, "luo-v4", "luo-v5", base | {"sessions_pa": "0x1000"})
    assert "sessions_pa" == caught.value.path
    longer = {"compatible": "luo-v5", "liveupdate_num": 1, "sessions_pa": "0x1000", "flbs_pa": "0x5000"}
    assert "luo-v5;block-v1" == shown(REGISTRY, "luo-v5", "luo-v5;block-v1", longer)[0]["compatible"]


def test_areas_of_another_size() -> None:
    """The same entries in an area that has another size, or in a chain that is counted: another form."""
    entry = Struct("entry", "x" / U32)

    def of(number: int, target: Any) -> Schema:
        root = Struct("top", "count" / U64, "entries" / Phys(target))
        return Schema(compatible=f"area-v{number}", root=root, doc="d", source="s", status="project")

    sizes = [Contiguous(entry, this.count, size) for size in (4096, 8192, 4096)]
    targets = [*sizes[:2], BlockChain(entry), sizes[2]]
    schemas = [of(number, target) for number, target in enumerate(targets)]
    registry = REGISTRY.copy()
    registry.add_compiled(compile_schemas(schemas, [Converter("area-v0", f"area-v{number}") for number in (1, 2, 3)]), "test")
    record = {"count": 1, "entries": "0x1000"}
    for number in (1, 2):
        with pytest.raises(EncodeError, match=f"another form in area-v{number}"):
            shown(registry, "area-v0", f"area-v{number}", record)
    assert (record, []) == shown(registry, "area-v0", "area-v3", record)


def test_values_that_a_version_does_not_allow() -> None:
    """They are refused, not lost."""
    folios = {"first": "0x0", "total_pages": 0, "flags": [], "order": 0}
    record = {"pos": 0, "size": 0, "seals": [], "flags": 1, "nr_folios": 0, "folios": folios}
    with pytest.raises(EncodeError, match="memfd-v2 allows one value only"):
        shown(REGISTRY, "memfd-v2", "memfd-v1", record)


def test_devicetrees() -> None:
    """They are converted with their handover only."""
    layout = REGISTRY.layout("luo-v3", Environment())
    record = from_json(layout, {"compatible": "luo-v3", "liveupdate_num": 1, "sessions_pa": "0x0", "flbs_pa": "0x0"})
    with pytest.raises(UsageError, match="luo-v2 is a devicetree"):
        convert_record(REGISTRY, "luo-v3", "luo-v1", record, Environment())


def test_flexible_arrays() -> None:
    """An array under another name and with other elements."""
    hwpts = [{"token": 1, "domain_data": "0x1000", "reclaimed": 0}, {"token": 2, "domain_data": "0x2000", "reclaimed": 1}]
    old = {"nr_hwpts": 2, "hwpts": hwpts}
    made, lost = shown(REGISTRY, "iommufd-v1@hwpts", "iommufd-v1", old)
    assert ([1, 2], []) == ([each["token"] for each in made["hwpt_array"]], lost)
    assert (old, []) == shown(REGISTRY, "iommufd-v1", "iommufd-v1@hwpts", made)
