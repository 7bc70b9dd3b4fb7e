# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``python -m tests.gen.total [NAME ...]``: the proof of every struct of every format, whatever its size, or of the formats that are named.
`make proof` runs it.

Pages of 4, 16 and 64 KiB where that changes a struct; each under sanitizers, as a library through cffi, and on a big-endian machine where
its compiler and emulator are installed. Nothing is left out for being like another one. Exit status 1 when something is different.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from devstate.layout.model import PAGE_SIZES, Layout
from devstate.layout.registry import Registry
from devstate.testing.difference import Difference
from devstate.testing.proof import prove, prove_arrays, prove_records
from devstate.testing.prover import BIG_ENDIAN, GUARDED, LOADED, Build, Prover, layouts_of

EXAMPLES = str(Path(__file__).parents[2] / "examples" / "drivers")
"""Packed records and tagged maps."""

BUILDS = {"sanitizers": GUARDED, "cffi": LOADED, "big-endian": BIG_ENDIAN}


def structs(formats: list[list[Layout]], number: int) -> list[tuple[Layout, str]]:
    """The structs to prove for the page size of this number: all for the first, then those that are not as they were."""
    found = []
    for layouts in formats:
        for struct in layouts[number].structs:
            if number == 0 or struct != layouts[0].struct(struct.name):
                found.append((layouts[number], struct.name))
    return found


def run(build: Build, names: list[str], number: int) -> tuple[int, list[Difference]]:
    """How many structs were proven, and what was different."""
    formats = [layouts_of(name, byte_order=build.byte_order) for name in names]
    wrong = []
    with tempfile.TemporaryDirectory() as where:
        prover = Prover(Path(where), formats, page_size=PAGE_SIZES[number], build=build)
        chosen = structs(formats, number)
        for layout, shape in chosen:
            for each in (prove_records, prove_arrays):
                try:
                    each(prover, layout, shape)
                except Difference as error:
                    wrong.append(error)
        assert prover.close() == 0
    return len(chosen), wrong


def main(names: list[str]) -> int:
    """Print a line for each build and page size, and for each difference."""
    shipped = Registry.shipped()
    packed = [name for name in names or shipped.summaries if layouts_of(name)[0].structs and layouts_of(name)[0].encoding == "packed"]
    failed = False
    for what, build in BUILDS.items():
        if build.missing:
            print(f"{what}: left out, {', '.join(build.missing)} not installed")
            continue
        for number, page_size in enumerate(PAGE_SIZES):
            start = time.monotonic()
            count, wrong = run(build, packed, number)
            took = time.monotonic() - start
            print(f"{what}, pages of {page_size >> 10} KiB: {count} structs, {len(wrong)} different, {took:.0f} s", flush=True)
            for error in wrong:
                print(f"  {error}")
            failed = failed or bool(wrong)
        with tempfile.TemporaryDirectory() as where:
            print(f"{what}, the example drivers: {prove(EXAMPLES, Path(where), build=build)} structs", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
