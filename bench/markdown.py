# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``python -m bench.markdown NAME...``: results in build/bench as tables of docs/benchmarks.md.

Figures whose names are alike but for what stands before a colon are one table; a figure that misses its must is bold. "must" is a bound
from above or below, as the figure is the better the lower or the higher it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.row import Row

ROOT = Path(__file__).resolve().parent.parent
WIDE = 6
"""Figures that still go side by side; more are one below the other."""


def cell(row: Row) -> str:
    """A value, with its unit, must and aim."""
    bounds = ", ".join(f"{name} {row[name]:.4g}" for name in ("must", "aim") if row[name] is not None)  # type: ignore[literal-required]
    text = f"{row['value']:.4g} {row['unit']}" + (f" ({bounds})" if bounds else "")
    return text if row["ok"] else f"**{text}**"


def table(rows: list[Row]) -> str:
    """Rows as a table: subjects (what is before the colon) by figures, or the other way round."""
    cells: dict[tuple[str, str], str] = {}
    for row in rows:
        subject, colon, figure = row["name"].partition(": ")
        cells[(subject, figure) if colon else ("", row["name"])] = cell(row)
    subjects, figures = ([*dict.fromkeys(key[place] for key in cells)] for place in (0, 1))
    if len(figures) <= WIDE and len(subjects) > 1:
        lines = [["", *figures], *([subject, *(cells.get((subject, figure), "") for figure in figures)] for subject in subjects)]
    else:
        lines = [["", *subjects], *([figure, *(cells.get((subject, figure), "") for subject in subjects)] for figure in figures)]
    lines[1:1] = [["---"] * len(lines[0])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(names: list[str]) -> None:
    """Print a table for each."""
    for name in names:
        rows = json.loads((ROOT / "build" / "bench" / f"{name}.json").read_text())
        print(f"\n### {name}\n\n{table(rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
