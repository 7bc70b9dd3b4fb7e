# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C and the codec in Python mean the same by the same bytes, for every struct of every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.layout.model import PAGE_SIZES, Environment, IntType, UnionType, walk_types
from devstate.layout.plain import to_plain
from devstate.layout.registry import Registry
from devstate.testing.proof import prove_arrays, prove_records
from devstate.testing.prover import BIG_ENDIAN, Prover, layouts_of
from tests.gen.builds import provers


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
    """Bytes to values, values to bytes, verdicts of whatever is damaged: every prefix, every bit."""
    prove_records(prover, layouts_of(name)[0], shape)


@pytest.mark.parametrize(("name", "shape"), STRUCTS)
def test_arrays_are_judged_as_their_records_are(prover: Prover, name: str, shape: str) -> None:
    """Many records at once, in C and in numpy: the first bad one is named, as it would be alone."""
    prove_arrays(prover, layouts_of(name)[0], shape)


def test_in_this_process(loaded: Prover) -> None:
    """The same of optimized C, called through cffi."""
    for name, shape in STRUCTS:
        prove_records(loaded, layouts_of(name)[0], shape)


def test_on_a_big_endian_machine(tmp_path: Path) -> None:
    """The same of the layouts for that byte order, by C that was compiled for it: structs that say an order, have bit-fields or unions, and
    some of the rest. `make proof` does all.
    """
    chosen = [key for number, key in enumerate(STRUCTS) if number % 6 == 0 or ordered(*key)]
    for made in provers(tmp_path, BIG_ENDIAN, sorted({name for name, _ in chosen})):
        for name, shape in chosen:
            layout = layouts_of(name, byte_order="big")[0]
            prove_records(made, layout, shape)
            prove_arrays(made, layout, shape)


def ordered(name: str, shape: str) -> bool:
    """Whether the byte order matters to more than native integers."""
    fields = layouts_of(name)[0].struct(shape).fields
    kinds = [each for field in fields for each in walk_types(field.type)]
    odd = any(isinstance(each, UnionType) or (isinstance(each, IntType) and each.order != "native") for each in kinds)
    return odd or any(field.width is not None for field in fields)


def test_larger_pages(tmp_path: Path) -> None:
    """Structs as large as a page, where that has 16 KiB. `make proof` does this for all formats, and for 64 KiB."""
    sizes = {name: layouts_of(name) for name in ("kho-v1@6.16", "kho-v2", "kho-xarray")}
    made = Prover(tmp_path, list(sizes.values()), page_size=PAGE_SIZES[1])
    for small, layout, _ in sizes.values():
        for struct in layout.structs:
            if struct.size != small.struct(struct.name).size:
                prove_records(made, layout, struct.name)
                prove_arrays(made, layout, struct.name)
    assert made.close() == 0
