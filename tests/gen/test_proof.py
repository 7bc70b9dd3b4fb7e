# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C and the codec in Python mean the same by the same bytes, for every struct of every format."""

from __future__ import annotations

import pytest

from devstate.layout.model import Environment
from devstate.layout.plain import to_plain
from devstate.layout.registry import Registry
from devstate.testing.proof import prove_arrays, prove_records
from devstate.testing.prover import Prover, layouts_of


def different_structs() -> list[tuple[str, str]]:
    """(format, struct) of all structs, one of each form: versions share most of theirs."""
    seen, found = set(), []
    for name in Registry.shipped().summaries:
        layout = Registry.shipped().layout(name, Environment())
        for each in layout.structs:
            root = (layout.version, layout.compatible) if each.name == layout.root else None
            form = repr((to_plain(each), root, [other.name for other in layout.structs]))
            if form not in seen:
                seen.add(form)
                found.append((name, each.name))
    return found


STRUCTS = different_structs()


@pytest.mark.parametrize(("name", "shape"), STRUCTS)
def test_python_and_c_mean_the_same(prover: Prover, name: str, shape: str) -> None:
    """Bytes to values, values to bytes, verdicts of whatever is damaged."""
    prove_records(prover, layouts_of(name)[0], shape)


@pytest.mark.parametrize(("name", "shape"), STRUCTS)
def test_arrays_are_judged_as_their_records_are(prover: Prover, name: str, shape: str) -> None:
    """Many records at once, in C and in numpy: the first bad one is named, as it would be alone."""
    prove_arrays(prover, layouts_of(name)[0], shape)
