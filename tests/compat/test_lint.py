# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""lint: each thing that it finds, once; silence where there is nothing; facts of upstream as information with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from devstate.compat.lint import Linted, lint, merged
from devstate.finding import Location, Severity
from devstate.frozen import replace
from devstate.layout.converter import Step
from devstate.layout.declared import Declared
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.registry import Registry
from devstate.schema import (
    PAGE_SIZE,
    U8,
    U32,
    U64,
    Array,
    FlexArray,
    KernelPointer,
    MustBeZero,
    Opaque,
    Phys,
    Schema,
    Struct,
    Versions,
    this,
)

CLEAN: dict[str, Any] = {"compatible": "t-v1", "doc": "d", "source": "s", "status": "project", "owner": "us", "found_by": "there"}
FINE = Struct("s", "n" / U64 * "a count", "m" / U64 * "another")


def declared(*schemas: Schema) -> list[Declared]:
    """Schemas in all environments."""
    return [Declared("t", "schemas", Environment(size), tuple(lower(each, Environment(size)) for each in schemas)) for size in PAGE_SIZES]


def schema(root: Struct = FINE, **more: Any) -> Schema:
    """A schema without a flaw, but for what is given."""
    return Schema(**(CLEAN | {"root": root} | more))


def found(*schemas: Schema, steps: tuple[Step, ...] = (), known: frozenset[str] = frozenset()) -> list[tuple[str, str, str | None]]:
    """(severity, rule, subject) of what is found."""
    return [
        (str(each.finding.severity), each.finding.rule, each.finding.location.path) for each in lint(declared(*schemas), steps, known)
    ]


def test_nothing() -> None:
    """A clean format gives no finding at all."""
    assert [] == found(schema())


FLAWS = [
    (Struct("s", "p" / KernelPointer() * "p"), ("error", "DS503", "s.p")),
    (Struct("s", "a" / U8 * "a", "b" / U64 * "b"), ("error", "DS503", "s._pad1")),
    (Struct("s", "a" / U8 * "a", "b" / U64 * "b", packed=True), ("info", "DS503", "s.b")),
    (Struct("s", "n" / U64 * "n", "t" / FlexArray(U64) * "t"), ("warning", "DS503", "s.t")),
    (Struct("s", "values" / U64 * "v"), ("warning", "DS503", "s.values")),
    (Struct("s", "t" / Array(PAGE_SIZE // 8, U64) * "t"), ("info", "DS501", "s")),
    (Struct("s", "n" / U64), ("warning", "DS505", "s")),
]


@pytest.mark.parametrize(("root", "expected"), FLAWS, ids=range(len(FLAWS)))
def test_flaws(root: Struct, expected: tuple[str, str, str]) -> None:
    """One flaw, one finding, in a format of one's own."""
    assert [expected] == found(schema(root))


@pytest.mark.parametrize(("root", "expected"), FLAWS, ids=range(len(FLAWS)))
@pytest.mark.parametrize("status", ["mainline", "posted"])
def test_flaws_of_others(root: Struct, expected: tuple[str, str, str], status: str) -> None:
    """The same flaw in what upstream has is information, and says why nothing is done; docs are upstream's own."""
    (each,) = lint(declared(schema(root, status=status))) or (None,)
    if expected[1] == "DS505":
        assert each is None
        return
    assert each is not None
    assert (Severity.INFO, *expected[1:]) == (each.finding.severity, each.finding.rule, each.finding.location.path)
    assert ("published bytes stay" if status == "mainline" else "it was posted so") in each.finding.message


def test_what_says_itself_needs_no_doc() -> None:
    """Reserved and constant fields, those with named values, and embedded structs, which have docs of their own."""
    inner = Struct("inner", "n" / U64 * "n")
    assert [] == found(schema(Struct("s", "n" / U64 * "n", "z" / MustBeZero(U64), "i" / inner, "t" / Array(2, inner))))


def test_a_build_has_no_docs() -> None:
    """What a compiler laid out says nothing, and is not asked to."""
    silent = [replace(each, kind="build") for each in declared(schema(Struct("s", "n" / U64)))]
    assert () == lint(silent)


def test_a_counted_array() -> None:
    """An array that a field counts is fine."""
    assert [] == found(schema(Struct("s", "n" / U64 * "n", "t" / FlexArray(U64, this.n) * "t")))


def test_owners() -> None:
    """Without an owner; without a version, found from somewhere or from nowhere; with feature bits in place of one."""
    assert [("info", "DS308", "t-v1")] == found(schema(owner=""))
    bare = {"compatible": None, "name": "t"}
    assert [("info", "DS308", "t")] == found(schema(**bare))
    assert [("warning", "DS308", "t")] == found(schema(**bare, found_by=None))
    assert [] == found(schema(**bare, versions=Versions("features", knows=("A",))))
    assert [] == found(schema(**bare, version=("n", 1)))


def test_opaque_memory() -> None:
    """What a link leads to and nobody describes; links of chains aside."""
    assert [("info", "DS308", "s.blob")] == found(schema(Struct("s", "blob" / Phys(Opaque()) * "b", "next" / Phys(Opaque()) * "n")))


def test_successors() -> None:
    """What is replaced must be there, here or elsewhere; and a converter should lead up to the new one."""
    new = schema(compatible="t-v2", replaces="t-v1")
    assert [("warning", "DS304", "t-v2")] == found(new)
    assert [] == found(new, known=frozenset({"t-v1"}))
    assert [("warning", "DS601", "t-v2")] == found(schema(), new)
    assert [] == found(schema(), new, steps=(Step("t-v1", "t-v2", False, {}),))
    assert [("warning", "DS601", "t-v2")] == found(schema(), new, steps=(Step("t-v1", "t-v2", True, {}),)), "down is not up"


def test_one_string_for_two_layouts() -> None:
    """Changed in place: an error of one's own; apart are other places, posted forms, and equal bytes."""
    other = Struct("s", "n" / U64 * "a count", "k" / U32 * "another", "l" / U32 * "l")
    twin = schema(other, variant="b")
    assert [("error", "DS301", "t-v1")] == found(schema(), twin)
    assert [] == found(schema(), schema(variant="b"))
    assert [] == found(schema(), schema(other, variant="b", found_by="elsewhere"))
    assert [] == found(schema(), schema(other, variant="b", status="posted"))
    by_page = Struct("s", "n" / U64 * "n", "t" / Phys(Struct("e", "a" / Array(PAGE_SIZE // 4096, U8) * "a")) * "t")
    by_none = Struct("s", "n" / U64 * "n", "t" / Phys(Struct("e", "a" / Array(1, U8) * "a")) * "t")
    assert ("error", "DS301", "t-v1") in found(schema(by_none), schema(by_page, variant="b")), "on large pages only"


def test_one_finding_for_many_formats() -> None:
    """A struct that several formats share is found once, with their names; one's own decides about the severity."""
    shared = Struct("s", "a" / U8 * "a", "b" / U64 * "b")
    made = lint(declared(schema(shared, status="mainline"), schema(shared, compatible="x-v1")))
    assert [(Severity.ERROR, ("t-v1", "x-v1"))] == [(each.finding.severity, each.formats) for each in made]


def test_places() -> None:
    """A finding stands where its field does, else its struct, else its format."""
    (first, *rest) = declared(schema(Struct("s", "p" / KernelPointer() * "p")))
    place = Location("a.h", line=7)
    for subject in ("s.p", "s", "t-v1"):
        (each,) = lint([replace(first, places=((subject, place),)), *rest])
        assert ("a.h", 7, "s.p") == (each.finding.location.source, each.finding.location.line, each.finding.location.path)


def test_one_environment() -> None:
    """With one page size only, what fills a page is taken to follow it."""
    root = Struct("s", "t" / Array(PAGE_SIZE // 8, U64) * "t")
    assert [("DS501", "s.t")] == [(each.finding.rule, each.finding.location.path) for each in lint(declared(schema(root))[:1])]


def test_structs_of_two_families() -> None:
    """Who owns a shared struct is asked of schemas; of headers their comments say it."""
    inner = Struct("inner", "n" / U64 * "n")
    both = declared(schema(Struct("s", "i" / inner * "i")), schema(Struct("r", "i" / inner * "i"), compatible="x-v1"))
    assert [("DS308", "inner", ("t-v1", "x-v1"))] == [
        (each.finding.rule, each.finding.location.path, each.formats) for each in lint(both)
    ]
    assert () == lint([replace(each, kind="headers") for each in both])


def test_what_is_said_twice_is_said_once() -> None:
    """Of the type of one member both the compiler and the spelling speak: the worse one stays, with the formats of both."""
    (first, *_) = lint(declared(schema(Struct("s", "p" / KernelPointer() * "p"))))
    place = Location("a.h", line=3, path="s.p")
    worse = Linted(replace(first.finding, location=place, message="a pointer"), ())
    mild = replace(first, finding=replace(first.finding, location=place, severity=Severity.INFO))
    (left,) = merged([mild, worse])
    assert ("a pointer", Severity.ERROR, ("t-v1",)) == (left.finding.message, left.finding.severity, left.formats)
    for other in (replace(place, line=4), replace(place, path="s.q"), replace(place, source="b.h"), Location(path="s.p")):
        assert 2 == len(merged([mild, replace(worse, finding=replace(worse.finding, location=other))]))
    assert 2 == len(merged([mild, replace(worse, finding=replace(worse.finding, rule="DS308"))]))
    nowhere = replace(mild, finding=replace(mild.finding, location=Location(path="s.p")))
    assert 2 == len(merged([nowhere, nowhere]))


def test_missing_evidence() -> None:
    """What a source could not say is a finding of its own."""
    (first, *rest) = declared(schema())
    made = lint([replace(first, missing=("no BTF",)), *rest])
    assert [("DS504", "no BTF")] == [(each.finding.rule, each.finding.message) for each in made]


def shipped() -> tuple[Linted, ...]:
    """What lint says of everything that is shipped."""
    registry = Registry.shipped()
    sides = []
    for environment in (Environment(size) for size in PAGE_SIZES):
        formats = tuple(registry.layout(name, environment) for name in registry.summaries)
        sides.append(Declared("shipped", "baselines", environment, formats))
    return lint(sides, registry.steps)


def test_the_shipped_formats() -> None:
    """No false alarm; the breaks that upstream really made without a new string are named, each once."""
    made = shipped()
    assert [] == [each for each in made if each.finding.severity is Severity.ERROR]
    registry = Registry.shipped()
    assert {Severity.INFO} == {each.finding.severity for each in made if registry.summaries[each.formats[0]].status != "project"}
    breaks = {
        each.formats for each in made if each.finding.rule == "DS301" and registry.summaries[each.formats[0]].status == "mainline"
    }
    assert {("kho-v1@6.16", "kho-v1"), ("kho-v3@7.1-rc1", "kho-v3"), ("luo-v1@6.19", "luo-v1")} == breaks
    assert "kho_kexec_metadata.kexec_count" in {each.finding.location.path for each in made}
