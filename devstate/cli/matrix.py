# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every jump between several builds: the row hands over, the column takes over. Blocked jumps are shown with the way round, if any.

Each BUILD is a manifest, a vmlinux or a release such as 7.3.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number, open_registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.compat.matrix import Cell, Matrix


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("builds", metavar="BUILD", nargs="+", help="a manifest, a vmlinux or a release")
    parser.add_argument("--format", choices=("text", "csv", "json", "html"), default="text", help="how to report (default: text)")
    parser.add_argument("--page-size", metavar="BYTES", type=number, default=4096, help="page size of the kernels (default: 4096)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="a file or package with schemas of your own")


def run(arguments: argparse.Namespace) -> int:
    """Print the matrix; 3 when evidence is missing somewhere. Errors as open_manifest()."""
    from devstate.cli.builds import open_manifest
    from devstate.cli.command import INCOMPLETE, OK
    from devstate.compat.matrix import matrix

    registry = open_registry(arguments.schemas)
    found = matrix([open_manifest(word, registry) for word in arguments.builds], registry, page_size=arguments.page_size)
    FORMS[arguments.format](found)
    return INCOMPLETE if any(cell.incomplete for row in found.cells for cell in row) else OK


def text(found: Matrix) -> None:
    """A table, and below it the ways round."""
    width = max(18, *(len(name) for name in found.names)) + 2
    print(" " * width + "".join(f"{name:{width}}" for name in found.names).rstrip())
    for name, row in zip(found.names, found.cells, strict=True):
        print(f"{name:{width}}" + "".join(f"{_word(cell):{width}}" for cell in row).rstrip())
    for start, row in enumerate(found.cells):
        for goal, cell in enumerate(row):
            if cell.verdict.name != "OK":
                way = found.path(start, goal)
                if way is not None:
                    print(f"{found.names[start]} -> {found.names[goal]}: go by {' -> '.join(found.names[step] for step in way)}")


def _word(cell: Cell) -> str:
    word = "ok" if cell.verdict.name == "OK" else f"{cell.verdict.name.lower()}:{cell.reaction}"
    return f"{word}?" if cell.incomplete else word


def csv(found: Matrix) -> None:
    """One line a jump: old, new, verdict, reaction, reason."""
    import csv as form

    writer = form.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["old", "new", "verdict", "reaction", "reason"])
    for old, row in zip(found.names, found.cells, strict=True):
        writer.writerows([old, new, str(cell.verdict), cell.reaction, cell.reason] for new, cell in zip(found.names, row, strict=True))


def json(found: Matrix) -> None:
    """{"builds": [...], "jumps": [{old, new, verdict, reaction, reason, incomplete, path}]}."""
    from devstate.report.json import write

    jumps = []
    for start, row in enumerate(found.cells):
        for goal, cell in enumerate(row):
            way = found.path(start, goal)
            jumps.append(
                {
                    "old": found.names[start],
                    "new": found.names[goal],
                    "verdict": str(cell.verdict),
                    "reaction": cell.reaction,
                    "reason": cell.reason,
                    "incomplete": cell.incomplete,
                    "path": None if way is None else [found.names[step] for step in way],
                }
            )
    write({"builds": list(found.names), "jumps": jumps}, sys.stdout)


def html(found: Matrix) -> None:
    """One page with nothing to load: a table whose cells say why when they are pointed at."""
    from html import escape

    colours = {"OK": "#cfe8cf", "DEGRADED": "#f5e6b3", "BLOCK": "#f2c4c4"}
    head = "".join(f"<th>{escape(name)}</th>" for name in found.names)
    rows = []
    for name, row in zip(found.names, found.cells, strict=True):
        cells = "".join(
            f'<td style="background:{colours[cell.verdict.name]}" title="{escape(cell.reason)}">{escape(_word(cell))}</td>' for cell in row
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    style = "body{font-family:sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:.3em .6em;text-align:left}"
    print(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Live update matrix</title><style>{style}</style>'
        f"<h1>Live update matrix</h1><p>The row hands over, the column takes over.</p>"
        f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table></html>"
    )


FORMS = {"text": text, "csv": csv, "json": json, "html": html}
