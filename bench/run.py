# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``python -m bench.run NAME... | --all``: runs benchmarks, prints their tables, writes build/bench/NAME.json.

Exit status 1 when a figure misses its must. A NAME is a module of this package, or a group of them (see GROUPS).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from bench.row import Row

ROOT = Path(__file__).resolve().parent.parent
NOT_BENCHMARKS = {"__init__", "costs", "markdown", "pt_peers", "row", "run", "tables", "timing"}

GROUPS = {
    "read": ("startup", "inspect", "records", "fdt", "radix", "folios"),
    "pt": ("pt_pack", "pt_unpack", "pt_threads", "pt_memory", "pt_growth", "pt_prove", "radix", "folios", "fdt_validate"),
}
"""Names that stand for several benchmarks."""


def available() -> list[str]:
    """The benchmarks that there are, by name."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NOT_BENCHMARKS)


def run(name: str) -> list[Row]:
    """The rows of a benchmark, or of all of a group that there are."""
    if name in GROUPS:
        return [row for member in GROUPS[name] if member in available() for row in run(member)]
    rows: list[Row] = importlib.import_module(f"bench.{name}").run()
    return rows


def table(rows: list[Row]) -> str:
    """The rows for people."""
    cells = [("figure", "value", "must", "aim", ""), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    left = ["<", ">", ">", ">", "<"]
    lines = (zip(line, left, widths, strict=True) for line in cells)
    return "\n".join("  ".join(f"{cell:{side}{width}}" for cell, side, width in line).rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    must, aim = (("" if bound is None else f"{bound:.4g}") for bound in (row["must"], row["aim"]))
    return row["name"], f"{row['value']:.4g} {row['unit']}", must, aim, "" if row["must"] is None else "ok" if row["ok"] else "MISSED"


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join([*available(), *GROUPS])}")
    parser.add_argument("--all", action="store_true", help="every benchmark")
    options = parser.parse_args(arguments)
    names = available() if options.all else options.names
    if not names or not {*names} <= {*available(), *GROUPS}:
        parser.error(f"name one of {', '.join([*available(), *GROUPS])}, or --all")
    missed = False
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        rows = run(name)
        (out / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
        print(f"\n{name}\n{table(rows)}", flush=True)
        missed |= not all(row["ok"] for row in rows)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
