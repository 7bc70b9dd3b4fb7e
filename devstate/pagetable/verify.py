# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge the structure of a tree of page tables. Each finding has an id, the address of the entry at fault, its level and its iova.

``pt-table-not-in-memory``  a table that the capture does not hold: what is below it is unknown
``pt-table-cycle``          a table that contains itself
``pt-table-shared``         a table that several entries lead to: freeing it at one of them breaks the others
``pt-table-budget``         so many of these that the walk did not enter more
``pt-table-level``          a pointer to a table where only leaves can be, or to a level that is not lower
``pt-table-mapped``         a device may write to one of these very tables
``pt-leaf-level``           a leaf at a level, or of a size, that the format does not have there
``pt-leaf-misaligned``      a leaf whose target is not a multiple of its size
``pt-reserved-bits``        bits, or a combination, that the format reserves: the IOMMU may fault
``pt-address-width``        an address that the machine (``pa_bits``) does not have
``pt-run-broken``           a leaf of several entries of which some are missing or do not follow
``pt-run-overlap``          a leaf of several entries in whose place something else is mapped too
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen
from devstate.pagetable.format import WRITE
from devstate.pagetable.mapping import PROBLEM_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.mapping import TableProblem, Walk
    from devstate.pagetable.table import PageTable

_TEXTS = {
    "table-not-in-memory": "the table that it points to is not in the capture",
    "table-cycle": "the table that it points to contains this one",
    "table-shared": "the table that it points to is used a second time",
    "table-budget": "the table that it points to is used so often that it was not read again",
    "table-level": "a pointer to a table where none can be",
    "leaf-level": "a leaf at a level, or of a size, that has none",
    "leaf-misaligned": "the target of a leaf is not a multiple of its size",
    "reserved-bits": "reserved bits are set",
    "address-width": "an address beyond those of the machine",
    "run-broken": "one of several entries that make a leaf, but not all of them are there",
    "run-overlap": "one of several entries that make a leaf, but something else is mapped in its place",
}


@frozen
class Verdict:
    """``findings``, at most PROBLEM_LIMIT of each kind of ``count``; ``walk`` is what was walked for it."""

    findings: tuple[Finding, ...]
    count: int
    walk: Walk

    def __bool__(self) -> bool:
        """Whether the tables are sound."""
        return self.count == 0


def verify(table: PageTable) -> Verdict:
    """All that is wrong with the structure of these tables. Never raises for what is in them."""
    walk = table.walk()
    found = [problem_finding(table, problem) for problem in walk.problems]
    mapped = _mapped_tables(table, walk)
    return Verdict((*found, *(_mapped(table, *row) for row in mapped[:PROBLEM_LIMIT])), walk.problem_count + len(mapped), walk)


def problem_finding(table: PageTable, problem: TableProblem) -> Finding:
    """One problem of a walk or a proof as a finding."""
    if problem.pa is None:
        message, pa, path = "the top table is not in the capture", problem.entry, None
    else:
        message, pa, path = _TEXTS[problem.code], problem.pa, f"level {problem.level}, iova {problem.iova:#x}"
    location = Location(source=table.memory.source, pa=pa, path=path)
    found = None if problem.pa is None else f"entry {problem.entry:#018x}"
    return Finding(f"pt-{problem.code}", Severity.ERROR, message, location, found=found)


def _mapped_tables(table: PageTable, walk: Walk) -> list[tuple[int, int, int]]:
    """(level, address, iova) of each table that a writable extent covers a part of."""
    import numpy as np

    rows = walk.mappings.rows[(walk.mappings.attributes & np.uint64(WRITE)) != 0]
    rows = rows[np.argsort(rows[:, 1], kind="stable")]
    if not len(rows):
        return []
    # As memory, extents may overlap: what counts at an address is the one that goes furthest, of all that begin before it.
    last = rows[:, 1] + (rows[:, 2] - np.uint64(1))
    furthest = np.maximum.accumulate(last)
    which = np.maximum.accumulate(np.where(last == furthest, np.arange(len(rows)), 0))
    found = []
    for level, addresses in table.table_pages().items():
        pas = np.array(addresses, dtype=np.uint64)
        before = np.searchsorted(rows[:, 1], pas + np.uint64(8 * table.entries(level) - 1), side="right") - 1
        covered = (before >= 0) & (furthest[before] >= pas)
        chosen = rows[which[before[covered]]]
        iovas = chosen[:, 0] + np.where(pas[covered] > chosen[:, 1], pas[covered] - chosen[:, 1], np.uint64(0))
        found += [(level, pa, iova) for pa, iova in zip(pas[covered].tolist(), iovas.tolist(), strict=True)]
    return found


def _mapped(table: PageTable, level: int, pa: int, iova: int) -> Finding:
    location = Location(source=table.memory.source, pa=pa, path=f"level {level}, iova {iova:#x}")
    return Finding("pt-table-mapped", Severity.ERROR, "a device may write to this table", location)
