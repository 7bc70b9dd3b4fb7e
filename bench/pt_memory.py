# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What ``devstate pt pack`` takes of memory: the most that the process had resident, less the file with the tables that it maps.

The interpreter and its libraries are in the figure. The tables are a raw image that is mapped; the stream is written to a file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench.row import Row, at_most
from bench.tables import BASE, Tables

MUST = 64
"""MiB."""
CASES = [("contiguous", 65536, 1), ("random", 65536, 1), ("random", 65536, 2), ("random", 524288, 1), ("random", 524288, 2)]
"""Shape, leaf tables, threads."""


def run() -> list[Row]:
    """A row for each case; and what the interpreter has when it packs next to nothing."""
    return [_case("contiguous", 1, 1, None), *(_case(*case, MUST) for case in CASES)]


def _case(shape: str, count: int, jobs: int, must: float | None) -> Row:
    tables = Tables(shape, count)
    with tempfile.TemporaryDirectory(dir=Path(__file__).resolve().parent.parent / "build") as folder:
        image, stream = Path(folder) / "tables", Path(folder) / "stream"
        image.write_bytes(memoryview(tables.image))  # type: ignore[arg-type]  # an array is a buffer
        size = image.stat().st_size
        command = ["-m", "devstate", "pt", "pack", "--base", hex(BASE), "--format", "vtd-second-stage", "--levels", "4"]
        command += ["--top", hex(tables.top), "--jobs", str(jobs), "-o", str(stream), str(image)]
        del tables
        quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        process = os.posix_spawn(sys.executable, [sys.executable, *command], os.environ, file_actions=quiet)
        _, status, usage = os.wait4(process, 0)
        assert status == 0
    what = "one table" if count == 1 else f"{count >> 9} GiB in pages of 4K"
    name = f"pack of {what} to a file, {shape}, jobs={jobs}: peak memory above the mapping"
    return at_most(name, usage.ru_maxrss / 1024 - size / (1 << 20), "MiB", must)
