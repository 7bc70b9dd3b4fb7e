# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof in plain Python: slow, obvious, and held equal to the C core by the tests."""

from __future__ import annotations

from devstate.pagetable.gaps import Finder
from devstate.pagetable.mapping import PROBLEM_LIMIT
from devstate.pagetable.oracle import TableWalk
from devstate.pagetable.prove import HIDING, Proof
from devstate.pagetable.walk import budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.coverage import Coverage
    from devstate.pagetable.mapping import TableProblem
    from devstate.pagetable.table import PageTable


class _HidingProblems(TableWalk):
    """A walk that notes nothing but what a proof has to know."""

    def add_problem(self, problem: TableProblem) -> None:
        if problem.code in HIDING:
            super().add_problem(problem)


def prove_slowly(table: PageTable, coverage: Coverage, limit: int) -> Proof:
    """See ``prove()``."""
    walk = _HidingProblems(table, budget(table))
    pages, tables = (Finder(coverage.inside, coverage.scratch, limit) for _ in range(2))
    known = 0
    for leaf in walk.leaves_in_order():
        known = _take_tables(walk, tables, known)
        pages.add(leaf.iova, leaf.pa, leaf.size)
    _take_tables(walk, tables, known)
    return Proof(pages.gaps(), tables.gaps(), walk.leaves, walk.tables, tuple(walk.problems[:PROBLEM_LIMIT]), walk.problem_count)


def _take_tables(walk: TableWalk, tables: Finder, known: int) -> int:
    """Judge the tables that were entered for the first time since the first ``known`` were."""
    for iova, pa, size in walk.entered[known:]:
        tables.add(iova, pa, size)
    return len(walk.entered)
