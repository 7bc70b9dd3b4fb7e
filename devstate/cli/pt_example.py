# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Build the page tables of a realistic guest, and the handover that preserves all that they lead to, as one ELF core to try the others on.

Pages, runs, large pages and holes, scattered as on a busy host; only the tables are in FILE, not the guest's memory. What was built, and
command lines to look at it, are printed.
"""

from __future__ import annotations

import os
import sys

from devstate.cli.inputs import number
from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.memory.arena import Arena
    from devstate.memory.notes import HandoverNote
    from devstate.pagetable.table import PageTable

HELP = "build the tables of a realistic guest, to try the others on"

SCRATCH = (64 << 20, 64 << 20)
"""Start and bytes of the one scratch area, where the next kernel will boot: 64 MiB, below all that is preserved."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to; compressed when its name ends in .zst")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument("--format", metavar="F", default="vtd-second-stage", help="format of the tables (vtd-second-stage)")
    parser.add_argument("--levels", metavar="N", type=number, help="levels of tables (4, or 3 of 64K)")
    parser.add_argument("--granule", metavar="N", type=number, default=4096, help="bytes of the smallest page (4096)")
    parser.add_argument("--seed", metavar="N", type=number, default=0, help="of the random choices (0)")
    parser.add_argument("--forget", metavar="N", type=number, default=0, help="leave so many of the mapped pages out of what is preserved")


def run(arguments: argparse.Namespace) -> int:
    """Write FILE; 0. UsageError for a format or levels that there are not, or a FILE that is there."""
    from devstate.memory.arena import Arena
    from devstate.pagetable.build import build
    from devstate.pagetable.example import MEMORY_END, guest

    if os.path.exists(arguments.output) and not arguments.force:
        raise UsageError(f"{arguments.output} is there already; --force overwrites it")
    levels = arguments.levels or (3 if arguments.granule == 65536 else 4)
    arena = Arena(base=MEMORY_END)
    table = build(arena, arguments.format, guest(arguments.granule, arguments.seed), levels, granule=arguments.granule)
    note = preserve(arena, table, forget=arguments.forget)
    arena.save(arguments.output, note)
    sys.stdout.writelines(f"{line}\n" for line in lines(table, note, arguments.output))
    return 0


def preserve(arena: Arena, table: PageTable, *, forget: int) -> HandoverNote:
    """Build a handover that preserves the tables and all that they map, but for ``forget`` pages; the note that says where it is."""
    from struct import pack

    from devstate.fdt.model import Fdt, Node
    from devstate.fdt.writer import IN_PLACE, write
    from devstate.memory.notes import HandoverNote
    from devstate.pagetable.native import radix_build
    from devstate.pagetable.radix import cut, radix_shape

    shape = radix_shape(arena.page_size)
    fdt_pa, scratch_pa = arena.alloc(), arena.alloc()
    runs = cut([*ranges(arena, table, forget), (fdt_pa, 2 * arena.page_size)], arena.page_size)
    nodes: list[int] = []
    count = 1
    while count > len(nodes):
        nodes += [arena.alloc() for _ in range(count - len(nodes))]
        count, pages = radix_build(runs, shape, nodes, "little")
    for place, pa in enumerate(nodes):
        arena.write(pa, pages[place * arena.page_size : (place + 1) * arena.page_size])
    blob = write(Fdt(Node("", {"compatible": b"kho-v4\0", "preserved-memory-map": pack("<Q", nodes[0])})), IN_PLACE)
    arena.write(fdt_pa, blob)
    arena.write(scratch_pa, pack("<QQ", *SCRATCH))
    return HandoverNote(fdt_pa, scratch_pa, 16, arena.page_size)


def ranges(arena: Arena, table: PageTable, forget: int) -> list[tuple[int, int]]:
    """(address, bytes) of the memory to preserve, sorted and joined."""
    import numpy as np

    rows = table.walk().mappings.rows
    found = [(pa, pa + size) for pa, size in rows[np.argsort(rows[:, 1]), 1:3].tolist()]
    for _ in range(min(forget, len(found))):
        pa, end = found.pop()
        if end - pa > arena.page_size:
            found.append((pa, end - arena.page_size))
    for level, pas in table.table_pages().items():
        size = max(8 * table.entries(level), arena.page_size)
        found += [(pa, pa + size) for pa in pas]
    joined: list[tuple[int, int]] = []
    for pa, end in sorted(found):
        if joined and joined[-1][1] >= pa:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((pa, end))
    return [(pa, end - pa) for pa, end in joined]


def lines(table: PageTable, note: HandoverNote, path: str) -> Iterator[str]:
    """What was built, and how to look at it."""
    from devstate.report.printable import quoted

    walk = table.walk()
    where = f"--format {table.format.name} --top {table.top_table:#x} --levels {table.levels}"
    if table.format.granule != 4096:
        where += f" --granule {table.format.granule}"
    name = quoted(path)
    yield f"wrote   {name} tables={sum(walk.tables.values())} mapped={walk.bytes} extents={len(walk.mappings)} fdt_pa={note.fdt_pa:#x}"
    yield f"try     devstate pt walk {where} {name}"
    yield f"        devstate pt verify {where} {name}"
    yield f"        devstate pt prove {where} --preserved {name} {name}"
