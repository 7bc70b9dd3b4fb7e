# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write the tables of a page-table stream as an ELF core: each page at the address where it was, bit for bit, or moved elsewhere.

A damaged stream is refused, with the chunk and its pages; --partial writes what is not damaged, and exits with 1. What the stream says of
its tables is printed, as the options with which `devstate pt walk` reads them.
"""

from __future__ import annotations

import mmap
import os
import sys

from devstate.cli.inputs import number
from devstate.errors import DecodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import IO

    from devstate.pagetable.unpack import Unpacked

HELP = "write the tables of a stream back, bit-identical"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("stream", metavar="STREAM", help="what `devstate pt pack` wrote; - is standard input")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to; compressed when its name ends in .zst")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument("--relocate", metavar="PA", type=number, help="put the tables there, one behind the other")
    parser.add_argument("--jobs", metavar="N", type=number, default=1, help="threads (1)")
    parser.add_argument("--partial", action="store_true", help="write what is not damaged")


def run(arguments: argparse.Namespace) -> int:
    """Write the core; 0, or 1 when something was damaged. DecodeError for a damaged stream without --partial."""
    from devstate.cli.command import FINDINGS, OK
    from devstate.cli.pt_pack import MAX_JOBS
    from devstate.memory.arena import Arena
    from devstate.pagetable.stream import PAGE
    from devstate.pagetable.unpack import unpack

    if not 1 <= arguments.jobs <= MAX_JOBS:
        raise UsageError(f"--jobs is 1 to {MAX_JOBS}")
    if os.path.exists(arguments.output) and not arguments.force:
        raise UsageError(f"{arguments.output} is there already; --force overwrites it")
    # The range that an arena gives out of itself is of no use here: all addresses are named.
    arena = Arena(0, PAGE, source="the tables")
    stream = sys.stdin.buffer if arguments.stream == "-" else _mapped(arguments.stream)
    name = "standard input" if arguments.stream == "-" else arguments.stream
    result = unpack(stream, arena, relocate=arguments.relocate, jobs=arguments.jobs, partial=arguments.partial, source=name)
    arena.save(arguments.output)
    sys.stdout.writelines(f"{line}\n" for line in lines(result, arguments.output))
    for fault in result.damaged:
        print(f"damaged: {fault}", file=sys.stderr)
    return FINDINGS if result.damaged else OK


def _mapped(path: str) -> mmap.mmap | IO[bytes]:
    """The bytes of a file. DecodeError for one that is empty."""
    if not os.path.isfile(path):
        return open(path, "rb")
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise DecodeError("no page-table stream", source=path, expected="64 bytes", found=0)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def lines(result: Unpacked, path: str) -> Iterator[str]:
    """What was written, and how to read it."""
    from devstate.report.printable import printable, quoted

    header = result.header
    yield f"wrote   {quoted(path)} pages={result.pages}"
    yield from (f"pages   level {level} {count}" for level, count in enumerate(result.levels) if count)
    if header.levels:
        where = f"--format {printable(header.format)} --top {result.top_table:#x} --levels {header.levels}"
        where += f" --top-entries {header.top_entries} --granule {1 << header.table_shift}"
        where += " --sign-extended" if header.sign_extended else ""
        yield f"try     devstate pt walk {where} {quoted(path)}"
