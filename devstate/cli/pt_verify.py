# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge the structure of a tree of IOMMU page tables: one line for each thing that is wrong, with the address of the entry and its iova.

  pt-table-not-in-memory  a table is not in INPUT: what is below it is unknown
  pt-table-cycle          a table contains itself
  pt-table-shared         several entries lead to one table
  pt-table-budget         so many do that the rest was not read
  pt-table-level          a pointer to a table where only leaves can be, or to a level that is not lower
  pt-table-mapped         a device may write to one of these very tables
  pt-leaf-level           a leaf at a level, or of a size, that the format does not have there
  pt-leaf-misaligned      the target of a leaf is not a multiple of its size
  pt-reserved-bits        bits, or a combination, that the format reserves
  pt-address-width        an address beyond --pa-bits
  pt-run-broken           a leaf of several entries of which some are missing or do not follow
  pt-run-overlap          a leaf of several entries in whose place something else is mapped too

Exit status 0 when nothing is wrong, 1 when something is.
"""

from __future__ import annotations

import sys

from devstate.cli.pt_input import add_input, add_table, open_memory, open_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

HELP = "whether the structure of a tree of tables is sound"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_input(parser, "INPUT")
    add_table(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/pt-verify.schema.json)")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 when there is any. Errors as open_memory() and open_table()."""
    from devstate.cli.command import FINDINGS, OK
    from devstate.pagetable.verify import verify

    verdict = verify(open_table(arguments, open_memory(arguments, arguments.input)))
    if arguments.json:
        from devstate.report.json import finding_row, write

        write({"findings": [finding_row(finding) for finding in verdict.findings], "count": verdict.count}, sys.stdout)
    else:
        from devstate.report.text import findings

        findings(verdict.findings, sys.stdout)
        if verdict.count > len(verdict.findings):
            print(f"and {verdict.count - len(verdict.findings)} more")
    return OK if verdict else FINDINGS
