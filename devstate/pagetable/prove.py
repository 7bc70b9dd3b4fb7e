# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The proof that a device can reach nothing but preserved memory: every page that its table maps, and every page that the table is in,
is in the map of preserved pages and not in a scratch area.

What hides memory from the proof (a table that is not in a partial capture, a cycle, entries that mean nothing) is a problem: with one,
nothing is proven. Damage never raises.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.pagetable import native
from devstate.pagetable.coverage import GAP_LIMIT, GapsRoom
from devstate.pagetable.mapping import PROBLEM_LIMIT
from devstate.pagetable.walk import CoreRoot, budget, table_problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.pagetable.coverage import Coverage
    from devstate.pagetable.gaps import Gaps
    from devstate.pagetable.mapping import TableProblem
    from devstate.pagetable.table import PageTable

HIDING = ("table-not-in-memory", "table-cycle", "table-budget", "leaf-level", "table-level")
"""The problems of a walk that a proof has too."""


@frozen
class Proof:
    """What a proof came to.

    ``pages``: gaps in what is mapped, in the order of iovas; ``tables``: tables that are not where they should be, in the order of the
    walk, each with the first iova that it stands for. ``leaves`` counts leaves by their size in bytes, ``table_pages`` tables by level,
    each once. ``problems`` keeps the first of ``problem_count``.
    """

    pages: Gaps
    tables: Gaps
    leaves: dict[int, int]
    table_pages: dict[int, int]
    problems: tuple[TableProblem, ...]
    problem_count: int

    def __bool__(self) -> bool:
        return not (self.pages or self.tables or self.problem_count)

    @property
    def bytes(self) -> int:
        """All bytes that are mapped."""
        return sum(size * count for size, count in self.leaves.items())


def prove(table: PageTable, coverage: Coverage, limit: int = GAP_LIMIT) -> Proof:
    """Hold all that ``table`` maps, and the tables themselves, against ``coverage``; ``limit`` gaps of each kind are listed."""
    core = CoreRoot.of(table) if coverage.structs is not None else None
    if core is None:
        from devstate.pagetable.prove_slowly import prove_slowly

        return prove_slowly(table, coverage, limit)
    proof = native.ffi.new("struct ds_pt_proof *")
    walk = proof.walk
    problems, visited = native.ffi.new("struct ds_problem[]", PROBLEM_LIMIT), core.visited()
    walk.memory, walk.root, walk.visited, walk.budget = core.memory, core.root[0], visited, min(budget(table), (1 << 64) - 1)
    walk.problems.list, walk.problems.capacity = problems, PROBLEM_LIMIT
    proof.inside, proof.scratch = coverage.structs or (native.ffi.NULL, native.ffi.NULL)
    pages, tables = GapsRoom(limit), GapsRoom(limit)
    pages.lend(proof.pages)
    tables.lend(proof.tables)
    native.done(native.lib.ds_pt_prove(proof))
    entered = {level: count for level, count in enumerate(walk.tables) if count}
    listed = problems[0 : min(walk.problems.count, PROBLEM_LIMIT)]
    return Proof(
        pages.take(proof.pages),
        tables.take(proof.tables),
        {1 << shift: count for shift, count in enumerate(walk.leaves) if count},
        entered,
        tuple(table_problem(row, entered=bool(entered)) for row in listed),
        walk.problems.count,
    )
