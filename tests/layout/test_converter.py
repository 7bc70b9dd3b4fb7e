# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Converters as they are declared: a closed language, checked against both layouts, kept in the compiled file, found as chains."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from devstate.errors import DecodeError, SchemaError
from devstate.layout.compiling import compile_schemas
from devstate.layout.converter import reached, steps_from_plain
from devstate.layout.model import Environment
from devstate.layout.registry import COMPILED_VERSION, Registry
from devstate.schema import U8, U16, U32, Chars, Choose, Const, Converter, MustBeZero, Node, Reserved, Schema, Struct, this

ABOUT: dict[str, Any] = {"doc": "d", "source": "s", "status": "project"}
INNER = Struct("part", "x" / U8)
SCHEMAS = [
    Schema(compatible="a-v1", root=Struct("a", "one" / U8, "gone" / U16, "part" / INNER), **ABOUT),
    Schema(
        compatible="a-v2",
        replaces="a-v1",
        carrier="field:compatible",
        version=("number", 2),
        root=Struct(
            "a", "compatible" / Chars(8), "number" / Const(U8, 2), "zero" / MustBeZero(U32), "pad" / Reserved(3), "one" / U8, "new" / U16,
            "part" / INNER,
        ),
        **ABOUT,
    ),
    Schema(compatible="tree-v1", root=Node("", compatible="tree-v1"), **ABOUT),
]  # fmt: skip


def compiled(*converters: Converter) -> Registry:
    registry = Registry()
    registry.add_compiled(compile_schemas(SCHEMAS, converters), "test")
    return registry


def test_what_comes_by_itself() -> None:
    """Strings, numbers of versions, zeros and reserved bytes need no value, and are no loss."""
    (up, down) = compiled(Converter("a-v1", "a-v2", up={"new": this.gone}, down={"gone": this.new})).steps
    assert ({"new": ["this", "gone"]}, {"gone": ["this", "new"]}, ()) == (up.moves, down.moves, down.loses)


@pytest.mark.parametrize(
    ("converter", "message"),
    [
        (Converter("a-v1", "a-v2", down={"gone": 0}, loses=("new",)), r"a-v1 to a-v2: up\.new: a-v1 has no new: say what it is to be"),
        (Converter("a-v1", "a-v2", up={"new": 0}, loses=("new",)), r"a-v1 to a-v2: down\.gone: a-v2 has no gone"),
        (Converter("a-v1", "a-v2", up={"new": 0}, down={"gone": 0}), r"a-v1 has no new: loses=\('new',\)"),
        (Converter("a-v1", "a-v2", up={"new": this.none}, one_way="up"), r"a-v1 has no this\.none"),
        (Converter("a-v1", "a-v2", up={"new": this.part.y}, one_way="up"), r"a-v1 has no this\.part\.y"),
        (Converter("a-v1", "a-v2", up={"new": this.one.x}, one_way="up"), r"a-v1 has no this\.one\.x"),
        (Converter("a-v1", "a-v2", up={"new": 0, "part.y": 0}, one_way="up"), r"up\.part\.y: a-v2 has no such field"),
        (Converter("a-v1", "a-v2", up={"new": 0}, down={"gone": 0}, loses=("new", "what")), "loses 'what', which a-v2 does not have"),
        (Converter("a-v1", "a-v3"), "a-v1 to a-v3: no schema is called 'a-v3'"),
        (Converter("a-v1", "tree-v1", up={"x": 0}), "a devicetree is converted with its handover"),
    ],
)
def test_what_is_refused(converter: Converter, message: str) -> None:
    """With both names, the way and the field."""
    with pytest.raises(SchemaError, match=message):
        compiled(converter)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Converter("a", "b", up={"x": lambda record: 0}), r"a to b: up\.x: .* not a lambda"),
        (lambda: Converter("a", "b", up={"x": 1.5}), r"not 1\.5"),
        (lambda: Converter("a", "b", up={"x": -this.y}), "not "),
        (lambda: Converter("a", "b", up={"x": this.y / 2}), "not "),
        (lambda: Converter("a", "b", up=lambda record: record), "a mapping from fields to values"),
        (lambda: Converter("a", "b", loses="seals"), "loses is a tuple of names"),
        (lambda: Converter("a", "b", one_way="both"), "one_way is up or down"),
        (lambda: Choose(this.x, {"a": 1}), "a choice is a number for a number"),
        (lambda: Choose(this.x, [1]), "a choice is a number for a number"),
    ],
)
def test_a_closed_language(make: Any, message: str) -> None:
    """No functions, no fractions."""
    with pytest.raises(SchemaError, match=message):
        make()


def test_expressions_as_data() -> None:
    """What stands in the compiled file."""
    values = {"x": (this.p.q * 8 + 1) % 3, "t": "text", "s": {"m": [0, this.n]}, "c": Choose(this.m, {1: 2}), "b": this.n != 0}
    assert {
        "x": ["%", ["+", ["*", ["this", "p", "q"], 8], 1], 3],
        "t": b"text",
        "s": {"m": ["row", 0, ["this", "n"]]},
        "c": ["choose", ["this", "m"], [[1, 2]]],
        "b": ["!=", ["this", "n"], 0],
    } == Converter("a", "b", up=values).up


def test_chains() -> None:
    """The fewest steps; none to itself; None where nothing leads."""
    registry = Registry.shipped()
    chain = registry.chain("luo-v1@6.19", "luo-v5")
    assert chain is not None
    assert ["luo-v1", "luo-v2", "luo-v3", "luo-v4", "luo-v5"] == [step.target for step in chain]
    assert () == registry.chain("luo-v5", "luo-v5")
    assert None is registry.chain("luo-v5", "memfd-v1")
    assert None is registry.chain("nothing", "memfd-v1")
    assert "memfd-v1" in reached(registry.steps, "memfd-v2;vmalloc-v1")
    down = registry.chain("luo-v5", "luo-v1@6.19")
    assert down is not None and [("flbs",)] == [step.loses for step in down if step.loses]


def test_every_bump_of_mainline_has_a_converter() -> None:
    """What replaces a mainline format is reached from it, and leads back."""
    registry = Registry.shipped()
    for name, summary in registry.summaries.items():
        replaced = registry.layout(name, Environment()).replaces
        if summary.status == "mainline" and replaced is not None:
            assert registry.chain(replaced, name) is not None and registry.chain(name, replaced) is not None, name


def test_one_between_the_same_schemas_is_replaced() -> None:
    """As schemas are: what comes last counts."""
    registry = compiled(Converter("a-v1", "a-v2", up={"new": 0}, one_way="up"))
    registry.add_compiled(compile_schemas(SCHEMAS, [Converter("a-v1", "a-v2", up={"new": 7}, one_way="up")]), "later")
    assert [{"new": 7}] == [step.moves for step in registry.steps]


def test_a_damaged_file() -> None:
    """Not a list of converters: DecodeError, like all that stands in it."""
    for bad in ([5], [{"old": "a"}], 5, [{"old": "a", "new": "b", "up": 5, "down": None, "loses": []}]):
        with pytest.raises(DecodeError):
            Registry().add_compiled(msgpack.packb({"version": COMPILED_VERSION, "schemas": {}, "converters": bad}), "x")
        with pytest.raises(DecodeError):
            steps_from_plain(bad)
