# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The arguments that say where in an input a tree of page tables is, and from them to the PageTable."""

from __future__ import annotations

from devstate.cli.inputs import number
from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.memory import PhysMemory
    from devstate.pagetable.table import PageTable


def add_input(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare one positional argument for each name, and how to read them."""
    for name in names:
        parser.add_argument(name.lower(), metavar=name, help="ELF core, or raw image with --base; .zst of these; - is standard input")
    group = parser.add_argument_group("how to read it")
    group.add_argument("--base", metavar="PA", type=number, help="it is a raw memory image that starts at this physical address")
    group.add_argument("--partial", action="store_true", help="read what is there of a file that was cut short")


def add_table(parser: argparse.ArgumentParser) -> None:
    """Declare which tree of tables is meant."""
    group = parser.add_argument_group("which tables")
    names = "vtd-second-stage, vtd-first-stage, amd-v1, amd-v2, arm-lpae-s1, arm-lpae-s2, arm-lpae-s1-lpa2, arm-lpae-s2-lpa2, riscv-64"
    group.add_argument("--format", metavar="F", required=True, help=f"one of {names}")
    group.add_argument("--top", metavar="PA", type=number, required=True, help="physical address of the top table")
    group.add_argument("--levels", metavar="N", type=number, required=True, help="levels of tables, the top one counted")
    group.add_argument("--top-entries", metavar="N", type=number, help="entries of the top table, where it is not a whole table")
    group.add_argument("--granule", metavar="N", type=number, default=4096, help="bytes of the smallest page: 4096 (default), 16384, 65536")
    group.add_argument("--sign-extended", action="store_true", help="iovas of the upper half continue with ones")
    group.add_argument("--upper", action="store_true", help="all iovas begin with ones (Arm: the tables of TTBR1)")
    group.add_argument("--encryption-bit", metavar="N", type=number, help="bit of addresses that says: encrypted (AMD with SME: 47 or 51)")
    group.add_argument("--pa-bits", metavar="N", type=number, help="bits of a physical address on that machine, to judge addresses by")


def open_memory(arguments: argparse.Namespace, path: str) -> PhysMemory:
    """The memory in the input ``path``. UsageError when it has none; errors as open_input()."""
    from devstate.memory.open import open_input

    opened = open_input(path, base=arguments.base, partial=arguments.partial)
    if opened.memory is None:
        raise UsageError(f"{opened.source}: no physical memory, but {opened.kind}")
    return opened.memory


def require_top(table: PageTable) -> None:
    """NotInMemoryError when not even the top table is there."""
    from devstate.errors import NotInMemoryError

    if not table.memory.contains(table.top_table, 8 * table.top_entries):
        raise NotInMemoryError("the top table is not in the capture", source=table.memory.source, pa=table.top_table)


def open_table(arguments: argparse.Namespace, memory: PhysMemory, top: int | None = None) -> PageTable:
    """The tree of tables that the options name; ``top`` stands in for --top. UsageError for what its format does not have."""
    from devstate.pagetable.table import PageTable

    return PageTable(
        memory,
        arguments.format,
        arguments.top if top is None else top,
        arguments.levels,
        granule=arguments.granule,
        top_entries=arguments.top_entries,
        sign_extended=arguments.sign_extended,
        upper=arguments.upper,
        encryption_bit=arguments.encryption_bit,
        pa_bits=arguments.pa_bits,
    )
