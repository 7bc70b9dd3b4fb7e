# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Show what a tree of IOMMU page tables maps: extents in the order of iovas, totals by leaf size and by access, table pages by level.

A table that is not in INPUT, or damage, is said on standard error; what is below it is not shown. `devstate pt verify` names it.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number
from devstate.cli.pt_input import add_input, add_table, open_memory, open_table, require_top

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.pagetable.mapping import Mappings, Walk
    from devstate.pagetable.table import PageTable

HELP = "what a tree of tables maps, as extents, and its totals"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_input(parser, "INPUT")
    add_table(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/pt-walk.schema.json)")
    parser.add_argument("--iova", metavar="IOVA", type=number, help="show only where this one goes")


def run(arguments: argparse.Namespace) -> int:
    """Print the walk; 0, or 1 when --iova is not mapped. Errors as open_memory() and open_table()."""
    table = open_table(arguments, open_memory(arguments, arguments.input))
    require_top(table)
    if arguments.iova is not None:
        return _translate(table, arguments.iova, as_json=arguments.json)
    walk = table.walk()
    if walk.problem_count:
        print(f"warning: {walk.problem_count} problems on the way; `devstate pt verify` names them", file=sys.stderr)
    if arguments.json:
        _write_json(table, walk)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(table, walk))
    return 0


def _translate(table: PageTable, iova: int, *, as_json: bool) -> int:
    from devstate.cli.command import FINDINGS, OK

    found = table.translate(iova)
    if as_json:
        from devstate.report.json import write

        row = None if found is None else [f"{found.iova:#x}", f"{found.pa:#x}", found.size, found.access]
        write({"iova": f"{iova:#x}", "mapping": row}, sys.stdout)
    elif found is None:
        print(f"{iova:#x} not mapped")
    else:
        print(f"{iova:#x} -> {found.pa:#x} {found.access} {found.size:#x} bytes to the end of the leaf")
    return FINDINGS if found is None else OK


def _texts(mappings: Mappings) -> Iterator[tuple[str, str, int, str]]:
    """(iova, pa, size, access), from lists a block at a time: numbers of numpy are slow one by one."""
    from devstate.pagetable.mapping import access_text

    access = [access_text(attributes) for attributes in range(4)]
    for first in range(0, len(mappings), 4096):
        for iova, pa, size, attributes in mappings.rows[first : first + 4096].tolist():
            yield f"{iova:#x}", f"{pa:#x}", size, access[attributes & 3]


def _write_json(table: PageTable, walk: Walk) -> None:
    from devstate.report.json import write

    leaf_sizes = {f"{size:#x}": count for size, count in sorted(walk.leaves.items())}
    document = {
        "format": table.format.name,
        "levels": table.levels,
        "table_pages": sum(walk.tables.values()),
        "leaf_sizes": leaf_sizes,
        "bytes_mapped": walk.bytes,
        "mappings": [list(row) for row in _texts(walk.mappings)],
    }
    write(document, sys.stdout)


def lines(table: PageTable, walk: Walk) -> Iterator[str]:
    """The text form: a line for each extent, then the totals."""
    sizes: dict[str, int] = {}
    for iova, pa, size, access in _texts(walk.mappings):
        sizes[access] = sizes.get(access, 0) + size
        yield f"{iova:>18} {size:#14x} -> {pa:>16} {access}"
    yield f"format   {table.format.label}, {table.levels} levels"
    yield f"mapped   {walk.bytes} bytes in {len(walk.mappings)} extents"
    yield from (f"access   {access:2} {size} bytes" for access, size in sizes.items())
    yield from (f"leaves   {size:#x} {count}" for size, count in sorted(walk.leaves.items()))
    yield f"tables   {sum(walk.tables.values())}"
    yield from (f"tables   level {level} {count}" for level, count in sorted(walk.tables.items(), reverse=True))
