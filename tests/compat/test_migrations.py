# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Declared converters in the rules: a step that is missing, one that fails, a way back that loses; and what predict says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstate.compat.change import Migration
from devstate.compat.compare import compare
from devstate.compat.examine import examine
from devstate.compat.judge import judge
from devstate.compat.manifest import release_manifest
from devstate.compat.migrations import FAILURES_MAX, migration, migrations
from devstate.compat.predict import predict
from devstate.finding import Severity
from devstate.frozen import replace
from devstate.layout.compiling import add_user_schemas, compile_schemas
from devstate.layout.converter import Step
from devstate.layout.declared import Declared
from devstate.layout.lower import lower
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry
from devstate.schema import U8, U32, Choose, Converter, Schema, Struct, this

REGISTRY = Registry.shipped()
HERE = Environment()


def clock(number: int, *fields: Any) -> Schema:
    return Schema(
        compatible=f"clock-v{number}", doc="d", source="s", status="project", carrier="string", root=Struct("clock", *fields, packed=True),
        replaces=f"clock-v{number - 1}" if number > 1 else None,
    )  # fmt: skip


SCHEMAS = [clock(1, "ms" / U32, "mode" / U8), clock(2, "mode" / U8, "ms" / U32), clock(3, "mode" / U8, "ms" / U32, "zone" / U8)]
FIRST = Converter("clock-v1", "clock-v2")
SECOND = Converter("clock-v2", "clock-v3", up={"zone": 0}, loses=("zone",))


def steps(*converters: Converter) -> list[Step]:
    registry = Registry()
    registry.add_compiled(compile_schemas(SCHEMAS, converters), "test")
    return registry.steps


def layout(number: int) -> Layout:
    return lower(SCHEMAS[number - 1], HERE)


def find(name: str) -> Layout:
    return layout(int(name[-1]))


def found(old: int, new: int, *converters: Converter) -> list[tuple[str, str]]:
    """(rule, message) of the rules about converters."""
    declared = migrations(steps(*converters), layout(old), layout(new), find)
    verdict = judge(replace(compare(layout(old), layout(new)), migrations=declared))
    return [(each.rule, each.message) for each in verdict.findings if each.rule.startswith("DS60")]


def test_a_step_is_missing() -> None:
    """Only where there are converters for this format that go up from the old version."""
    assert [] == found(1, 3)
    assert [("DS601", "converters lead from clock-v1 to clock-v2, not to clock-v3")] == found(1, 3, FIRST)
    assert [] == found(1, 2, FIRST)
    assert [] == found(2, 3, FIRST), "a way down from the old version is no promise of one up"


def test_the_way_back_loses() -> None:
    """Over all steps; the outcome of the directions is the kernels', which run no converter."""
    assert [("DS603", "clock-v3 to clock-v2 loses zone")] == found(1, 3, FIRST, SECOND)
    with_it = replace(compare(layout(2), layout(3)), migrations=migrations(steps(SECOND), layout(2), layout(3), find))
    plain, told = judge(compare(layout(2), layout(3))), judge(with_it)
    assert (plain.read_old, plain.read_new) == (told.read_old, told.read_new)


def test_a_converter_fails() -> None:
    """On what the old version allows: it is tried out on the limits of each field."""
    choosy = Converter("clock-v1", "clock-v2", up={"mode": Choose(this.mode, {0: 1})}, down={"mode": Choose(this.mode, {1: 0})})
    findings = found(1, 2, choosy)
    assert FAILURES_MAX == len(findings)
    failure = "all at their most: mode: the converter knows no such value; expected 0; found 255"
    assert ("DS602", f"clock-v1 to clock-v2: {failure}") == findings[0]
    wide = Converter("clock-v1", "clock-v2", up={"ms": this.ms * 2}, down={"ms": this.ms // 2}, loses=("ms",))
    assert "ms at its most: ms: the value does not fit into clock-v2" in found(1, 2, wide)[1][1]


@pytest.mark.parametrize("step", REGISTRY.steps, ids=lambda step: f"{step.source}-{step.target}")
def test_shipped_converters_do_not_fail(step: Step) -> None:
    """On no limit of any field."""
    made = migration(step, *(REGISTRY.layout(name, HERE) for name in (step.source, step.target)))
    counters = {"nr_devices", "max_nr_devices"}
    assert Migration(step.source, step.target, step.loses) == replace(
        made, failures=tuple(each for each in made.failures if not counters & set(each.replace(":", "").split()))
    )


def test_sources() -> None:
    """Converters of the registry and of the user's own file count, between what is written down as schemas."""
    seven = [Declared(name, "schemas", HERE, (REGISTRY.layout(name, HERE),)) for name in ("luo-v5", "luo-v1@6.19")]
    report = examine([(seven[1], seven[0])], registry=REGISTRY)
    assert ["luo-v1 to luo-v1@6.19 loses flbs"] == [each.message for each in report.findings if each.rule.startswith("DS60")]
    headers = [replace(each, kind="headers") for each in seven]
    assert [] == [each for each in examine([(headers[1], headers[0])], registry=REGISTRY).findings if each.rule.startswith("DS60")]
    own = [Declared("old", "schemas", HERE, (layout(2),)), Declared("new", "schemas", HERE, (layout(3),), steps=tuple(steps(SECOND)))]
    assert ["DS603"] == [each.rule for each in examine([(own[0], own[1])]).findings if each.rule.startswith("DS60")]


def test_predict_names_converters_and_trusts_none() -> None:
    """The verdict is that of kernels, which convert nothing; the reason says what would lead there."""
    prediction = predict(release_manifest(REGISTRY, "7.0"), release_manifest(REGISTRY, "7.1"), REGISTRY)
    root = next(each for each in prediction.components if each.name == "KHO root")
    assert ("BLOCK", "REFUSED", "ignored") == (str(root.verdict), str(root.outcome), root.reaction)
    assert ("`devstate convert` brings kho-v1 to kho-v3; no kernel does it",) == root.advice
    back = predict(release_manifest(REGISTRY, "7.1"), release_manifest(REGISTRY, "7.0"), REGISTRY)
    assert "and may lose subtrees" in next(each for each in back.components if each.name == "KHO root").advice[0]
    same = predict(release_manifest(REGISTRY, "7.2"), release_manifest(REGISTRY, "7.3"), REGISTRY)
    assert {()} == {each.advice for each in same.components}


def test_severities() -> None:
    """A missing step and a failing one are errors, a loss is a warning."""
    declared = migrations(steps(SECOND), layout(2), layout(3), find)
    verdict = judge(replace(compare(layout(2), layout(3)), migrations=declared))
    assert {Severity.WARNING} == {each.severity for each in verdict.findings if each.rule == "DS603"}


NESTED = """
from devstate.schema import *

def schema(name, field, **more):
    ring = Struct("ring", "size" / field, packed=True)
    root = Struct("rings", "count" / U32, "rings" / FlexArray(ring, count=this.count), packed=True)
    return Schema(compatible=name, doc="d", source="s", status="project", found_by="f", carrier="string", root=root, **more)

def tagged(name, *fields, **more):
    root = Struct("control", "id" / U8 * About(tag=1), *fields, packed=True)
    more |= {"status": "project", "found_by": "f", "carrier": "string", "encoding": "tagged", "root": root}
    return Schema(compatible=name, doc="d", source="s", **more)

SCHEMAS = [
    schema("rings-v1", U32), schema("rings-v2", U16, replaces="rings-v1"),
    tagged("control-v1", "mtu" / U32 * About(tag=2, optional=True)),
    tagged("control-v2", "mtu" / U32 * About(tag=2), replaces="control-v1"),
]
CONVERTERS = [Converter("rings-v1", "rings-v2"), Converter("control-v1", "control-v2")]
"""


@pytest.mark.parametrize(
    ("old", "new", "what", "text"),
    [
        ("rings-v1", "rings-v2", "all at their most", "rings[0].size: the value does not fit into rings-v2"),
        ("control-v1", "control-v2", "without what may be absent", "mtu: control-v1 has no value for it"),
    ],
)
def test_what_fails_inside_and_what_is_absent(tmp_path: Path, old: str, new: str, what: str, text: str) -> None:
    """Entries of flexible arrays are tried as well, and records of tagged maps without what may be absent."""
    (tmp_path / "nested.py").write_text(NESTED)
    registry = Registry()
    add_user_schemas(registry, str(tmp_path / "nested.py"))
    layouts = [registry.layout(name, Environment()) for name in (old, new)]
    found = migrations(registry.steps, *layouts, lambda name: registry.layout(name, Environment()))
    assert found is not None
    failures = [each for migration in found for each in migration.failures]
    assert any(each.startswith(f"{what}: ") and text in each for each in failures), failures
