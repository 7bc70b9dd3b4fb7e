# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The passes: each fires on the smallest declaration that has its trait, and is silent on one that has not."""

from __future__ import annotations

import pytest

import devstate_schemas
from devstate.finding import Severity
from devstate.frozen import replace
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower
from devstate.layout.passes import dangling, holes, kernel_pointers, misaligned, run_passes, shadows
from devstate.schema import U8, U16, U32, U64, Array, KernelPointer, Phys, Schema, Struct

from .test_lower import lowered

CLEAN = Struct("clean", "a" / U64, "c" / U16, "d" / U16, "e" / U32, "b" / Phys(Struct("entry", "x" / U64)))


@pytest.mark.parametrize(
    ("found_by", "root", "path", "offset"),
    [
        (holes, Struct("s", "a" / U8, "b" / U32), "t.s._pad1", 1),
        (holes, Struct("s", "a" / U32, "b" / U8), "t.s._pad5", 5),
        (misaligned, Struct("s", "a" / U8, "b" / U32, packed=True), "t.s.b", 1),
        (misaligned, Struct("s", "a" / U32, "b" / U64, packed=True), "t.s.b", 4),
        (kernel_pointers, Struct("s", "a" / U64, "b" / KernelPointer()), "t.s.b", 8),
        (shadows, Struct("s", "items" / U16), "t.s.items", 0),
    ],
)
def test_fires(found_by: object, root: Struct, path: str, offset: int) -> None:
    """One trait, one finding, with the field's path and offset."""
    findings = list(found_by(lowered(root)))  # type: ignore[operator]
    assert [(path, offset)] == [(each.location.path, each.location.offset) for each in findings]
    assert findings == run_passes(lowered(root))


def test_silent() -> None:
    """A clean layout has no findings."""
    assert [] == run_passes(lowered(CLEAN))


def test_dangling() -> None:
    """A struct that a field or a link names, and that the layout lost, is an error."""
    layout = lowered(Struct("s", "a" / Phys(Struct("far", "x" / U64)), "b" / Array(2, Struct("near", "x" / U64))))
    broken = replace(layout, structs=layout.structs[-1:])
    findings = list(dangling(broken))
    assert ["no struct far", "no struct near"] == [each.message for each in findings]
    assert {Severity.ERROR} == {each.severity for each in findings}


@pytest.mark.parametrize("schema", list(schemas_of(devstate_schemas)), ids=lambda schema: schema.name)
def test_shipped(schema: Schema) -> None:
    """No shipped schema has an error, and holes and odd addresses are facts at INFO."""
    assert all(each.severity < Severity.ERROR for each in run_passes(lower(schema)))
