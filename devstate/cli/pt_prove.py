# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Prove that a device can reach nothing but preserved memory: every page that a tree of IOMMU page tables maps, and every page that the
tables are in, is in the preserved map of HANDOVER and not in its scratch areas. Else the counterexamples, one line for each extent:

  page   IOVA SIZE -> PA KIND    mapped for the device, but KIND: not-preserved or scratch
  table  IOVA SIZE -> PA KIND    one of the tables themselves, from IOVA on

What hides memory from the proof (a table that is not in INPUT, a cycle, an entry that means nothing) stands above these, as
`devstate pt verify` says it. Exit status 0 when it is proven, 1 when it is not, 3 when all is preserved but where scratch is is not known.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import add_environment, number, open_environment, open_registry
from devstate.cli.pt_input import add_input, add_table, open_memory, open_table
from devstate.errors import DecodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.handover.model import Handover
    from devstate.pagetable.gaps import Gaps
    from devstate.pagetable.preserved import PreservedMap
    from devstate.pagetable.prove import Proof
    from devstate.pagetable.table import PageTable

HELP = "whether every page that a device can reach is preserved"

LIMIT_MAX = 1 << 20
"""Counterexamples that may be listed: 40 MiB of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_input(parser, "INPUT")
    add_table(parser)
    group = parser.add_argument_group("what is preserved")
    group.add_argument("--preserved", metavar="HANDOVER", required=True, help="the handover: an ELF core, or a raw image; .zst of these")
    group.add_argument("--preserved-base", metavar="PA", type=number, help="HANDOVER is a raw memory image that starts there")
    group.add_argument("--fdt", metavar="PA", type=number, help="physical address of KHO's root FDT; found by itself otherwise")
    group.add_argument("--scratch", metavar="PA,SIZE", type=_range, action="append", help="a scratch area, where HANDOVER does not say")
    add_environment(group)
    parser.add_argument("--limit", metavar="N", type=number, default=1000, help="counterexamples of each sort that are listed (1000)")
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/pt-prove.schema.json)")


def _range(text: str) -> tuple[int, int]:
    start, size = map(number, text.split(","))
    return start, size


def run(arguments: argparse.Namespace) -> int:
    """Print the proof or what is against it. Errors as open_memory(), open_table() and open_handover(); DecodeError without a map."""
    from devstate.cli.command import FINDINGS, INCOMPLETE, OK
    from devstate.pagetable.coverage import Coverage
    from devstate.pagetable.prove import prove

    if arguments.limit > LIMIT_MAX:
        raise UsageError(f"--limit is 0 to {LIMIT_MAX}")
    if arguments.input == arguments.preserved == "-":
        raise UsageError("INPUT and HANDOVER cannot both be standard input")
    table = open_table(arguments, open_memory(arguments, arguments.input))
    handover = _open_handover(arguments)
    kept = _map(handover)
    scratch = arguments.scratch or handover.scratch
    proof = prove(table, Coverage(kept, scratch or ()), arguments.limit)
    if kept.problem_count:
        print(f"warning: {kept.problem_count} problems in the preserved map; `devstate check` names them", file=sys.stderr)
    if scratch is None:
        print("warning: HANDOVER does not say where scratch is; --scratch does", file=sys.stderr)
    status = FINDINGS if not proof else OK if scratch is not None else INCOMPLETE
    if arguments.json:
        from devstate.report.json import write

        write(document(table, proof, proven=status == OK, scratch_known=scratch is not None), sys.stdout)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(table, proof, proven=status == OK))
    return status


def _open_handover(arguments: argparse.Namespace) -> Handover:
    from devstate.handover.open import open_handover
    from devstate.memory.open import open_input

    open_environment(arguments)
    source = open_input(arguments.preserved, base=arguments.preserved_base, byteorder=arguments.byte_order or "little")
    return open_handover(source, fdt=arguments.fdt, page_size=arguments.page_size, registry=open_registry(arguments.schemas))


def _map(handover: Handover) -> PreservedMap:
    """What a handover preserves. DecodeError when it cannot be told."""
    if handover.preserved is None:
        raise DecodeError("no map of preserved memory can be read; `devstate check` says why", source=handover.source)
    return handover.preserved.map


def document(table: PageTable, proof: Proof, *, proven: bool, scratch_known: bool) -> dict[str, object]:
    """The JSON form."""
    from devstate.pagetable.verify import problem_finding
    from devstate.report.json import finding_row

    return {
        "proven": proven,
        "scratch_known": scratch_known,
        "bytes_mapped": proof.bytes,
        "table_pages": sum(proof.table_pages.values()),
        "leaf_sizes": {f"{size:#x}": count for size, count in sorted(proof.leaves.items())},
        "pages": _gaps(proof.pages),
        "tables": _gaps(proof.tables),
        "problems": [finding_row(problem_finding(table, problem)) for problem in proof.problems],
        "problem_count": proof.problem_count,
    }


def _gaps(gaps: Gaps) -> dict[str, object]:
    listed = [[f"{gap.iova:#x}", f"{gap.pa:#x}", gap.size, gap.kind] for gap in gaps.listed]
    return {"not_preserved": gaps.not_preserved, "scratch": gaps.scratch, "complete": gaps.complete, "extents": listed}


def lines(table: PageTable, proof: Proof, *, proven: bool) -> Iterator[str]:
    """The text form: problems, counterexamples, totals, the verdict."""
    from devstate.pagetable.verify import problem_finding
    from devstate.report.text import finding_lines

    for problem in proof.problems:
        yield from finding_lines(problem_finding(table, problem))
    if proof.problem_count > len(proof.problems):
        yield f"and {proof.problem_count - len(proof.problems)} more"
    for word, gaps in (("page ", proof.pages), ("table", proof.tables)):
        for gap in gaps.listed:
            yield f"{word} {gap.iova:#18x} {gap.size:#14x} -> {gap.pa:#16x} {gap.kind}"
        if not gaps.complete:
            yield f"and more: {gaps.bytes - sum(gap.size for gap in gaps.listed)} bytes"
    yield f"mapped   {proof.bytes} bytes in {sum(proof.leaves.values())} leaves, {sum(proof.table_pages.values())} tables"
    for word, gaps in (("pages", proof.pages), ("tables", proof.tables)):
        yield f"{word:8} {gaps.not_preserved} bytes not preserved, {gaps.scratch} bytes in scratch"
    yield "proven   every page that the device can reach is preserved" if proven else "proven   nothing"
