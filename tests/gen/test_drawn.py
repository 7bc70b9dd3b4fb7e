# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generators hold for structs that nobody has designed: whatever the schema language can say is drawn, generated, compiled, proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.schema import Schema, Struct
from devstate.testing.proof import prove_arrays, prove_records
from devstate.testing.prover import Prover
from tests.codec.strategies import structs

DRAWN = 40


def drawn_formats(count: int) -> list[list[Layout]]:
    """A format around each of ``count`` structs; names of inner structs are made different, as one schema would have them."""
    found: list[Struct] = []
    seed(5)(
        settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))(
            given(structs())(lambda each: found.append(each))
        )
    )()
    made = {"doc": "made by hypothesis", "source": "tests", "status": "project"}
    schemas = [Schema(name=f"drawn-{number}", root=each, **made) for number, each in enumerate(found)]  # type: ignore[arg-type]
    return [[lower(schema, Environment(size)) for size in PAGE_SIZES] for schema in schemas]


@pytest.mark.parametrize(("page_size", "count"), [(4096, DRAWN), (16384, DRAWN // 4)])
def test_drawn_structs(tmp_path: Path, page_size: int, count: int) -> None:
    """Bit-fields of any width, gaps, other byte orders, unions in arrays, flexible ends in flexible ends: all in one compiler run."""
    formats = drawn_formats(count)
    assert len(formats) > count // 2
    prover = Prover(tmp_path, formats, page_size=page_size)
    for layouts in formats:
        layout = next(each for each in layouts if each.environment.page_size == page_size)
        for struct in layout.structs:
            prove_records(prover, layout, struct.name)
            prove_arrays(prover, layout, struct.name)
    assert prover.close() == 0
