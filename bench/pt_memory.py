# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What ``devstate pt pack`` takes of memory: the most that the process had resident, less the file with the tables that it maps.

The interpreter and its libraries are in the figure. The tables are a raw image that is mapped; the stream is written to a file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.row import Row, at_most
from bench.tables import BASE, Tables

MUST = 64
"""MiB."""
RUN = """
import sys
from devstate.__main__ import main
assert main(sys.argv[1:]) == 0
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""
"""The verb, and then the KiB that the process had resident at most: wait4() would have those of this process in it."""
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
        command = ["-c", RUN, "pt", "pack", "--base", hex(BASE), "--format", "vtd-second-stage", "--levels", "4"]
        command += ["--top", hex(tables.top), "--jobs", str(jobs), "-o", str(stream), str(image)]
        del tables
        done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
        peak = int(done.stdout.split()[-1])
    what = "one table" if count == 1 else f"{count >> 9} GiB in pages of 4K"
    name = f"pack of {what} to a file, {shape}, jobs={jobs}: peak memory above the mapping"
    return at_most(name, peak / 1024 - size / (1 << 20), "MiB", must)
