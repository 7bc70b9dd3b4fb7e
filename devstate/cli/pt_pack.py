# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write a tree of IOMMU page tables as a compact stream, from which `devstate pt unpack` makes the same tables again, bit for bit.

Every page that holds a table is in it with its address, and with bits that hardware ignores. docs/page-table-stream.md describes the bytes.
"""

from __future__ import annotations

import os
import sys

from devstate.cli.inputs import number
from devstate.cli.pt_input import add_input, add_table, open_memory, open_table
from devstate.errors import EncodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.pagetable.stream import Totals

HELP = "write a tree of tables as a compact stream"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_input(parser, "INPUT")
    add_table(parser)
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to; - is standard output")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument("--jobs", metavar="N", type=number, default=1, help="threads (1)")
    parser.add_argument("--incomplete", action="store_true", help="leave out tables that are not in INPUT")


def run(arguments: argparse.Namespace) -> int:
    """Write the stream; 0. NotInMemoryError for a table that is not in INPUT; errors as open_memory() and open_table()."""
    from devstate.pagetable.pack import pack

    if not 1 <= arguments.jobs <= MAX_JOBS:
        raise UsageError(f"--jobs is 1 to {MAX_JOBS}")
    table = open_table(arguments, open_memory(arguments, arguments.input))
    if arguments.output == "-":
        pack(table, sys.stdout.buffer, jobs=arguments.jobs, partial=arguments.incomplete)
        return 0
    done = False
    try:
        with open(arguments.output, "wb" if arguments.force else "xb") as output:
            totals = pack(table, output, jobs=arguments.jobs, partial=arguments.incomplete)
        done = True
    except FileExistsError:
        done = True  # it is not ours
        raise UsageError(f"{arguments.output} is there already; --force overwrites it") from None
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror or error}", source=arguments.output) from None
    finally:
        if not done and os.path.isfile(arguments.output):
            os.unlink(arguments.output)
    sys.stdout.writelines(f"{line}\n" for line in lines(totals, arguments.output))
    return 0


MAX_JOBS = 256
"""More threads than there are chunks in flight on any machine: each holds 4 MiB."""


def lines(totals: Totals, path: str) -> Iterator[str]:
    """What was written."""
    from devstate.pagetable.stream import PAGE
    from devstate.report.printable import quoted

    tables = totals.pages * PAGE
    yield f"wrote   {quoted(path)} pages={totals.pages} chunks={totals.chunks} bytes={totals.size} of {tables} of tables"
    yield from (f"pages   level {level} {count}" for level, count in enumerate(totals.levels) if count)
