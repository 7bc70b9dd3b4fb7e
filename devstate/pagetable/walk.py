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
    from typing import Any

    import numpy
    import numpy.typing

    from devstate.pagetable.format import PageTableFormat
    from devstate.pagetable.table import PageTable

EXTRA = 1 << 22
"""Bytes of tables that a walk reads again in any memory, beyond as many as the memory has: 1024 entries that lead to one small table are
odd, and quick to read; 512 of these that do it again are not."""

CHUNK = 1 << 14
"""Extents that a first call of the core has room for: half a MiB."""


def budget(table: PageTable) -> int:
    """Bytes of tables that a walk may read a second time or more often."""
    return table.memory.size + EXTRA


def walk(table: PageTable, *, merge: bool, attributes: int) -> Walk:
    """See PageTable.walk()."""
    root = CoreRoot.of(table)
    if root is None:
        from devstate.pagetable import oracle

        return oracle.walk(table, merge=merge, attributes=attributes, budget=budget(table))
    core = CoreWalk(root, budget=budget(table), merge=merge, attributes=attributes)
    chunk = core.next()
    if len(chunk) == CHUNK:  # many: they are counted first, for touching fresh memory twice costs more than walking twice
        rows = len(chunk)
        while len(chunk) == CHUNK:
            chunk = core.next(chunk)
            rows += len(chunk)
        core = CoreWalk(root, budget=budget(table), merge=merge, attributes=attributes)
        chunk = core.next(_room(rows + 1))  # one more, or it would stop where the last one is, and look no further
    return core.result(Mappings(chunk))


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


def _core_format(format: PageTableFormat) -> Any:
    """The struct ds_pt_format of a format; None where the core has none."""
    from devstate.pagetable.formats import FORMATS

    ffi = native.ffi
    if format in FORMATS:
        return native.lib.ds_pt_format(FORMATS.index(format))
    plain = next((n for n, each in enumerate(FORMATS) if (each.name, each.granule) == (format.name, format.granule)), None)
    if plain is None or not format.encryption:
        return None
    made = ffi.new("struct ds_pt_format *", native.lib.ds_pt_format(plain)[0])
    made.address, made.table = format.address, format.table
    test = format.attributes[-1]
    made.attributes[len(format.attributes) - 1] = (test.all, test.flip, test.attribute)
    return made


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
        format = _core_format(table.format) if native.BUILT else None
        if format is None:
            return None
        regions = native.c_memory(table.memory, max(table.format.granule, 8 * table.top_entries))
        if regions is None:
            return None
        memory, keep, units = regions
        root = native.ffi.new("struct ds_pt_root *")
        root.format = format
        root.top_pa, root.levels, root.top_entries = table.top_table, table.levels, table.top_entries
        root.sign_extended, root.pa_bits = native.lib.DS_PT_UPPER if table.upper else table.sign_extended, table.pa_bits or 0
        return cls(memory, root, units, (keep, format))

    def visited(self) -> Any:
        """A clean map of what was visited."""
        return native.ffi.new("uint64_t[]", self.units // 64 + 1)


class CoreWalk:
    """One walk in the core: ``next()`` until it gives fewer extents than it has room for, then ``result()``. ``state``: the C struct."""

    def __init__(self, root: CoreRoot, *, budget: int, merge: bool, attributes: int) -> None:
        self._keep = root, root.visited(), native.ffi.new("struct ds_problem[]", PROBLEM_LIMIT)
        self.state = native.ffi.new("struct ds_pt_walk *")
        self.state.memory, self.state.root, self.state.visited = root.memory, root.root[0], self._keep[1]
        self.state.budget, self.state.attributes, self.state.merge = min(budget, (1 << 64) - 1), attributes, merge
        self.state.problems.list, self.state.problems.capacity = self._keep[2], PROBLEM_LIMIT
        native.done(native.lib.ds_pt_walk_begin(self.state))

    def next(self, room: numpy.typing.NDArray[numpy.uint64] | None = None) -> numpy.typing.NDArray[numpy.uint64]:
        """The next extents: as many as ``room`` has rows of four u64 (iova, pa, size, attributes), or fewer when it is over."""
        rows = _room(CHUNK) if room is None else room
        used = native.ffi.new("size_t *")
        native.done(native.lib.ds_pt_walk_next(self.state, native.ffi.from_buffer("struct ds_pt_extent[]", rows), len(rows), used))
        return rows[: used[0]]

    def result(self, mappings: Mappings) -> Walk:
        """What there is to say when the walk is over."""
        leaves = {1 << shift: count for shift, count in enumerate(self.state.leaves) if count}
        tables = {level: count for level, count in enumerate(self.state.tables) if count}
        problems = self.state.problems
        listed = tuple(table_problem(row, entered=bool(tables)) for row in problems.list[0 : min(problems.count, PROBLEM_LIMIT)])
        return Walk(mappings, leaves, tables, listed, problems.count)


def table_problem(row: Any, *, entered: bool) -> TableProblem:
    """A problem of the core. Where not even the top table was entered, it is what the problem is about, and there is no entry."""
    return TableProblem(CODES[row.code], row.pa if entered else None, row.value, row.key, row.level)


def _room(rows: int) -> numpy.typing.NDArray[numpy.uint64]:
    """Room for extents: an array of shape (rows, 4)."""
    import numpy as np

    return np.frombuffer(native.words(4 * rows), dtype=np.uint64).reshape(-1, 4)
