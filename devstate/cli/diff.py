# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Name what differs between two handovers: versions, provenance, subtrees, sessions, files, regions, devstate's parts, preserved memory.

By field, not by byte: addresses that merely moved are no difference. Exit status 0 when nothing differs, 1 when something does.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import add_inputs, open_given, open_registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.handover.difference import Difference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_inputs(parser, "A", "B")
    parser.add_argument("--hash", action="store_true", help="compare the contents of files too")
    parser.add_argument("--json", action="store_true", help="one JSON document: differences [{path, field, old, new}]")


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each difference; 1 when there is any. Errors as open_input() and open_handover()."""
    from devstate.cli.command import FINDINGS, OK
    from devstate.cli.document import Hashes
    from devstate.handover.difference import differences

    registry = open_registry(arguments.schemas)
    old, new = (open_given(arguments, path, registry) for path in (arguments.a, arguments.b))
    hashes = {id(handover): Hashes(handover) for handover in (old, new)}
    rows = differences(old, new, content=(lambda handover, file: hashes[id(handover)].of(handover, file)) if arguments.hash else None)
    if arguments.json:
        from devstate.report.json import write

        write({"differences": [{"path": row.path, "field": row.field, "old": row.old, "new": row.new} for row in rows]}, sys.stdout)
    else:
        sys.stdout.write("".join([f"{line(row)}\n" for row in rows]))
    return FINDINGS if rows else OK


def line(row: Difference) -> str:
    """``PATH FIELD: OLD -> NEW``, or ``- PATH`` and ``+ PATH`` for what only A or only B has."""
    from devstate.report.printable import printable, quoted

    path = printable(row.path)
    if row.field == "present":
        return f"{'-' if row.old else '+'} {path}"
    old, new = ("none" if value is None else quoted(value) if isinstance(value, str) else str(value) for value in (row.old, row.new))
    return f"~ {path} {row.field}: {old} -> {new}"
