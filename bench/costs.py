# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``make bench-pt && .venv/bin/python -m bench.costs``: the constants of ``devstate pt estimate``, from the last figures in build/bench.

Writes devstate/pagetable/costs.py; commit it. The figures are of the machine that they were measured on, and the file names it.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from pathlib import Path

from bench.tables import ENTRIES, SHAPES

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "devstate" / "pagetable" / "costs.py"
TABLES = 65536
PAGES = TABLES + TABLES // ENTRIES + 1 + 1
"""Pages of tables in the benchmarks."""

FIGURES = {
    "stream": ("size, to the tables", 4096.0),
    "pack": ("pack", 1e6 / PAGES),
    "prove": ("proof of 128 GiB of iovas", 1e6 / PAGES),
    "unpack": ("unpack into reused memory", 1e6 / PAGES),
    "fresh": ("unpack into fresh memory", 1e6 / PAGES),
}
"""By field of Cost: the row that it comes from, and what to multiply it with (rows are in ms)."""


def values() -> dict[str, float]:
    """All figures of the page-table benchmarks, by name, the group's results first."""
    found: dict[str, float] = {}
    for path in sorted((ROOT / "build" / "bench").glob("pt*.json"), key=lambda path: path.stat().st_mtime):
        found |= {row["name"]: row["value"] for row in json.loads(path.read_text())}
    return found


def machine() -> str:
    """What ran them, and when."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{model[1] if model else os.uname().machine}, {os.cpu_count()} cores, {datetime.date.today()}"


def main() -> None:
    """Replace the constants in costs.py."""
    found = values()
    lines = []
    for shape in SHAPES:
        fields = []
        for field, (name, scale) in FIGURES.items():
            value = found.get(f"{shape}: {name}")
            assert value is not None or field == "prove", f"{shape}: {name} was not measured"
            fields.append(f"{field}={None if value is None else float(f'{value * scale:.3g}')}")
        lines.append(f'    "{shape}": Cost({", ".join(fields)}),\n')
    text = TARGET.read_text()
    text = re.sub(r'^MACHINE = ".*"$', f'MACHINE = "{machine()}"', text, flags=re.MULTILINE)
    start = text.index("COSTS: dict[str, Cost] = {")
    TARGET.write_text(f"{text[:start]}COSTS: dict[str, Cost] = {{\n{''.join(lines)}}}\n")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
