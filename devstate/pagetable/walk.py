# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Walks over page tables in the C core, or, where it is not built or cannot see the memory, in the oracle's plain Python.

A walk of hostile tables ends: a table is never entered from inside itself, and what is entered again because several entries lead to it is
bounded by the memory that is really there.
"""

from __future__ import annotations

from devstate.pagetable import native
from devstate.pagetable.mapping import CODES, PROBLEM_LIMIT, Mappings, TableProblem, Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.pagetable.table import PageTable

EXTRA = 1 << 22
"""Bytes of tables that a walk reads again in any memory, beyond as many as the memory has: 1024 entries that lead to one small table are
odd, and quick to read; 512 of these that do it again are not."""

CHUNK = 1 << 15
"""Extents in one call of the core: a MiB."""


def budget(table: PageTable) -> int:
    """Bytes of tables that a walk may read a second time or more often."""
    return table.memory.size + EXTRA


def walk(table: PageTable, *, merge: bool, attributes: int) -> Walk:
    """See PageTable.walk()."""
    core = CoreWalk.begin(table, merge=merge, attributes=attributes)
    if core is None:
        from devstate.pagetable import oracle

        return oracle.walk(table, merge=merge, attributes=attributes, budget=budget(table))
    import numpy as np

    chunks = list(core.chunks())
    return core.result(Mappings(np.concatenate(chunks) if chunks else np.empty((0, 4), dtype=np.uint64)))


def table_pages(table: PageTable) -> dict[int, tuple[int, ...]]:
    """See PageTable.table_pages()."""
    found = core_tables(table)
    if found is None:
        from devstate.pagetable import oracle

        return oracle.table_pages(table)
    pas, levels = found
    return {level: tuple(pas[levels == level].tolist()) for level in sorted(set(levels.tolist()), reverse=True)}


def core_tables(
    table: PageTable,
) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.uint8]] | None:
    """(addresses, levels) of all tables in the order of a walk, from the core; None where it is not to be had."""
    import numpy as np

    root = CoreRoot.of(table)
    if root is None:
        return None
    found = native.ffi.new("struct ds_pt_tables *")
    status, capacity = native.lib.DS_ESPACE, 1024
    while status == native.lib.DS_ESPACE:
        pas, levels = np.empty(capacity, dtype=np.uint64), np.empty(capacity, dtype=np.uint8)
        found.pas, found.levels = native.ffi.from_buffer("uint64_t[]", pas), native.ffi.from_buffer("uint8_t[]", levels)
        found.capacity = capacity
        status = native.lib.ds_pt_tables(root.memory, root.root, root.visited(), found)
        capacity = found.count
    native.done(status)
    return pas[: found.count], levels[: found.count]


class CoreRoot:
    """A tree of tables as the core takes it: ``memory`` (struct ds_memory *), ``root`` (struct ds_pt_root *), ``units``."""

    def __init__(self, memory: Any, root: Any, units: int, keep: object) -> None:
        self.memory = memory
        self.root = root
        self.units = units
        self._keep = keep

    @classmethod
    def of(cls, table: PageTable) -> CoreRoot | None:
        """None where there is no core, or none of its formats, or it cannot see the memory."""
        from devstate.pagetable.formats import FORMATS

        if not native.BUILT or table.format not in FORMATS:
            return None
        regions = native.c_memory(table.memory, max(table.format.granule, 8 * table.top_entries))
        if regions is None:
            return None
        memory, keep, units = regions
        root = native.ffi.new("struct ds_pt_root *")
        root.format = native.lib.ds_pt_format(FORMATS.index(table.format))
        root.top_pa, root.levels, root.top_entries = table.top_table, table.levels, table.top_entries
        root.sign_extended, root.pa_bits = table.sign_extended, table.pa_bits or 0
        return cls(memory, root, units, keep)

    def visited(self) -> Any:
        """A clean map of what was visited."""
        return native.ffi.new("uint64_t[]", self.units // 64 + 1)


class CoreWalk:
    """One walk in the core. ``chunks()`` once, then ``result()``."""

    def __init__(self, root: CoreRoot, *, budget: int, merge: bool, attributes: int) -> None:
        self._keep = root, root.visited(), native.ffi.new("struct ds_problem[]", PROBLEM_LIMIT)
        self._walk = native.ffi.new("struct ds_pt_walk *")
        self._walk.memory, self._walk.root, self._walk.visited = root.memory, root.root[0], self._keep[1]
        self._walk.budget, self._walk.attributes, self._walk.merge = min(budget, (1 << 64) - 1), attributes, merge
        self._walk.problems.list, self._walk.problems.capacity = self._keep[2], PROBLEM_LIMIT
        native.done(native.lib.ds_pt_walk_begin(self._walk))

    @classmethod
    def begin(cls, table: PageTable, *, merge: bool, attributes: int) -> CoreWalk | None:
        """None where the core is not to be had."""
        root = CoreRoot.of(table)
        return None if root is None else cls(root, budget=budget(table), merge=merge, attributes=attributes)

    def chunks(self) -> Iterator[numpy.typing.NDArray[numpy.uint64]]:
        """The extents, as arrays of shape (n, 4) of u64: iova, pa, size, attributes; n is CHUNK, except in the last."""
        import numpy as np

        used = native.ffi.new("size_t *")
        while True:
            chunk = np.empty((CHUNK, 4), dtype=np.uint64)
            room = native.ffi.from_buffer("struct ds_pt_extent[]", chunk)
            native.done(native.lib.ds_pt_walk_next(self._walk, room, CHUNK, used))
            if not used[0]:
                return
            yield chunk if used[0] == CHUNK else chunk[: used[0]].copy()

    def result(self, mappings: Mappings) -> Walk:
        """What there is to say when the walk is over."""
        leaves = {1 << shift: count for shift, count in enumerate(self._walk.leaves) if count}
        tables = {level: count for level, count in enumerate(self._walk.tables) if count}
        problems = self._walk.problems
        listed = tuple(table_problem(row, entered=bool(tables)) for row in problems.list[0 : min(problems.count, PROBLEM_LIMIT)])
        return Walk(mappings, leaves, tables, listed, problems.count)


def table_problem(row: Any, *, entered: bool) -> TableProblem:
    """A problem of the core. Where not even the top table was entered, it is what the problem is about, and there is no entry."""
    return TableProblem(CODES[row.code], row.pa if entered else None, row.value, row.key, row.level)
