# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""List every known format: name, status, kernels that write it, bytes of its root struct, source. With NAME, show its layout.

NAME is a name of the list, a compatible, or the name of a struct in one of the formats. A size is of 4K pages; a format without one is a
devicetree. Layouts are for --page-size and --byte-order.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import add_environment, open_environment, open_registry
from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.layout.registry import Registry, Summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="show the layout of this format")
    parser.add_argument("--status", choices=("mainline", "posted", "project"), help="list only formats of this status")
    parser.add_argument("--json", action="store_true", help="the list, or the layout, as JSON")
    add_environment(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the list or the layout; 0. UsageError for a name that nothing has."""
    registry = open_registry(arguments.schemas)
    if arguments.name is not None:
        return _show(registry, arguments)
    chosen = [summary for summary in _ordered(registry) if arguments.status in (None, summary.status)]
    if arguments.json:
        from devstate.frozen import values
        from devstate.report.json import write

        rows = [dict(zip(summary._fields, values(summary), strict=True)) for summary in chosen]  # type: ignore[attr-defined]  # frozen()
        write({"schemas": rows}, sys.stdout)
    else:
        sys.stdout.write("".join([f"{line}\n" for line in _table(chosen)]))
    return 0


def _ordered(registry: Registry) -> list[Summary]:
    """Mainline first; then by what a format is for, oldest first, as the registry has them."""
    statuses = ("mainline", "posted", "project")
    return sorted(registry.summaries.values(), key=lambda summary: statuses.index(summary.status) if summary.status in statuses else 3)


def _table(chosen: list[Summary]) -> list[str]:
    from devstate.report.layout import kernels

    rows = [("name", "status", "kernels", "size", "source")]
    for each in chosen:
        size = "" if each.size is None else str(each.size)
        rows.append((each.name, each.status, kernels(each.since, each.until), size, each.source))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{widths[2]}}  {row[3]:>{widths[3]}}  {row[4]}".rstrip() for row in rows
    ]


def _show(registry: Registry, arguments: argparse.Namespace) -> int:
    environment = open_environment(arguments)
    try:
        layout = registry.find(arguments.name, environment)
    except UsageError as error:
        if registry.names(arguments.name):  # it is known, in several forms
            raise
        from devstate.cli.command import suggest

        known = {*registry.summaries, *(name for summary in registry.summaries.values() for name in summary.structs)}
        raise UsageError(f"{error}{suggest(arguments.name, known)}") from None
    if arguments.json:
        from devstate.layout.plain import to_plain
        from devstate.report.json import write

        write(to_plain(layout), sys.stdout)
    else:
        from devstate.report.layout import layout_lines

        sys.stdout.write("".join([f"{line}\n" for line in layout_lines(layout, registry.steps)]))
    return 0
