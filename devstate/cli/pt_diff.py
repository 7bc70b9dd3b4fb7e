# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Name what differs between what two trees of IOMMU page tables map: one line for each extent, then the bytes of each kind.

  -  IOVA SIZE -> PA ACCESS                     only A maps it
  +  IOVA SIZE -> PA ACCESS                     only B maps it
  ~  IOVA SIZE target: PA -> PA                 both do, to other memory
  ~  IOVA SIZE attributes: ACCESS (BITS) -> ... to the same memory, with other attributes
  ~  IOVA SIZE touched: ...                     nothing differs but what the hardware notes: accessed, dirty

The options say where the tables of A are; those of B are there too, unless an option with --new- says otherwise. Between two formats, only
reading and writing are compared of the attributes. Exit status 0 when nothing differs, 1 when something does, 3 when nothing does but
either is damaged or not all there.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number
from devstate.cli.pt_input import add_input, add_table, open_memory, open_table, require_top

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.pagetable.compare import Comparison, Difference

HELP = "what differs between two trees of tables"

_NEW = ("format", "top", "levels", "top_entries", "granule", "pa_bits", "encryption_bit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_input(parser, "A", "B")
    add_table(parser)
    group = parser.add_argument_group("where the tables of B are, if elsewhere")
    group.add_argument("--new-format", metavar="F", help="their format")
    group.add_argument("--new-top", metavar="PA", type=number, help="physical address of their top table")
    group.add_argument("--new-levels", metavar="N", type=number, help="their levels")
    group.add_argument("--new-top-entries", metavar="N", type=number, help="entries of their top table")
    group.add_argument("--new-granule", metavar="N", type=number, help="their granule")
    group.add_argument("--new-pa-bits", metavar="N", type=number, help="bits of a physical address there")
    group.add_argument("--new-encryption-bit", metavar="N", type=number, help="bit of addresses there that says: encrypted")
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/pt-diff.schema.json)")


def run(arguments: argparse.Namespace) -> int:
    """Print the differences; 1 when there is any, 3 when some could not be seen. Errors as open_memory(), open_table(), require_top()."""
    from devstate.cli.command import FINDINGS, INCOMPLETE, OK
    from devstate.pagetable.compare import compare

    old = open_table(arguments, open_memory(arguments, arguments.a))
    for name in _NEW:
        given = getattr(arguments, f"new_{name}")
        if given is not None:
            setattr(arguments, name, given)
    new = open_table(arguments, old.memory if arguments.b == arguments.a else open_memory(arguments, arguments.b))
    require_top(old)
    require_top(new)
    comparison = compare(old, new)
    for name, count in zip(("A", "B"), comparison.problems, strict=True):
        if count:
            print(f"warning: {count} problems in {name}, left out; `devstate pt verify` names them", file=sys.stderr)
    if arguments.json:
        from devstate.report.json import write

        rows = [_row(each) for each in comparison]
        problems = dict(zip(("old", "new"), comparison.problems, strict=True))
        write({"differences": rows, "totals": comparison.totals, "problems": problems}, sys.stdout)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(comparison))
    if len(comparison):
        return FINDINGS
    return INCOMPLETE if any(comparison.problems) else OK


def _row(each: Difference) -> dict[str, object]:
    from devstate.pagetable.mapping import access_text
    from devstate.report.json import address

    def side(pa: int | None, attributes: int | None) -> dict[str, object] | None:
        return None if attributes is None else {"pa": address(pa), "access": access_text(attributes), "attributes": address(attributes)}

    old, new = side(each.old_pa, each.old_attributes), side(each.new_pa, each.new_attributes)
    return {"kind": each.kind, "iova": address(each.iova), "size": each.size, "old": old, "new": new}


def lines(comparison: Comparison) -> Iterator[str]:
    """A line for each difference, then the totals."""
    from devstate.pagetable.mapping import access_text

    for each in comparison:
        head = f"{each.iova:#x} {each.size:#x}"
        if each.old_pa is None or each.old_attributes is None:
            assert each.new_pa is not None and each.new_attributes is not None
            yield f"+ {head} -> {each.new_pa:#x} {access_text(each.new_attributes)}"
        elif each.new_pa is None or each.new_attributes is None:
            yield f"- {head} -> {each.old_pa:#x} {access_text(each.old_attributes)}"
        elif each.kind == "target":
            yield f"~ {head} target: {each.old_pa:#x} -> {each.new_pa:#x}"
        else:
            old, new = (f"{access_text(bits)} ({bits:#x})" for bits in (each.old_attributes, each.new_attributes))
            yield f"~ {head} {each.kind}: {old} -> {new}"
    yield from (f"{kind:10} {size} bytes" for kind, size in comparison.totals.items())
