# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What preserving the IOMMU page tables of a guest costs: bytes of metadata, and the time of one thread before and after the jump.

  tables  pages that hold tables, by level; they are preserved where they are
  radix   KHO's map of preserved pages, at most: when each page of memory is preserved for itself
  time    for each shape of what is mapped: bytes of the stream that `devstate pt pack` makes; milliseconds to pack and to prove, before
          the jump; to unpack into memory that was used before, and into memory that nobody has touched

Bytes of tables are arithmetic. All else is measured constants for each page of tables, times these pages: devstate/pagetable/costs.py has
them, and the machine that they are of. To have those of another one there: `make bench-pt && .venv/bin/python -m bench.costs`.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.pagetable.estimate import Estimate

HELP = "what preserving tables costs before the jump"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--ram", metavar="SIZE", type=number, required=True, help="bytes that are mapped: 512G, 1T")
    parser.add_argument("--page-size", metavar="SIZE", type=number, default=4096, help="bytes of the pages that they are mapped in (4K)")
    parser.add_argument("--format", metavar="F", default="vtd-second-stage", help="format of the tables (vtd-second-stage)")
    parser.add_argument("--granule", metavar="N", type=number, default=4096, help="bytes of the smallest page: 4096, 16384, 65536")
    parser.add_argument("--levels", metavar="N", type=number, default=0, help="levels of tables (as few as map SIZE, at least 3)")
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/pt-estimate.schema.json)")


def run(arguments: argparse.Namespace) -> int:
    """Print the estimate; 0. UsageError for a geometry that the format does not have."""
    from devstate.pagetable.costs import MACHINE
    from devstate.pagetable.estimate import estimate

    made = estimate(arguments.ram, arguments.page_size, arguments.format, arguments.granule, arguments.levels)
    if arguments.json:
        from devstate.report.json import write

        write(document(made, MACHINE), sys.stdout)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(made, MACHINE))
    return 0


def document(made: Estimate, machine: str) -> dict[str, object]:
    """As JSON."""
    tables = [{"level": level, "tables": count} for level, count in made.tables.items()]
    shapes = [
        {
            "shape": name,
            "stream_bytes": each.stream,
            "pack_ns": each.pack,
            "prove_ns": each.prove,
            "unpack_ns": each.unpack,
            "unpack_fresh_ns": each.fresh,
        }
        for name, each in made.shapes.items()
    ]
    return {
        "tables": tables,
        "table_bytes": made.table_bytes,
        "radix_bytes_at_most": made.radix_bytes,
        "measured_on": machine,
        "shapes": shapes,
    }


def lines(made: Estimate, machine: str) -> Iterator[str]:
    """For people."""
    levels = " ".join(f"level-{level}={count}" for level, count in made.tables.items())
    yield f"tables  bytes={made.table_bytes} {levels}"
    yield f"radix   bytes<={made.radix_bytes}"
    yield f"times   in ms of one thread, as on: {machine}"
    widths = (14, 13, 9, 9, 9, 13)
    yield _row(widths, "shape", "stream bytes", "pack", "prove", "unpack", "unpack fresh")
    for name, each in made.shapes.items():
        times = ("-" if ns is None else f"{ns / 1e6:.2f}" for ns in (each.pack, each.prove, each.unpack, each.fresh))
        yield _row(widths, name, str(each.stream), *times)


def _row(widths: tuple[int, ...], first: str, *others: str) -> str:
    return f"        {first:{widths[0]}}" + "".join(f" {cell:>{width}}" for width, cell in zip(widths[1:], others, strict=True))
